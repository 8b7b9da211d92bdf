"""Recipes: TOML files that say everything about a training run but where its data and output lie."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.files.names import safe_name
from gr_jscc.files.toml import read_named
from gr_jscc.plugins import absolute_place
from gr_jscc.weights import shipped_models

FOLDER = Path(__file__).parent / "recipes"
PRECISIONS = ("bfloat16", "float32")
MOST = 1e36  # of rates: what optimisers make of more does not fit single precision
LARGEST = 2**63 - 1  # of whole numbers, as TOML has them


class RecipeError(UserError):
    """A recipe cannot be read or holds something unknown; the message is one line for a person.

    Example:
        >>> Recipe("mine", "deepjscc", steps=0)
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: steps must be at least 1 and below 2⁶³, not 0
    """


@dataclass(frozen=True)
class Recipe:
    """One training run. A plain dataclass, as a machine that only trains need not have pydantic.

    Attributes:
        model: name of the weights it makes.
        codec: codec they are for; of one from outside its class, see `gr_jscc.codecs.registry.codec_class`. A file's
            path is relative to the recipe's folder.
        network: keyword arguments of the codec's network.
        task: keyword arguments of the codec's training task (losses, SNR range, rates …).
        steps: optimiser steps in all.
        batch: images a step, over all processes.
        dataset: what the data folders hold: ``photos`` or ``cifar10``.
        start_from: the model whose weights the network starts from, see `gr_jscc.training.start`; empty for none.
        crop: side of the square training crops, pixels.
        enlarged: share of the crops of photos that are enlarged, see `gr_jscc.datasets.photos.RandomCrops`.
        optimiser: ``adamw``, or ``muon`` for the kernels and AdamW for the rest.
        learning_rate: peak; linear warm-up, then a cosine down to ``final_learning_rate``.
        final_learning_rate: at the last step.
        warmup: steps.
        weight_decay: AdamW's.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are what is validated and exported.
        precision: ``bfloat16`` (autocast) or ``float32``.
        compact: whether the weights are exported in eight bits, see `gr_jscc.weights.compact`.
        differences: the model that ships from whose weights theirs are exported as differences, in four bits, see
            `gr_jscc.weights.difference`; empty for none.
        rounded: share of the steps, the last ones, that are taken with weights as these four bits give them.
        checkpoint_every, validate_every: steps.
        seed: of everything random.

    Example:
        >>> Recipe("mine", "deepjscc", steps=1000).learning_rate
        0.0005
        >>> Recipe("mine", "deepjscc", ema=1.0)
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: ema must be from 0 to below 1, not 1.0
    """

    model: str
    codec: str
    network: dict = field(default_factory=dict)
    task: dict = field(default_factory=dict)
    steps: int = 100_000
    batch: int = 16
    dataset: str = "photos"
    start_from: str = ""
    crop: int = 256
    enlarged: float = 0.0
    optimiser: str = "adamw"
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-5
    warmup: int = 200
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    precision: str = "bfloat16"
    compact: bool = False
    differences: str = ""
    rounded: float = 0.0
    checkpoint_every: int = 500
    validate_every: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        """Raises RecipeError for values that no run can have."""
        letters = all(letter.isalnum() or letter in "-_." for letter in self.model)
        if safe_name(self.model) != self.model or not letters:  # files are called after it
            raise RecipeError(f"model must be a name of letters, digits, -, _ and dots, not {self.model[:200]!r}")
        for key in ("steps", "batch", "crop", "checkpoint_every", "validate_every"):
            if not 1 <= getattr(self, key) <= LARGEST:
                raise RecipeError(f"{key} must be at least 1 and below 2⁶³, not {getattr(self, key)}")
        for key in ("learning_rate", "final_learning_rate", "clip"):
            if not 0 < getattr(self, key) < MOST:
                raise RecipeError(f"{key} must be above 0 and below {MOST:g}, not {getattr(self, key)}")
        for key in ("warmup", "weight_decay", "seed"):
            if not 0 <= getattr(self, key) <= LARGEST:
                raise RecipeError(f"{key} must be at least 0 and below 2⁶³, not {getattr(self, key)}")
        if not 0 <= self.ema < 1:
            raise RecipeError(f"ema must be from 0 to below 1, not {self.ema}")
        if not 0 <= self.enlarged <= (self.dataset == "photos"):
            raise RecipeError(f"enlarged must be from 0 to 1, with photos, not {self.enlarged}")
        if not 0 <= self.rounded <= bool(self.differences):
            raise RecipeError(f"rounded must be from 0 to 1, with differences, not {self.rounded}")
        if self.precision not in PRECISIONS:
            raise RecipeError(f"unknown precision {self.precision!r}; known: {', '.join(PRECISIONS)}")
        if self.differences and (self.compact or self.differences not in shipped_models()):
            raise RecipeError("differences are from a model that ships, by its name, and need no compact")


def load_recipe(name: str | Path) -> Recipe:
    """Reads a shipped recipe by name, or a TOML file by path.

    Raises:
        RecipeError: not found, not TOML, an unknown key, or a value of the wrong type or that no run can have.
    """
    shipped = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}
    path, values = read_named("recipe", name, shipped, RecipeError)
    fields = {f.name: f for f in dataclasses.fields(Recipe)}
    types = {"str": str, "int": int, "float": (int, float), "dict": dict, "bool": bool}
    for key, value in values.items():
        if key not in fields:
            raise RecipeError(f"{path}: unknown key {key!r}; known: {', '.join(fields)}")
        wanted = fields[key].type
        if not isinstance(value, types[wanted]) or isinstance(value, bool) != (wanted == "bool"):
            raise RecipeError(f"{path}: {key} must be {wanted}, not {value!r}")
    missing = [key for key in ("model", "codec") if key not in values]
    if missing:
        raise RecipeError(f"{path}: {missing[0]} is missing")
    values["codec"] = absolute_place(values["codec"], path.parent)
    try:
        return Recipe(**values)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
