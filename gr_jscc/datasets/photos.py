"""Photos as training crops: any folder of images, held in memory, drawn reproducibly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from gr_jscc.errors import UserError
from gr_jscc.files.left_out import left_out_line, why
from gr_jscc.imaging import IMAGE_SUFFIXES, ImageError, load_image

Say = Callable[[str], None]
EXACT = 1e-10  # squared error, of values in [0, 1], that counts for pictures without any: 100 dB
ENLARGED = 0.4, 1.0  # sides of what becomes an enlarged crop, over the crop's


class DataError(UserError):
    """A data folder is missing or holds no usable image.

    Example:
        >>> read_photos([Path("nowhere")])
        Traceback (most recent call last):
            ...
        gr_jscc.datasets.photos.DataError: data folder not found: nowhere
    """


def silent(line: str) -> None:
    """A `Say` that nobody listens to."""


def image_files(folders: Iterable[Path]) -> list[Path]:
    """All that is called an image below the folders, sorted.

    Raises:
        DataError: a folder is missing, or none holds an image.
    """
    folders = list(folders)
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"data folder not found: {folder}")
        files += sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"no images in {', '.join(map(str, folders))}")
    return files


def read_photos(
    folders: Iterable[Path], smallest: int = 1, say: Say = silent, what: str = "training images"
) -> list[Tensor]:
    """Photos as uint8[3, H, W] tensors, with the very pixels that are sent (see `gr_jscc.imaging`).

    Args:
        folders: they and their folders are searched.
        smallest: pixels; photos with a smaller side are left out.
        say: told in one line what is left out.
        what: the images are, for that line.

    Raises:
        DataError: nothing usable.
    """
    folders = list(folders)
    photos: list[Tensor] = []
    left_out: list[tuple[Path, str]] = []
    files = image_files(folders)
    for path in files:
        if _is_hidden(path, folders):
            left_out.append((path, "hidden"))
            continue
        try:
            pixels = load_image(path)
        except ImageError as error:
            left_out.append((path, why(path, error)))
            continue
        height, width = pixels.shape[:2]
        if min(height, width) < smallest:
            left_out.append((path, f"{width}×{height}, below {smallest} pixels a side"))
            continue
        photos.append(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    if not photos:
        raise DataError(f"no usable {what}; {left_out_line(left_out, len(files), what)}")
    if left_out:
        say(left_out_line(left_out, len(files), what))
    return photos


def _is_hidden(path: Path, folders: list[Path]) -> bool:
    """Whether it, or a folder between it and the one that was named, begins with a dot."""
    inside = (path.relative_to(folder) for folder in folders if path.is_relative_to(folder))
    return any(part.startswith(".") for relative in inside for part in relative.parts)


class RandomCrops(Dataset):
    """Item i is a crop float32[3, crop, crop] in [0, 1]; the same for the same seed and i, wherever drawn.

    A crop is cut at 1 to 2 times its size and scaled down (which also washes out JPEG artefacts),
    then flipped and turned at random. Photos are sharp from pixel to pixel then, as those of large cameras are not:
    some crops may be enlarged, from 0.4 to 1 times their size.

    Args:
        photos: from `read_photos`, drawn in proportion to their area.
        crop: side in pixels.
        count: length of the data set.
        seed: of all draws.
        enlarged: share of the crops that are enlarged.

    Example:
        >>> crops = RandomCrops([torch.zeros(3, 80, 100, dtype=torch.uint8)], crop=64, count=1000, seed=1)
        >>> len(crops), crops[7].shape
        (1000, torch.Size([3, 64, 64]))
    """

    def __init__(self, photos: list[Tensor], crop: int, count: int, seed: int, enlarged: float = 0.0) -> None:
        self.photos, self.crop, self.count, self.seed, self.enlarged = photos, crop, count, seed, enlarged
        area = np.array([p.shape[1] * p.shape[2] for p in photos], float)
        self.share = area / area.sum()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng([self.seed, index])
        photo = self.photos[rng.choice(len(self.photos), p=self.share)]
        height, width = photo.shape[1:]
        largest = min(2.0, min(height, width) / self.crop)
        side = int(self.crop * rng.uniform(1.0, largest)) if rng.random() < 0.7 else self.crop
        if self.enlarged and rng.random() < self.enlarged:
            side = int(self.crop * rng.uniform(*ENLARGED))
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        cut = photo[:, top : top + side, left : left + side].float() / 255
        if side != self.crop:
            size = (self.crop, self.crop)
            mode = "bilinear" if side > self.crop else "bicubic"  # which overshoots
            cut = F.interpolate(cut[None], size, mode=mode, antialias=True, align_corners=False)[0].clamp(0, 1)
        if rng.random() < 0.5:
            cut = cut.flip(2)
        return torch.rot90(cut, int(rng.integers(4)), (1, 2)).contiguous()
