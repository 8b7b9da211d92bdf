"""The kinds of data a recipe can name, behind one shape: training pictures without end, and some held out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor
from torch.utils.data import Dataset

from gr_jscc.datasets.cifar import SIDE, ShiftedPictures, read_cifar10
from gr_jscc.datasets.photos import RandomCrops, Say, read_photos, silent
from gr_jscc.training.recipe import RecipeError


class TrainingData(Protocol):
    """What the loop asks of a data set.

    Attributes:
        sample: pictures that a network's start is fitted to.
        crop: side of its training pictures, pixels.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> data = open_dataset("photos", [Path(demo_image()).parent], crop=64)
        >>> data.crop, data.sample, len(data.crops(count=10, seed=1))
        (64, 256, 10)
    """

    sample: int
    crop: int

    def crops(self, count: int, seed: int, enlarged: float = 0.0) -> Dataset:
        """``count`` training pictures float32[3, crop, crop] in [0, 1]; ``enlarged``: share of photos' that are."""

    def held_out(self, folders: list[Path], smallest: int = 1) -> list[Tensor]:
        """Pictures uint8[3, H, W] for validation, with no side below ``smallest`` pixels.

        Raises:
            DataError: there is none.
        """


class Photos:
    """Any folders of images; those for training lie on the device that cuts crops of them.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> photos = Photos([Path(demo_image()).parent], crop=64)
        >>> len(photos.photos), photos.crops(count=10, seed=1)[0].shape
        (1, torch.Size([3, 64, 64]))
    """

    sample = 256

    def __init__(self, folders: list[Path], crop: int, say: Say = silent, device: str = "cpu") -> None:
        self.photos = [photo.to(device) for photo in read_photos(folders, crop, say)]
        self.crop, self.say = crop, say

    def crops(self, count: int, seed: int, enlarged: float = 0.0) -> RandomCrops:
        return RandomCrops(self.photos, self.crop, count, seed, enlarged)

    def held_out(self, folders: list[Path], smallest: int = 1) -> list[Tensor]:
        return read_photos(folders, smallest, self.say, "validation images")


class Cifar10:
    """CIFAR-10; the crop is always the whole picture, and validation never touches the test set.

    Example:
        >>> Cifar10.crop, Cifar10.sample
        (32, 4000)
        >>> Cifar10([Path("nowhere")], crop=32)
        Traceback (most recent call last):
            ...
        gr_jscc.datasets.photos.DataError: no CIFAR-10 (data_batch_*.bin or train_*.webp) in nowhere
    """

    sample = 4000
    crop = SIDE

    def __init__(self, folders: list[Path], crop: int, say: Say = silent, device: str = "cpu") -> None:
        self.pictures = read_cifar10(folders, "train").to(device)

    def crops(self, count: int, seed: int, enlarged: float = 0.0) -> ShiftedPictures:
        return ShiftedPictures(self.pictures, count, seed)

    def held_out(self, folders: list[Path], smallest: int = 1) -> list[Tensor]:
        return list(read_cifar10(folders, "validation"))


DATASETS = {"photos": Photos, "cifar10": Cifar10}


def open_dataset(name: str, folders: list[Path], crop: int, say: Say = silent, device: str = "cpu") -> TrainingData:
    """The training data that a recipe names.

    Args:
        name: one of `DATASETS`.
        folders: that hold it.
        crop: side of training crops, pixels.
        say: told what of the folders is left out.
        device: where the pictures lie and crops are cut.

    Raises:
        RecipeError: unknown name.
        DataError: nothing usable in the folders.
    """
    if name not in DATASETS:
        raise RecipeError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name](folders, crop, say, device)
