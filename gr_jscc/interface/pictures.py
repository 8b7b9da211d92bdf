"""The pictures that a user hands over: files, arrays and Pillow images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from gr_jscc.files.names import readable
from gr_jscc.imaging import ImageError, expand_inputs, image_array, load_image

Picture: TypeAlias = str | os.PathLike | np.ndarray | Image.Image


def read_picture(picture: Picture, name: str = "") -> tuple[str, np.ndarray]:
    """A picture's name and its pixels.

    Args:
        picture: a file's path, uint8[H, W, 3], or a Pillow image.
        name: of it; "" for the file's, or ``picture``.

    Returns:
        The name, and uint8[H, W, 3].

    Raises:
        ImageError: it cannot be read, or is no picture.

    Example:
        >>> read_picture(np.zeros((32, 48, 3), np.uint8))[1].shape
        (32, 48, 3)
    """
    if isinstance(picture, str | os.PathLike):
        return name or readable(Path(picture).name), load_image(picture)
    if isinstance(picture, Image.Image):
        name = name or readable(Path(getattr(picture, "filename", "") or "picture").name)
        return name, image_array(picture, name)
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        what = f"{pixels.dtype}{list(pixels.shape)}" if pixels.dtype != object else type(picture).__name__
        raise ImageError(f"{name or 'picture'}: a picture is a path, a Pillow image or uint8[H, W, 3], not {what}")
    return name or "picture", np.ascontiguousarray(pixels)


def named_pictures(pictures: Picture | Iterable[Picture] | Mapping[str, Picture]) -> list[tuple[str, Picture]]:
    """Names and pictures for `read_picture`, of which none is read yet.

    Args:
        pictures: one, or several; a folder stands for the images in it. Arrays have names where they come in a
            mapping, and are numbered elsewhere.

    Raises:
        ImageError: a file or folder is not there, or holds no picture.

    Example:
        >>> named_pictures({"black": np.zeros((32, 48, 3), np.uint8)})[0][0]
        'black'
    """
    if isinstance(pictures, Mapping):
        return list(pictures.items())
    if isinstance(pictures, str | os.PathLike | np.ndarray | Image.Image):
        pictures = [pictures]
    found: list[tuple[str, Picture]] = []
    for number, picture in enumerate(pictures, 1):
        if isinstance(picture, str | os.PathLike):
            found += [("", path) for path in expand_inputs([picture])]
        else:
            found.append(("" if getattr(picture, "filename", "") else f"picture-{number}", picture))
    return found
