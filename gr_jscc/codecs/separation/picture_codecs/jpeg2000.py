"""JPEG 2000 with the irreversible wavelet, by Pillow and OpenJPEG.

What is sent is the tile of a bare codestream; its main header follows from the picture's size.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError, PictureCodec
from gr_jscc.codecs.separation.picture_codecs.pillow_file import plain_file, read_file, write_file

__all__ = ["Jpeg2000"]

TILE = b"\xff\x90"  # start of tile-part
TILE_HEADER = struct.Struct(">2sHHIBB2s")  # with its length, tile, length of all, part, parts, and start of data
DATA = b"\xff\x93"  # start of data
END = b"\xff\xd9"
STEP = 1.015


class Jpeg2000(PictureCodec):
    """Settings are compression ratios; the rate control within OpenJPEG meets them closely.

    Example:
        >>> image = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
        >>> len(Jpeg2000().encode(image, setting=100.0)) < len(Jpeg2000().encode(image, setting=4.0)) < image.size / 4
        True
    """

    name = "jpeg2000"
    ladder: list[float] = [round(2000 / STEP**step, 3) for step in range(510)]
    typical = (243, 0.45)
    growth = float(np.log(STEP))

    @property
    def fingerprint(self) -> bytes:
        return _main_header(64, 64)

    def encode(self, image: np.ndarray, setting: float) -> bytes:
        header = _main_header(*image.shape[:2])
        file = write_file(image, "JPEG2000", **_options(*image.shape[:2], setting))
        if not file.startswith(header):
            raise RuntimeError("OpenJPEG wrote different main headers for two pictures of the same size")
        return file[len(header) :]

    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        # One tile in one part, without a header of its own, which might ask for millions of precincts.
        head = TILE_HEADER.pack(TILE, 10, 0, max(0, len(data) - len(END)), 0, 1, DATA)
        if not data.startswith(head) or not data.endswith(END):
            raise DamagedPictureError("not a tile of a JPEG 2000 picture")
        return read_file(_main_header(height, width) + data, "JPEG2000", height, width)


def _options(height: int, width: int, ratio: float) -> dict:
    halvings = min(5, min(height, width).bit_length() - 1)
    return {
        "no_jp2": True, "irreversible": True, "mct": 1, "quality_mode": "rates", "quality_layers": [ratio],
        "num_resolutions": halvings + 1,
    }  # fmt: skip


@lru_cache(maxsize=64)
def _main_header(height: int, width: int) -> bytes:
    file = plain_file(height, width, "JPEG2000", **_options(height, width, 20))
    return file[: file.index(TILE)]
