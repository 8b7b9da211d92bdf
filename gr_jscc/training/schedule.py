"""How steps are taken: the optimiser, its learning rate over steps and time, and the time itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gr_jscc.training.muon import Muon
from gr_jscc.training.recipe import Recipe, RecipeError


def optimiser_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """A fresh optimiser as a recipe asks for it.

    Raises:
        RecipeError: unknown name.
    """
    if recipe.optimiser == "muon":
        return Muon(network, recipe.learning_rate, recipe.weight_decay)
    if recipe.optimiser == "adamw":
        decay = recipe.weight_decay
        return torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=decay, fused=True)
    raise RecipeError(f"unknown optimiser {recipe.optimiser!r}; known: adamw, muon")


def learning_rate(recipe: Recipe, step: int, spent: float = 0.0) -> float:
    """Linear warm-up, then a cosine from the peak to the final rate.

    Args:
        recipe: with steps and rates.
        step: from 0.
        spent: share of the time that has gone, where time is limited: a run that time will end anneals by it.
    """
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    progress = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    low, high = recipe.final_learning_rate, recipe.learning_rate
    return low + (high - low) * (1 + math.cos(math.pi * min(1.0, max(progress, spent)))) / 2


@dataclass(frozen=True)
class TimeAllowed:
    """How long a run may take.

    Attributes:
        seconds: for all of it; infinite for no limit.
        clock: seconds, from anywhere.

    Example:
        >>> TimeLimit(TimeAllowed(), processes=1, device="cpu").spent()
        0.0
    """

    seconds: float = math.inf
    clock: Callable[[], float] = time.monotonic


class TimeLimit:
    """The share of a run's time that has gone, the same in all its processes.

    Args:
        allowed: the time.
        processes: that train together. The first one's clock holds: learning rates of their own would let the copies
            of the network drift apart, and some would wait for ever for those that stopped.
        device: of their tensors.

    Example:
        >>> clock = iter([100.0, 130.0])
        >>> limit = TimeLimit(TimeAllowed(seconds=60.0, clock=lambda: next(clock)), processes=1, device="cpu")
        >>> limit.spent()
        0.5
    """

    def __init__(self, allowed: TimeAllowed, processes: int, device: str) -> None:
        self.seconds, self.clock, self.processes, self.device = allowed.seconds, allowed.clock, processes, device
        self.begun = self.clock()

    def spent(self) -> float:
        """0 at first, 1 and more when time is up; always 0 without a limit."""
        if math.isinf(self.seconds):
            return 0.0
        gone = self.clock() - self.begun
        share = gone / self.seconds if self.seconds > 0 else math.inf
        if self.processes > 1:
            told = torch.tensor([share], dtype=torch.float64, device=self.device)
            torch.distributed.broadcast(told, 0)
            share = float(told)
        return share
