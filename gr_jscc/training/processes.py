"""Several processes that train one network together, each on a share of every batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gr_jscc.training.recipe import Recipe, RecipeError


@dataclass(frozen=True)
class Processes:
    """Those that train together, as ``torchrun`` started them.

    Attributes:
        world: how many.
        rank: of this one, from 0; the first one writes and talks.

    Example:
        >>> processes = Processes(world=1, rank=0)
        >>> processes.first, processes.all_hold(torch.tensor(True))
        (True, tensor(True))
    """

    world: int
    rank: int

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and talks."""
        return self.rank == 0

    def all_hold(self, holds: Tensor) -> Tensor:
        """bool[]: whether something holds in all processes, which must decide alike."""
        if self.world > 1:
            votes = holds.float()
            torch.distributed.all_reduce(votes)
            holds = votes == self.world
        return holds


@contextlib.contextmanager
def together(recipe: Recipe, device: str) -> Iterator[Processes]:
    """Joins the other processes of this training.

    Args:
        recipe: whose batches they share.
        device: ``cpu`` or ``cuda``.

    Raises:
        RecipeError: a batch does not divide among them.
    """
    processes = Processes(int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0)))
    if recipe.batch % processes.world:
        raise RecipeError(f"batch {recipe.batch} does not divide among {processes.world} processes")
    if processes.world == 1:
        yield processes
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    yield processes
    torch.distributed.destroy_process_group()
