"""The training loop: resumable, averaged weights, mixed precision, one process or several.

Runs from a plain checkout with torch, numpy, safetensors and Pillow; TensorBoard is used when installed.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from gr_jscc.datasets.photos import Say, silent
from gr_jscc.errors import UserError
from gr_jscc.files.locks import locked
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import writing
from gr_jscc.training.checkpoint import checkpoints
from gr_jscc.training.device import compile_blocks
from gr_jscc.training.log import Log
from gr_jscc.training.pictures import TrainingData, open_dataset
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.schedule import TimeLimit, learning_rate, optimiser_of
from gr_jscc.training.start import start_from
from gr_jscc.training.state import TrainingState
from gr_jscc.training.tasks import check_crop, multiple_of, network_of, task_of

__all__ = ["learning_rate", "optimiser_of", "task_of", "train"]

LOG_EVERY = 50  # steps


def to_stderr(line: str) -> None:
    """A `Say` for terminals."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Processes:
    """Those that train together, as ``torchrun`` started them.

    Attributes:
        world: how many.
        rank: of this one, from 0; the first one writes and talks.
    """

    world: int
    rank: int

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and talks."""
        return self.rank == 0


def train(
    recipe: Recipe,
    data: list[Path],
    validation: list[Path],
    out: Path,
    device: str,
    workers: int = 0,
    max_seconds: float = math.inf,
    say: Say = to_stderr,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """Trains, resuming from the newest whole checkpoint in ``out``, and exports the averaged weights.

    Under ``torchrun`` every process takes a share of each batch and the first one writes.

    Args:
        recipe: what to train.
        data: folders of training images.
        validation: folders of validation images; may be empty.
        out: the run's folder: checkpoints, ``log.jsonl``, TensorBoard events, ``MODEL.safetensors``.
        device: ``cpu`` or ``cuda``.
        workers: processes that prepare crops.
        max_seconds: stop (with a checkpoint) after this long, its learning rate annealed by then. The next call goes on
            from there as over as much time again.
        say: told lines for a person: what of the data is left out, which checkpoint is damaged.
        clock: seconds, for ``max_seconds``.

    Returns:
        The exported ``.safetensors``.

    Raises:
        RecipeError: the recipe asks for something unknown, or the run in ``out`` is another recipe's.
        DataError: no usable images, for training or for validation.
        CheckpointError: no checkpoint in ``out`` is whole.
        DivergedError: weights or figures are not finite any more; the checkpoints and weights before are kept.
        UserError: ``out`` cannot be written, where the last whole checkpoint is kept, or another run is at work there.
    """
    with _processes(recipe, device) as processes, contextlib.ExitStack() as held:
        say = say if processes.first else silent
        task = task_of(recipe)
        torch.manual_seed(recipe.seed)
        network = network_of(recipe, task)
        if processes.first:
            held.enter_context(_place(out))
        # Processes of their own can cut crops only where they have the pictures.
        dataset = open_dataset(recipe.dataset, data, recipe.crop, say, "cpu" if workers else device)
        check_crop(recipe, network, dataset.crop)
        held_out = dataset.held_out(validation, multiple_of(network)) if validation and processes.first else []
        state = _begin(recipe, task, network, dataset, out, device, say)
        if state.step < recipe.steps:
            writable_folder(out)
            limit = TimeLimit(max_seconds, clock, processes.world, device)
            run = _Run(recipe, task, state, held_out, device, processes, limit)
            run.go_on(_loader(recipe, dataset, state.step, processes, workers))
        else:
            say(f"{recipe.model} in {out} has all of its {state.step} steps already")
            if processes.first and not state.is_exported:
                with writing(out):
                    state.export()
    return state.weights


@contextlib.contextmanager
def _processes(recipe: Recipe, device: str) -> Iterator[Processes]:
    """Joins the other processes of this training."""
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


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[None]:
    """Holds a run's folder for this process alone; one that never begins leaves none.

    Raises:
        UserError: nothing can be written there, or another run is at work: better before the photos are read than after
            a night.
    """
    is_new = not folder.exists()
    writable_folder(folder)
    try:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(folder))
            except BlockingIOError as error:
                raise UserError(f"another training run is at work in {folder}") from error
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _begin(
    recipe: Recipe, task, network: nn.Module, dataset: TrainingData, out: Path, device: str, say: Say
) -> TrainingState:
    """The run as its newest checkpoint left it, or a fresh one."""
    fresh = not checkpoints(out)
    if fresh:
        sample = dataset.crops(dataset.sample, recipe.seed + 1)
        task.prepare(network, torch.stack([sample[i] for i in range(len(sample))]).cpu())
        if recipe.start_from:
            start_from(network, recipe.start_from, out.parent)
    state = TrainingState(recipe, network.to(device, memory_format=torch.channels_last), task, out)
    if not fresh:
        state.restore(say)
    if device == "cuda":
        compile_blocks(state.network)
    return state


def _loader(recipe: Recipe, dataset: TrainingData, step: int, processes: Processes, workers: int) -> DataLoader:
    """The batches from a step on, this process's share of each."""
    crops: Dataset = dataset.crops(recipe.steps * recipe.batch, recipe.seed)
    share = recipe.batch // processes.world
    places = range(processes.rank * share, (processes.rank + 1) * share)  # of this process in a batch
    todo = [s * recipe.batch + place for s in range(step, recipe.steps) for place in places]
    return DataLoader(Subset(crops, todo), batch_size=share, num_workers=workers, persistent_workers=workers > 0)


class _Run:
    """Steps from where a state is to the recipe's last one, or until time is up.

    Args:
        recipe, task: what is trained, and how.
        state: changed in place.
        held_out: pictures uint8[3, H, W] for validation; none in all processes but the first.
        device: ``cpu`` or ``cuda``.
        processes: that train together.
        limit: of this call's time.
    """

    COLUMNS = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip

    def __init__(
        self, recipe: Recipe, task, state: TrainingState, held_out: list[Tensor], device: str, processes: Processes,
        limit: TimeLimit,
    ) -> None:  # fmt: skip
        self.recipe, self.task, self.state, self.held_out = recipe, task, state, held_out
        self.device, self.processes, self.limit = device, processes, limit
        self.model = state.network if processes.world == 1 else nn.parallel.DistributedDataParallel(state.network)
        self._skipped = 0
        self._losses: list[Tensor] = []  # on the device: to read each would make it wait
        self._since = time.monotonic()

    def go_on(self, batches: Iterable[Tensor]) -> None:
        """Trains on batches float32[B, 3, crop, crop], and leaves a checkpoint and weights.

        Raises:
            DivergedError, UserError: see `train`.
        """
        state, recipe, first = self.state, self.recipe, self.processes.first
        with contextlib.ExitStack() as open_now:
            progress = open_now.enter_context(Progress(*self.COLUMNS, disable=not first))
            bar = progress.add_task(recipe.model, total=recipe.steps, completed=state.step, note="")
            if first:
                with writing(state.out):
                    self.log = open_now.enter_context(contextlib.closing(Log(state.out)))
            spent = self.limit.spent()
            for images in batches:
                self._step(images, spent)
                rate, spent = learning_rate(recipe, state.step, spent), self.limit.spent()
                last = state.step == recipe.steps or spent > 1
                if (state.step % LOG_EVERY == 0 or last) and self._losses and first:
                    progress.update(bar, note=self._log_losses(rate))
                progress.update(bar, completed=state.step)
                if self.held_out and (state.step % recipe.validate_every == 0 or last):
                    self._validate()
                if state.step % recipe.checkpoint_every == 0 or last:
                    self._keep(last)
                if last:
                    break

    def _step(self, images: Tensor, spent: float) -> None:
        """One optimiser step on a batch, at the learning rate for so much of the time."""
        state, recipe, processes = self.state, self.recipe, self.processes
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, state.step, spent)
        images = images.to(self.device, memory_format=torch.channels_last)
        seed = (recipe.seed * 1_000_003 + state.step) * processes.world + processes.rank
        judged = {} if state.adversary is None else {"adversary": state.adversary}
        with self._autocast():
            loss = self.task.loss(self.model, images, torch.Generator(self.device).manual_seed(seed), **judged)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if state.take(self._by_all(torch.isfinite(loss.detach()))):
            self._losses.append(loss.detach())
        else:
            self._skipped += 1
        if state.adversary is not None and not state.adversary.step():
            self._skipped += 1

    def _by_all(self, holds: Tensor) -> Tensor:
        """bool[]: whether something holds in all processes, which must decide alike."""
        if self.processes.world > 1:
            votes = holds.float()
            torch.distributed.all_reduce(votes)
            holds = votes == self.processes.world
        return holds

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _log_losses(self, rate: float) -> str:
        """Logs the mean since the last time; returns it for a person, with the speed."""
        state, now = self.state, time.monotonic()
        mean = float(torch.stack(self._losses).mean())
        speed = len(self._losses) / max(1e-9, now - self._since)
        figures = {"loss": mean, "learning_rate": rate, "skipped": self._skipped}
        figures |= {} if state.adversary is None else state.adversary.figures()
        with writing(state.out):
            self.log.write(state.step, figures)
        self._losses.clear()
        self._since = now
        return f"loss {mean:.3f}, {speed:.1f} steps/s"

    def _validate(self) -> None:
        """Measures the averaged network, logs the figures and exports it with them."""
        self.state.check()
        with self._autocast():
            self.state.take_figures(self.task.validate(self.state.average.network, self.held_out))
        with writing(self.state.out):
            self.log.write(self.state.step, self.state.figures)
            self.state.export()

    def _keep(self, last: bool) -> None:
        """Leaves a checkpoint, and at the end the weights."""
        self.state.check()
        if self.processes.first:
            with writing(self.state.out):
                self.state.save()
                if last:
                    self.state.export()
