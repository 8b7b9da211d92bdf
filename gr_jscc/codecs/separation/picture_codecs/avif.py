"""AVIF in 4:4:4, tuned for PSNR, by Pillow, libavif and libaom.

What is sent is the AV1 still picture; the container around it follows from its length and the picture's size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import features

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError, PictureCodec
from gr_jscc.codecs.separation.picture_codecs.pillow_file import plain_file, read_file, write_file

__all__ = ["Avif"]

FRAME = 6 << 3 | 2  # first byte of a frame that tells its length
OPTIONS = {"subsampling": "4:4:4", "speed": 5, "max_threads": 1, "codec": "aom", "advanced": {"tune": "psnr"}}


class Avif(PictureCodec):
    """Settings are Pillow's qualities.

    Raises:
        CodecError: the Pillow of this machine reads or writes no AVIF.

    Example:
        >>> image = np.full((24, 40, 3), 90, np.uint8)
        >>> data = Avif().encode(image, setting=60)
        >>> Avif().decode(data, 24, 40).shape
        (24, 40, 3)
        >>> Avif().decode(data[:-1], 24, 40)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.separation.picture_codecs.base.DamagedPictureError: not an AV1 still picture
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
        container, (_, before) = _container(*image.shape[:2], len(picture)), _plain_beginning(*image.shape[:2])
        if file != container + picture or not picture.startswith(before):
            raise RuntimeError("libavif wrote different headers for two pictures of the same size")
        return picture

    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        # The decoder goes by the size in AV1's own header, whatever the container says of it.
        _, before = _plain_beginning(height, width)
        if not data.startswith(before) or not _is_frame(data[len(before) :]):
            raise DamagedPictureError("not an AV1 still picture")
        return read_file(_container(height, width, len(data)) + data, "AVIF", height, width)


def _container(height: int, width: int, length: int) -> bytes:
    """All that comes before a picture of so many bytes: `iloc` and `mdat` tell the length, `iloc` in its last bytes."""
    plain, _ = _plain_beginning(height, width)
    place = plain.index(b"iloc")
    size = int.from_bytes(plain[place - 4 : place], "big")
    end = place - 4 + size
    parts = plain[: end - 4], length.to_bytes(4, "big"), plain[end:-8], (length + 8).to_bytes(4, "big"), plain[-4:]
    return b"".join(parts)


@lru_cache(maxsize=64)
def _plain_beginning(height: int, width: int) -> tuple[bytes, bytes]:
    """Of a picture of one colour: the container, and what AV1 has before the frame (delimiter, sequence header)."""
    file = plain_file(height, width, "AVIF", quality=50, **OPTIONS)
    start = file.index(b"mdat") + 4
    frame = start
    while file[frame] != FRAME:
        frame += 2 + file[frame + 1]  # the length of what comes before is one byte
    return file[:start], file[start:frame]


def _is_frame(data: bytes) -> bool:
    """Whether bytes are one frame of AV1 and nothing else: its type and its length (LEB128) say so."""
    length = 0
    for place, byte in enumerate(data[1:9]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return data[0] == FRAME and length == len(data) - place - 2
    return False
