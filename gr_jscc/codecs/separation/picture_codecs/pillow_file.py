"""Pictures as files in memory, by Pillow, and files without the beginning that every file of a size shares."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError

__all__ = ["plain_file", "read_file", "write_file"]


def write_file(image: np.ndarray, kind: str, **options: object) -> bytes:
    """uint8[H, W, 3] as a file of one of Pillow's formats."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def plain_file(height: int, width: int, kind: str, **options: object) -> bytes:
    """The file of a picture of one colour: its beginning is that of every picture of the size and the options."""
    return write_file(np.zeros((height, width, 3), np.uint8), kind, **options)


def read_file(data: bytes, kind: str, height: int, width: int) -> np.ndarray:
    """The picture in a file: uint8[height, width, 3].

    Raises:
        DamagedPictureError: it is of another size.
        Exception: whatever Pillow raises, when it is none.
    """
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        if image.size == (width, height):
            return np.array(image.convert("RGB"))
    raise DamagedPictureError(f"not a {kind} picture of {width}x{height}")
