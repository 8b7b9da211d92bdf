"""The pictures that codecs are tried with: seeded, small, and of every kind."""

from __future__ import annotations

from functools import cache

import numpy as np

from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image

# Height and width; the first that a codec takes is used. The last is for windows that pad to multiples of 128.
SIZES = ((48, 80), (96, 160), (192, 256), (400, 640), (128, 256))


@cache
def _whole() -> np.ndarray:
    return load_image(demo_image())


@cache
def photo(height: int, width: int, place: int = 0) -> np.ndarray:
    """A part of the photo that ships, uint8[height, width, 3], which cannot be written to."""
    whole = _whole()
    top = (150 + 90 * place) % (1 + whole.shape[0] - height)
    left = (150 + 170 * place) % (1 + whole.shape[1] - width)
    part = np.ascontiguousarray(whole[top : top + height, left : left + width])
    part.setflags(write=False)
    return part


def kinds(height: int, width: int) -> dict[str, np.ndarray]:
    """Name → uint8[height, width, 3] of pictures from the plainest to the wildest."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return {
        "a photo": photo(height, width),
        "black": np.zeros((height, width, 3), np.uint8),
        "mid-grey": np.full((height, width, 3), 128, np.uint8),
        "a ramp": np.array(np.broadcast_to(ramp[None, :, None], (height, width, 3))),
        "noise": rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
    }


def odd_sizes(count: int) -> list[tuple[int, int]]:
    """So many heights and widths from 1 to 95, from tiny to long and most of them odd."""
    rng = np.random.default_rng(1)
    sides = np.exp(rng.uniform(0, np.log(96), (count, 2))).astype(int)
    sides[count // 2 :] = 2 * rng.integers(8, 48, (count - count // 2, 2)) + 1
    return [(int(height), int(width)) for height, width in sides]
