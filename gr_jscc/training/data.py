"""Photos as training crops: any folder of images, held in memory, drawn reproducibly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from gr_jscc.errors import UserError

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm"}


class DataError(UserError):
    """A data folder is missing or holds no usable image."""


def image_files(folders: Iterable[Path]) -> list[Path]:
    """All image files below the folders, sorted.

    Raises:
        DataError: a folder is missing, or none holds an image.
    """
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"data folder not found: {folder}")
        files += sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not files:
        raise DataError(f"no images in {', '.join(map(str, folders))}")
    return files


def read_photos(folders: Iterable[Path], smallest: int = 0) -> list[Tensor]:
    """Photos as uint8[3, H, W] tensors; those with a side below ``smallest`` pixels are left out.

    Raises:
        DataError: nothing usable.
    """
    photos = []
    for path in image_files(folders):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        if min(pixels.shape[:2]) >= smallest:
            photos.append(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    if not photos:
        raise DataError(f"no photo has both sides of at least {smallest} pixels")
    return photos


class RandomCrops(Dataset):
    """Item i is a crop float32[3, crop, crop] in [0, 1]; the same for the same seed and i, wherever drawn.

    A crop is cut at 1 to 2 times its size and scaled down (which also washes out JPEG artefacts),
    then flipped and turned at random.

    Args:
        photos: from `read_photos`, drawn in proportion to their area.
        crop: side in pixels.
        count: length of the data set.
        seed: of all draws.
    """

    def __init__(self, photos: list[Tensor], crop: int, count: int, seed: int) -> None:
        self.photos, self.crop, self.count, self.seed = photos, crop, count, seed
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
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        cut = photo[:, top : top + side, left : left + side].float() / 255
        if side != self.crop:
            size = (self.crop, self.crop)
            cut = F.interpolate(cut[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
        if rng.random() < 0.5:
            cut = cut.flip(2)
        return torch.rot90(cut, int(rng.integers(4)), (1, 2)).contiguous()
