"""CIFAR-10 (Krizhevsky 2009) as training pictures: from its binary version, or from mosaics."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from gr_jscc.datasets.photos import DataError
from gr_jscc.imaging import load_image

SIDE = 32
HELD_OUT = 1000  # last training pictures, for validation: the test set is for figures only
PADDING = 4  # pixels that a training crop may be shifted by


def read_cifar10(folders: Iterable[Path], part: str) -> Tensor:
    """Pictures uint8[N, 3, 32, 32] in the canonical order.

    Two layouts are read: the binary version of the data set (``data_batch_1.bin`` …, ``test_batch.bin``), and
    lossless mosaics of 40 × 25 pictures (``train_00.webp`` … ``test_09.webp``). A file
    ``labels_and_exact_mask.npz`` beside mosaics tells which pictures are exact; the others are left out.

    Args:
        folders: the first one that holds either layout is read.
        part: ``train``, ``validation`` (the last `HELD_OUT` training pictures) or ``test``.

    Raises:
        DataError: no folder holds CIFAR-10, or a file of it is damaged.
    """
    stem, batch = ("test", "test_batch") if part == "test" else ("train", "data_batch_*")
    for folder in folders:
        mosaics, binaries = sorted(folder.glob(f"{stem}_*.webp")), sorted(folder.glob(f"{batch}.bin"))
        if not mosaics and not binaries:
            continue
        try:
            pictures = np.concatenate([_mosaic(p) for p in mosaics] or [_binary(p) for p in binaries])
            mask = folder / "labels_and_exact_mask.npz"
            if mosaics and mask.is_file():
                pictures = pictures[np.load(mask)[f"exact_{stem}"]]
        except (OSError, ValueError, IndexError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"damaged CIFAR-10 in {folder}: {error}") from error
        if len(pictures) <= (0 if part == "test" else HELD_OUT):
            raise DataError(f"CIFAR-10 in {folder} holds only {len(pictures)} pictures for {part}")
        if part != "test":
            pictures = pictures[-HELD_OUT:] if part == "validation" else pictures[:-HELD_OUT]
        return torch.from_numpy(np.ascontiguousarray(pictures))
    raise DataError(f"no CIFAR-10 (data_batch_*.bin or train_*.webp) in {', '.join(map(str, folders))}")


def _mosaic(path: Path) -> np.ndarray:
    cells = load_image(path).reshape(25, SIDE, 40, SIDE, 3)
    return cells.transpose(0, 2, 4, 1, 3).reshape(-1, 3, SIDE, SIDE)


def _binary(path: Path) -> np.ndarray:
    records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 1 + 3 * SIDE * SIDE)
    return records[:, 1:].reshape(-1, 3, SIDE, SIDE)


class ShiftedPictures(Dataset):
    """Item i is a picture float32[3, 32, 32] in [0, 1], shifted by up to `PADDING` pixels and flipped at random.

    The same for the same seed and i, wherever drawn.

    Args:
        pictures: uint8[N, 3, 32, 32].
        count: length of the data set.
        seed: of all draws.

    Example:
        >>> pictures = ShiftedPictures(torch.zeros(5, 3, SIDE, SIDE, dtype=torch.uint8), count=100, seed=1)
        >>> len(pictures), pictures[99].shape
        (100, torch.Size([3, 32, 32]))
    """

    def __init__(self, pictures: Tensor, count: int, seed: int) -> None:
        self.pictures, self.count, self.seed = pictures, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng([self.seed, index])
        which, top, left, flip = rng.integers((len(self.pictures), 2 * PADDING + 1, 2 * PADDING + 1, 2))
        picture = self.pictures[which].float() / 255
        picture = F.pad(picture, (PADDING,) * 4, mode="reflect")[:, top : top + SIDE, left : left + SIDE]
        return picture.flip(2) if flip else picture.contiguous()
