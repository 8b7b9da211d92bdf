"""AVIF in 4:4:4, tuned for PSNR, by Pillow, libavif and libaom.

What is sent is the AV1 still picture; the container around it follows from its length and the picture's size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import features

from gr_jscc.codecs.base import CodecError

from .base import PictureCodec
from .pillow_file import plain_file, read_file, write_file

__all__ = ["Avif"]

OPTIONS = {"subsampling": "4:4:4", "speed": 5, "max_threads": 1, "codec": "aom", "advanced": {"tune": "psnr"}}


class Avif(PictureCodec):
    """Settings are Pillow's qualities.

    Raises:
        CodecError: the Pillow of this machine reads or writes no AVIF.
    """

    name = "avif"
    ladder = range(101)
    typical = (55, 0.6)
    growth = 0.04

    def __init__(self) -> None:
        if not features.check("avif"):
            raise CodecError("this Pillow was built without AVIF: pip install -U pillow, or choose hevc")

    @property
    def fingerprint(self) -> bytes:
        return _container(64, 64, 0)

    def encode(self, image: np.ndarray, setting: int) -> bytes:
        file = write_file(image, "AVIF", quality=setting, **OPTIONS)
        picture = file[file.index(b"mdat") + 4 :]
        if file != _container(*image.shape[:2], len(picture)) + picture:
            raise RuntimeError("libavif wrote another container for another picture of the same size")
        return picture

    def decode(self, data: bytes, height: int, width: int) -> np.ndarray:
        return read_file(_container(height, width, len(data)) + data, "AVIF", height, width)


def _container(height: int, width: int, length: int) -> bytes:
    """All that comes before a picture of so many bytes: `iloc` and `mdat` tell the length, `iloc` in its last bytes."""
    plain = _plain_container(height, width)
    place = plain.index(b"iloc")
    size = int.from_bytes(plain[place - 4 : place], "big")
    end = place - 4 + size
    parts = plain[: end - 4], length.to_bytes(4, "big"), plain[end:-8], (length + 8).to_bytes(4, "big"), plain[-4:]
    return b"".join(parts)


@lru_cache(maxsize=64)
def _plain_container(height: int, width: int) -> bytes:
    file = plain_file(height, width, "AVIF", quality=50, **OPTIONS)
    return file[: file.index(b"mdat") + 4]
