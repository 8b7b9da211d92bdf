"""JPEG, progressive and with Huffman tables of its own, by Pillow and libjpeg.

What is sent is the quality and what follows the quantisation tables and the frame header, which follow from it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError, PictureCodec
from gr_jscc.codecs.separation.picture_codecs.pillow_file import plain_file, read_file, write_file

__all__ = ["Jpeg"]

TABLES = b"\xff\xc4"  # define Huffman tables
SCAN = b"\xff\xda"  # start of scan
SCANS = 10  # that libjpeg makes of a colour picture
QUALITIES = range(1, 96)
SUBSAMPLINGS = ("4:2:0", "4:4:4")

# (which of `SUBSAMPLINGS`, quality)
Setting = tuple[int, int]


class Jpeg(PictureCodec):
    """Whether chroma is sent in full is decided by what has the least error.

    Example:
        >>> image = np.full((24, 40, 3), 90, np.uint8)
        >>> data = Jpeg().encode(image, setting=(0, 50))
        >>> SUBSAMPLINGS[data[0] >> 7], data[0] & 127
        ('4:2:0', 50)
        >>> Jpeg().decode(data, 24, 40).shape
        (24, 40, 3)
    """

    name = "jpeg"
    ladder: list[Setting] = [(0, quality) for quality in QUALITIES]
    typical = (39, 0.75)
    growth = 0.02

    @property
    def fingerprint(self) -> bytes:
        return _head(64, 64, (0, 50))

    def between(self, index: int) -> list[list[Setting]]:
        return [[(1, quality) for _, quality in self.ladder[: index + 1]]]

    def encode(self, image: np.ndarray, setting: Setting) -> bytes:
        head = _head(*image.shape[:2], setting)
        file = write_file(image, "JPEG", **_options(setting))
        if not file.startswith(head):
            raise RuntimeError("libjpeg wrote different headers for two pictures of the same size")
        return bytes([setting[0] << 7 | setting[1]]) + file[len(head) :]

    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        setting = (data[0] >> 7, data[0] & 0x7F) if data else (0, 0)
        # A few bytes are a scan, and each is a pass over the whole picture.
        if setting[1] not in QUALITIES or not data[1:].startswith(TABLES) or data.count(SCAN) > SCANS:
            raise DamagedPictureError("not a JPEG picture")
        return read_file(_head(height, width, setting) + data[1:], "JPEG", height, width)


def _options(setting: Setting) -> dict:
    subsampling, quality = setting
    return {"quality": quality, "subsampling": SUBSAMPLINGS[subsampling], "optimize": True, "progressive": True}


@lru_cache(maxsize=256)
def _head(height: int, width: int, setting: Setting) -> bytes:
    file = plain_file(height, width, "JPEG", **_options(setting))
    return file[: file.index(TABLES)]
