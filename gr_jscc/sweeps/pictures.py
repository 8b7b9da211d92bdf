"""The pictures of an experiment's image sets, found again by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.files.left_out import left_out_line
from gr_jscc.files.names import readable
from gr_jscc.imaging import expand_inputs, load_image
from gr_jscc.sweeps.experiment import ExperimentError, ImageSet


@dataclass(frozen=True)
class Picture:
    """One picture of a set.

    Attributes:
        name: of its file, or made up where there is none.
        hash: of its size and pixels, 16 hexadecimal digits.
        read: returns it, uint8[H, W, 3].
        size: height and width, pixels.

    Example:
        >>> (picture,) = read_set(ImageSet(name="demo", kind="demo", crop=64), data=None, remarks=[])
        >>> picture.size, picture.read().shape, len(picture.hash)
        ((64, 64), (64, 64, 3), 16)
    """

    name: str
    hash: str
    read: Callable[[], np.ndarray]
    size: tuple[int, int]


def read_set(images: ImageSet, data: Path | None, remarks: list[str]) -> list[Picture]:
    """The pictures of a set.

    Args:
        images: which.
        data: folder that relative paths are under; None for where the program runs.
        remarks: gets a line about those that cannot be read or are too small for the set's crops.

    Raises:
        UserError: not there, or none of it is usable.
    """
    readers = list(_readers(images, _folder(images, data)))
    if images.count:
        readers = [readers[i * len(readers) // images.count] for i in range(min(images.count, len(readers)))]
    found: list[Picture] = []
    left_out: list[tuple[Path, str]] = []
    for name, read in readers:
        cut = partial(_cropped, read, images.crop)
        try:
            picture = cut()
        except UserError as error:
            left_out.append((Path(name), str(error).rpartition(f"{name}: ")[2]))
            continue
        found.append(Picture(name, picture_hash(picture), cut, picture.shape[:2]))
    if left_out:
        line = f"image set {images.name!r}: {left_out_line(left_out, len(readers))}"
        if not found:
            raise UserError(line)
        remarks.append(line)
    return found


def picture_hash(picture: np.ndarray) -> str:
    """What tells one uint8[H, W, 3] from another, 16 hexadecimal digits."""
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:16]


def _folder(images: ImageSet, data: Path | None) -> Path:
    folder = Path(images.path or images.name)
    return folder if data is None else data / folder


def _readers(images: ImageSet, folder: Path) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    if images.kind == "demo":
        yield Path(demo_image()).name, partial(load_image, demo_image())
        return
    if not folder.is_dir():
        raise ExperimentError(
            f"image set {images.name!r}: folder not found: {folder}; --data gives the folder that holds it"
        )
    if images.kind == "cifar10":
        from gr_jscc.datasets.cifar import read_cifar10

        for number, picture in enumerate(read_cifar10([folder], "test").permute(0, 2, 3, 1).numpy()):
            yield f"cifar10-{number:05d}.png", partial(np.array, picture, order="C")
        return
    for path in expand_inputs([folder / name for name in images.pictures] or [folder]):
        yield readable(path.name), partial(load_image, path)


def _cropped(read: Callable[[], np.ndarray], side: int) -> np.ndarray:
    picture = read()
    height, width = picture.shape[:2]
    if not side:
        return picture
    if min(height, width) < side:
        raise UserError(f"{width}x{height} is too small for crops of {side} pixels")
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])
