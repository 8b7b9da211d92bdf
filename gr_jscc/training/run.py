"""The steps of a training run: losses, validation, the log, checkpoints; mixed precision."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from gr_jscc.files.whole import writing
from gr_jscc.plugins import is_place
from gr_jscc.training.log import Log
from gr_jscc.training.processes import Processes
from gr_jscc.training.recipe import Recipe
from gr_jscc.training.rounding import in_eight_bits, rounded
from gr_jscc.training.schedule import TimeLimit, learning_rate
from gr_jscc.training.state import TrainingState
from gr_jscc.training.tasks import Task

LOG_EVERY = 50  # steps


class Run:
    """Steps from where a state is to the recipe's last one, or until time is up.

    Args:
        recipe, task: what is trained, and how.
        state: changed in place.
        held_out: pictures uint8[3, H, W] for validation; none in all processes but the first.
        device: ``cpu`` or ``cuda``.
        processes: that train together.
        limit: of this call's time.

    Example:
        >>> from pathlib import Path
        >>> from gr_jscc.training.schedule import TimeAllowed
        >>> from gr_jscc.training.tasks import task_of
        >>> recipe, alone = Recipe("mine", "deepjscc"), Processes(world=1, rank=0)
        >>> state = TrainingState(recipe, nn.Linear(1, 1), task_of(recipe), out=Path("out"))
        >>> run = Run(recipe, task_of(recipe), state, [], "cpu", alone, TimeLimit(TimeAllowed(), 1, "cpu"))
        >>> run.model is state.network, run.limit.spent()
        (True, 0.0)
    """

    COLUMNS = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip

    def __init__(
        self, recipe: Recipe, task: Task, state: TrainingState, held_out: list[Tensor], device: str,
        processes: Processes, limit: TimeLimit,
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
            DivergedError: weights or figures are not finite any more.
            UserError: the run's folder cannot be written.
        """
        state, recipe, first = self.state, self.recipe, self.processes.first
        with contextlib.ExitStack() as open_now:
            progress = open_now.enter_context(Progress(*self.COLUMNS, disable=not first))
            bar = progress.add_task(recipe.model, total=recipe.steps, completed=state.step, note="")
            if first:
                with writing(state.out):
                    self.log = open_now.enter_context(contextlib.closing(Log(state.out)))
            spent = self.limit.spent()
            if is_place(recipe.codec) and self.held_out:  # a slip in a task of one's own is found now, not at the end
                self.task.validate(state.average.network, self.held_out[:1])
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
        done = max(state.step / recipe.steps, spent)
        late = recipe.rounded and done >= 1 - recipe.rounded
        with self._rounded(state.network) if late else contextlib.nullcontext():
            with self._autocast():
                loss = self.task.loss(self.model, images, torch.Generator(self.device).manual_seed(seed), **judged)
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
        if state.take(self.processes.all_hold(torch.isfinite(loss.detach()))):
            self._losses.append(loss.detach())
        else:
            self._skipped += 1
        if state.adversary is not None:
            with self._autocast():
                self._skipped += not state.adversary.step()

    def _rounded(self, network: nn.Module) -> contextlib.AbstractContextManager:
        """With weights as they will be stored, where that is coarse."""
        base = self.state.base
        if base is not None:
            return rounded(network, base.tensors)
        return in_eight_bits(network) if self.recipe.compact else contextlib.nullcontext()

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
        """Measures the averaged network as it will be stored, logs the figures and exports it with them."""
        self.state.check()
        average = self.state.average.network
        with self._rounded(average), self._autocast():
            self.state.take_figures(self.task.validate(average, self.held_out))
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
