"""All that a run changes: the network, its average, the optimiser and the step, from and to checkpoints."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn

from gr_jscc.datasets.photos import Say
from gr_jscc.errors import UserError
from gr_jscc.training.checkpoint import (
    CheckpointError,
    checkpoints,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.rounding import stored_finely
from gr_jscc.training.schedule import optimiser_of
from gr_jscc.training.tasks import JudgedTask, Task, codec_name
from gr_jscc.weights import ModelFile, read_any_model, write_model

ELSEWHERE = "; choose another folder with --out"
PATIENCE = 50  # steps in a row without a finite loss or gradient, that no bad picture explains


class DivergedError(UserError):
    """Training has come to where there is no way on.

    Example:
        >>> from gr_jscc.training.tasks import task_of
        >>> recipe = Recipe("mine", "deepjscc")
        >>> state = TrainingState(recipe, nn.Linear(1, 1), task_of(recipe), out=Path("out"))
        >>> state.take_figures({"psnr_db/snr10": math.nan})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gr_jscc.training.state.DivergedError: training of mine diverged by step 0: ...
    """


class Averager:
    """Exponential moving average of a network's weights; follows faster while young.

    Example:
        >>> network = nn.Linear(1, 1).requires_grad_(False)
        >>> average = Averager(network, decay=0.999)
        >>> network.weight.fill_(5.0)
        Parameter containing:
        tensor([[5.]])
        >>> for step in range(100):
        ...     average.update(network, step)
        >>> torch.allclose(average.network.weight, network.weight)
        True
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        mine, other = (list(module.state_dict().values()) for module in (self.network, network))
        torch._foreach_lerp_(mine, other, 1 - decay)


class TrainingState:
    """A run at a step.

    Args:
        recipe: of the run.
        network: fresh, on its device.
        task: of the recipe.
        out: the run's folder.

    Attributes:
        step: optimiser steps done.
        figures: of the validation at this step; empty without.
        adversary: what learns beside the network and judges it, or None.
        base: the model that weights are stored as differences from, or None.

    Example:
        >>> from gr_jscc.training.tasks import task_of
        >>> recipe = Recipe("mine", "deepjscc")
        >>> state = TrainingState(recipe, nn.Linear(1, 1), task_of(recipe), out=Path("out"))
        >>> state.step, state.weights.name, state.is_exported
        (0, 'mine.safetensors', False)
    """

    def __init__(self, recipe: Recipe, network: nn.Module, task: Task, out: Path) -> None:
        self.recipe, self.network, self.out = recipe, network, out
        self.optimiser = optimiser_of(recipe, network)
        self.average = Averager(network, recipe.ema)
        self.adversary = task.adversary(network) if isinstance(task, JudgedTask) else None
        self.base = _base(recipe.differences) if recipe.differences else None
        self.step = 0
        self.figures: dict[str, float] = {}
        self._names = [name for name, _ in network.named_parameters()]
        self._tried = self._skipped = 0  # steps of this process, and the last ones without a finite loss or gradient

    # --- steps -------------------------------------------------------------------------------------------------------

    def take(self, sound: Tensor) -> bool:
        """Steps by the gradients that are there; False where they are not finite and nothing is changed.

        Args:
            sound: bool[], whether their loss was finite; a logarithm has a gradient where it has no value.

        Raises:
            DivergedError: as `PATIENCE` times before.
        """
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        finite = bool(sound & torch.isfinite(norm))  # one bad batch must not end a night's run
        if finite:
            self.optimiser.step()
            self.average.update(self.network, self.step)
        self.figures = {}
        self._tried += 1
        self._skipped = 0 if finite else self._skipped + 1
        self.step += 1
        if self._skipped >= PATIENCE:
            raise self._diverged(f"none of the last {self._skipped} steps had a finite loss and gradient")
        return finite

    def check(self) -> None:
        """Makes sure that what is going to be kept is worth it.

        Raises:
            DivergedError: weights or moments of the optimiser are not finite, or most steps of a short run had no
                finite loss and gradient.
        """
        if self._skipped >= max(2, self._tried / 2):
            raise self._diverged(f"none of the last {self._skipped} steps had a finite loss and gradient")
        for group, tensors in self._tensors().items():
            exported = group in ("network", "average")  # in half precision
            if not all(bool(torch.isfinite(value.half() if exported else value).all()) for value in tensors.values()):
                raise self._diverged(f"numbers of its {group} are not finite")

    def take_figures(self, figures: dict[str, float]) -> None:
        """Keeps figures of a validation.

        Raises:
            DivergedError: one of them is not a number.
        """
        bad = [key for key, value in figures.items() if math.isnan(value)]
        if bad:
            raise self._diverged(f"{bad[0]} is not a number")
        self.figures = figures

    def _diverged(self, reason: str) -> DivergedError:
        kept = checkpoints(self.out)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        return DivergedError(
            f"training of {self.recipe.model} diverged by step {self.step}: {reason}; {last}. "
            "A lower learning_rate or clip may help"
        )

    # --- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def _identity(self) -> dict:
        """What a checkpoint says of the run that it is of."""
        recipe = self.recipe
        return {
            "model": recipe.model, "codec": recipe.codec, "optimiser": recipe.optimiser,
            "network": json.loads(json.dumps(self.network.config)),
        }  # fmt: skip

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        groups = {"network": self.network.state_dict(), "average": self.average.network.state_dict()}
        groups |= optimiser_tensors(self.optimiser, self._names)
        return groups | ({} if self.adversary is None else self.adversary.groups())

    def save(self) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: see `save_checkpoint`.
        """
        save_checkpoint(self.out, self.step, self._tensors(), {**self._identity, "figures": self.figures})

    def restore(self, say: Say) -> bool:
        """Goes on from the newest checkpoint that is whole; False where there is none at all.

        Args:
            say: told of those that are damaged.

        Raises:
            RecipeError: it is another recipe's.
            CheckpointError: all are damaged.
        """
        found = checkpoints(self.out)
        for path in reversed(found):
            try:
                groups, state = load_checkpoint(path)
            except CheckpointError as error:
                say(f"{error}; trying the one before it")
                continue
            self._check_whose(path, state)
            changed = self._changes(state)
            try:
                self._put_back(groups, state)
            except (RuntimeError, KeyError) as error:  # torch's, of names and shapes
                reason = changed or " ".join(str(error).split())[:200]
                raise RecipeError(f"{path} does not fit recipe {self.recipe.model}: {reason}{ELSEWHERE}") from error
            if changed:
                say(f"continuing from {path}, although {changed}")
            return True
        if found:
            raise CheckpointError(f"no checkpoint in {self.out} is intact: remove them, or choose another folder")
        return False

    def _check_whose(self, path: Path, state: dict) -> None:
        mine = self._identity
        for key in ("model", "codec", "optimiser"):
            there = state.get(key, mine[key])  # older checkpoints hold less
            if there != mine[key]:
                raise RecipeError(
                    f"{path} is of another recipe, whose {key} is {there!r}, not {mine[key]!r}{ELSEWHERE}"
                )

    def _changes(self, state: dict) -> str:
        """How the network is another than at a checkpoint; empty where it is not."""
        mine, theirs = self._identity["network"], state.get("network", {})
        return ", ".join(
            f"network.{key} was {theirs[key]!r} and is {mine[key]!r}"
            for key in mine
            if key in theirs and theirs[key] != mine[key]
        )

    def _put_back(self, groups: dict[str, dict[str, Tensor]], state: dict) -> None:
        self.network.load_state_dict(groups["network"])
        self.average.network.load_state_dict(groups["average"])
        restore_optimiser(self.optimiser, self._names, groups, state["step"])
        if self.adversary is not None:
            self.adversary.restore(groups, state["step"])
        self.step, self.figures = state["step"], state.get("figures", {})

    # --- weights -----------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> Path:
        """The file that `export` writes."""
        return self.out / f"{self.recipe.model}.safetensors"

    def export(self) -> None:
        """Writes the averaged weights.

        Raises:
            OSError: the disk is full or cannot be written; weights that were there before are untouched.
        """
        info = {"steps": str(self.step), "figures": json.dumps(self.figures)}
        average, config = self.average.network.state_dict(), self.network.config
        recipe = self.recipe
        fine = stored_finely(self.network)
        write_model(self.weights, codec_name(recipe), config, average, info, recipe.compact, self.base, fine)

    @property
    def is_exported(self) -> bool:
        """Whether the file is there and of this step."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self.weights), framework="pt") as file:
                return (file.metadata() or {}).get("steps") == str(self.step)
        except (SafetensorError, OSError):
            return False


def _base(name: str) -> ModelFile:
    """The model of a recipe's ``differences``.

    Raises:
        RecipeError: its own weights are differences.
    """
    model = read_any_model(name)
    if other := str(model.config.get("base", "")).split(" ")[0]:
        raise RecipeError(f"differences: the weights of {name} are differences themselves; name {other}")
    return model
