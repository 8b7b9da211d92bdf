"""The training loop: resumable, averaged weights, mixed precision, one process or several.

Runs from a plain checkout with torch, numpy, safetensors and Pillow; TensorBoard is used when installed.
"""

from __future__ import annotations

import copy
import importlib
import json
import math
import os
import time
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn
from torch.utils.data import DataLoader, Subset

from gr_jscc.training.checkpoint import (
    checkpoints,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from gr_jscc.training.datasets import open_dataset
from gr_jscc.training.muon import Muon
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.start import start_from
from gr_jscc.weights import write_model

# Codec → module and class of its training task.
TASKS = {
    "deepjscc": ("gr_jscc.training.deepjscc", "DeepJSCCTask"),
    "hjscc": ("gr_jscc.training.hjscc", "HJSCCTask"),
    "ntscc": ("gr_jscc.training.ntscc", "NTSCCTask"),
    "successive-multiple": ("gr_jscc.training.successive", "MultipleTask"),
    "successive-residual": ("gr_jscc.training.successive", "ResidualTask"),
    "successive-single": ("gr_jscc.training.successive", "SingleTask"),
}


def task_of(recipe: Recipe):
    """The training task of a recipe's codec.

    Raises:
        RecipeError: no such codec, or an option its task does not know.
    """
    if recipe.codec not in TASKS:
        raise RecipeError(f"codec {recipe.codec!r} cannot be trained; known: {', '.join(TASKS)}")
    module, name = TASKS[recipe.codec]
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in recipe.task.items()}
    try:
        return getattr(importlib.import_module(module), name)(**options)
    except TypeError as error:
        raise RecipeError(f"recipe {recipe.model}, [task]: {error}") from error


def optimiser_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """A fresh optimiser as a recipe asks for it.

    Raises:
        RecipeError: unknown name.
    """
    if recipe.optimiser == "muon":
        return Muon(network, recipe.learning_rate, recipe.weight_decay)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
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


class Averager:
    """Exponential moving average of a network's weights; follows faster while young."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        mine, other = self.network.state_dict(), network.state_dict()
        for key, value in mine.items():
            value.lerp_(other[key].to(value.dtype), 1 - decay)


class _Log:
    """Scalars to TensorBoard when it is installed, and to ``log.jsonl`` always."""

    def __init__(self, folder: Path) -> None:
        self.file = (folder / "log.jsonl").open("a")
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"))
        except ImportError:
            self.board = None

    def write(self, step: int, figures: dict[str, float]) -> None:
        self.file.write(json.dumps({"step": step, **{k: round(v, 5) for k, v in figures.items()}}) + "\n")
        self.file.flush()
        if self.board is not None:
            for key, value in figures.items():
                self.board.add_scalar(key, value, step)


def train(
    recipe: Recipe,
    data: list[Path],
    validation: list[Path],
    out: Path,
    device: str,
    workers: int = 0,
    max_seconds: float = math.inf,
) -> Path:
    """Trains, resuming from the newest checkpoint in ``out``, and exports the averaged weights.

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

    Returns:
        The exported ``.safetensors``.

    Raises:
        RecipeError: the recipe asks for something unknown.
        DataError: no usable images.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if world > 1:
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    if recipe.batch % world:
        raise RecipeError(f"batch {recipe.batch} does not divide among {world} processes")
    task = task_of(recipe)
    torch.manual_seed(recipe.seed)
    network = task.build(recipe.network)
    dataset = open_dataset(recipe.dataset, data, recipe.crop)
    crops = dataset.crops(recipe.steps * recipe.batch, recipe.seed)
    held_out = dataset.held_out(validation) if validation and rank == 0 else []

    found = checkpoints(out)
    step = 0
    if not found:
        sample = dataset.crops(dataset.sample, recipe.seed + 1)
        task.prepare(network, torch.stack([sample[i] for i in range(len(sample))]))
        if recipe.start_from:
            start_from(network, recipe.start_from, out.parent)
    network = network.to(device, memory_format=torch.channels_last)
    optimiser = optimiser_of(recipe, network)
    names = [name for name, _ in network.named_parameters()]
    average = Averager(network, recipe.ema)
    adversary = task.adversary(network) if hasattr(task, "adversary") else None
    judged = {} if adversary is None else {"adversary": adversary}
    if found:
        groups, state = load_checkpoint(found[-1])
        step = state["step"]
        network.load_state_dict(groups["network"])
        average.network.load_state_dict(groups["average"])
        restore_optimiser(optimiser, names, groups, step)
        if adversary is not None:
            adversary.restore(groups, step)
    model = network
    if world > 1:
        model = nn.parallel.DistributedDataParallel(network)

    share = recipe.batch // world
    places = range(rank * share, (rank + 1) * share)  # of this process in a batch
    todo = [s * recipe.batch + place for s in range(step, recipe.steps) for place in places]
    loader = DataLoader(Subset(crops, todo), batch_size=share, num_workers=workers, persistent_workers=workers > 0)
    out.mkdir(parents=True, exist_ok=True)
    log = _Log(out) if rank == 0 else None
    autocast = recipe.precision == "bfloat16"

    def save() -> None:
        if rank == 0:
            groups = {"network": network.state_dict(), "average": average.network.state_dict()}
            groups |= optimiser_tensors(optimiser, names) | ({} if adversary is None else adversary.groups())
            save_checkpoint(out, step, groups, {"model": recipe.model})

    def validate() -> dict[str, float]:
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            return task.validate(average.network, held_out)

    def export(figures: dict[str, float]) -> Path:
        path = out / f"{recipe.model}.safetensors"
        info = {"steps": str(step), "figures": json.dumps(figures)}
        write_model(path, recipe.codec, network.config, average.network.state_dict(), info)
        return path

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    started, skipped, losses = time.monotonic(), 0, []
    figures: dict[str, float] = {}
    with Progress(*columns, disable=rank > 0) as progress:
        bar = progress.add_task(recipe.model, total=recipe.steps, completed=step, note="")
        for images in loader:
            spent = (time.monotonic() - started) / max(max_seconds, 1e-9)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step, spent)
            images = images.to(device, memory_format=torch.channels_last)
            generator = torch.Generator(device).manual_seed((recipe.seed * 1_000_003 + step) * world + rank)
            with torch.autocast(device, torch.bfloat16, enabled=autocast):
                loss = task.loss(model, images, generator, **judged)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            if torch.isfinite(norm):
                optimiser.step()
                average.update(network, step)
                losses.append(float(loss.detach()))
            else:
                skipped += 1  # one bad batch must not end a night's run
            if adversary is not None and not adversary.step():
                skipped += 1
            step += 1
            last = step == recipe.steps or time.monotonic() - started > max_seconds
            if step % 50 == 0 and losses and log:
                speed = 50 / max(1e-9, time.monotonic() - (progress.tasks[0].fields.get("since") or started))
                mean = sum(losses) / len(losses)
                numbers = {"loss": mean, "learning_rate": learning_rate(recipe, step, spent), "skipped": skipped}
                log.write(step, numbers | ({} if adversary is None else adversary.figures()))
                progress.update(bar, note=f"loss {mean:.3f}, {speed:.1f} steps/s", since=time.monotonic())
                losses.clear()
            progress.update(bar, completed=step)
            if held_out and log and (step % recipe.validate_every == 0 or last):
                figures = validate()
                log.write(step, figures)
                export(figures)
            if step % recipe.checkpoint_every == 0 or last:
                save()
            if last:
                break
    path = export(figures) if rank == 0 else out / f"{recipe.model}.safetensors"
    if world > 1:
        torch.distributed.destroy_process_group()
    return path
