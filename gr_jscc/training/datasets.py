"""The kinds of data a recipe can name, behind one shape: training pictures without end, and some held out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor
from torch.utils.data import Dataset

from gr_jscc.training.cifar import ShiftedPictures, read_cifar10
from gr_jscc.training.data import RandomCrops, read_photos
from gr_jscc.training.recipe import RecipeError


class TrainingData(Protocol):
    """Attributes: sample: pictures that a network's start is fitted to."""

    sample: int

    def crops(self, count: int, seed: int) -> Dataset:
        """``count`` training pictures float32[3, crop, crop] in [0, 1]."""

    def held_out(self, folders: list[Path]) -> list[Tensor]:
        """Pictures uint8[3, H, W] for validation."""


class Photos:
    """Any folders of images."""

    sample = 256

    def __init__(self, folders: list[Path], crop: int) -> None:
        self.photos, self.crop = read_photos(folders, crop), crop

    def crops(self, count: int, seed: int) -> RandomCrops:
        return RandomCrops(self.photos, self.crop, count, seed)

    def held_out(self, folders: list[Path]) -> list[Tensor]:
        return read_photos(folders)


class Cifar10:
    """CIFAR-10; the crop is always the whole picture, and validation never touches the test set."""

    sample = 4000

    def __init__(self, folders: list[Path], crop: int) -> None:
        self.pictures = read_cifar10(folders, "train")

    def crops(self, count: int, seed: int) -> ShiftedPictures:
        return ShiftedPictures(self.pictures, count, seed)

    def held_out(self, folders: list[Path]) -> list[Tensor]:
        return list(read_cifar10(folders, "validation"))


DATASETS = {"photos": Photos, "cifar10": Cifar10}


def open_dataset(name: str, folders: list[Path], crop: int) -> TrainingData:
    """The training data that a recipe names.

    Raises:
        RecipeError: unknown name.
        DataError: nothing usable in the folders.
    """
    if name not in DATASETS:
        raise RecipeError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name](folders, crop)
