"""A moving picture without a device: a camera that wanders over the photo that ships, with a number in the corner.

The number is written in black and white squares that a receiver can read out of what arrived, even where it arrived
badly. So a receiver knows which frame it shows, and how late.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image
from gr_jscc.modem.crc import crc24

NUMBERS = 1 << 16  # that the code can tell apart
_COLUMNS, _ROWS = 12, 2  # squares of the code
_CHECK_BITS = 8
_WIDTH_IN_CELLS = 26  # of the picture: squares of 12 pixels at a width of 320
_NEAREST, _FARTHEST = 0.45, 0.95  # of the photo's side that is seen
_PERIODS = (23.0, 17.0, 11.0)  # seconds in which the camera goes and comes: across, down, and nearer


class WanderingCamera:
    """What a camera sees that moves smoothly over a photo, and zooms.

    Args:
        width, height: of its frames, pixels.
        seed: of where it begins.

    Example:
        >>> camera = WanderingCamera(320, 240, seed=1)
        >>> frame = camera.frame(seconds=2.5, number=25)
        >>> frame.shape, read_number(frame)
        ((240, 320, 3), 25)
    """

    def __init__(self, width: int, height: int, seed: int = 1) -> None:
        self.width, self.height = width, height
        self._phases = np.random.default_rng(seed).random(3)

    def frame(self, seconds: float, number: int) -> np.ndarray:
        """What it sees at a time, uint8[height, width, 3], with a number 0 to 65535 in the corner."""
        photo = _photo()
        across, down, zoom = (1 + np.sin(2 * np.pi * (seconds / np.array(_PERIODS) + self._phases))) / 2
        share = _NEAREST + (_FARTHEST - _NEAREST) * zoom
        scale = share * min(photo.width / self.width, photo.height / self.height)
        width, height = self.width * scale, self.height * scale
        left, top = across * (photo.width - width), down * (photo.height - height)
        box = (left, top, left + width, top + height)
        image = np.array(photo.resize((self.width, self.height), Image.Resampling.BICUBIC, box))
        write_number(image, number)
        return image


@lru_cache(maxsize=1)
def _photo() -> Image.Image:
    return Image.fromarray(load_image(demo_image()))


def write_number(image: np.ndarray, number: int) -> None:
    """Draws a number 0 to 65535 and its check into the upper left corner of uint8[H, W, 3]."""
    cell = _cell(image)
    bits = _bits(number).reshape(_ROWS, _COLUMNS)
    squares = np.kron(bits, np.ones((cell, cell), np.uint8)) * np.uint8(255)
    image[: _ROWS * cell, : _COLUMNS * cell] = squares[:, :, None]


def read_number(image: np.ndarray) -> int | None:
    """The number that `write_number` drew into uint8[H, W, 3]; None where the check fails."""
    cell = _cell(image)
    grey = image[: _ROWS * cell, : _COLUMNS * cell].mean(axis=2)
    if grey.shape != (_ROWS * cell, _COLUMNS * cell):
        return None
    edge = cell // 4  # which a codec blurs
    squares = grey.reshape(_ROWS, cell, _COLUMNS, cell)[:, edge : cell - edge, :, edge : cell - edge]
    values = squares.mean(axis=(1, 3)).reshape(-1)
    bits = values > (values.min() + values.max()) / 2
    number = int("".join("1" if bit else "0" for bit in bits[:-_CHECK_BITS]), 2)
    return number if np.array_equal(bits, _bits(number)) else None


def _cell(image: np.ndarray) -> int:
    """Pixels of a square's side."""
    return max(1, image.shape[1] // _WIDTH_IN_CELLS)


def _bits(number: int) -> np.ndarray:
    """The code of a number: uint8[24], of which the last eight are its check."""
    data = int(number % NUMBERS).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(data + bytes([crc24(data) & 0xFF]), np.uint8))
