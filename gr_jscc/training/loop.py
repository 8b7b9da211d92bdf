"""Training, from a recipe and folders of pictures to weights: resumable, by one process or several.

Runs from a plain checkout with torch, numpy, safetensors and Pillow; TensorBoard is used when installed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from gr_jscc.datasets.photos import Say, silent
from gr_jscc.errors import UserError
from gr_jscc.files.locks import locked
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import writing
from gr_jscc.free_memory import keep_all_freed
from gr_jscc.training.checkpoint import checkpoints
from gr_jscc.training.device import compile_blocks
from gr_jscc.training.pictures import TrainingData, open_dataset
from gr_jscc.training.processes import Processes, together
from gr_jscc.training.recipe import Recipe
from gr_jscc.training.run import Run
from gr_jscc.training.schedule import TimeAllowed, TimeLimit
from gr_jscc.training.start import start_from
from gr_jscc.training.state import TrainingState
from gr_jscc.training.tasks import Task, check_crop, multiple_of, network_of, task_of


def train(
    recipe: Recipe,
    data: list[Path],
    validation: list[Path],
    out: Path,
    device: str,
    workers: int = 0,
    allowed: TimeAllowed | None = None,
    say: Say = silent,
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
        allowed: stop (with a checkpoint) after this long, its learning rate annealed by then. The next call goes on
            from there as over as much time again. None: no limit.
        say: told lines for a person: what of the data is left out, which checkpoint is damaged.

    Returns:
        The exported ``.safetensors``.

    Raises:
        RecipeError: the recipe asks for something unknown, or the run in ``out`` is another recipe's.
        DataError: no usable images, for training or for validation.
        CheckpointError: no checkpoint in ``out`` is whole.
        DivergedError: weights or figures are not finite any more; the checkpoints and weights before are kept.
        UserError: ``out`` cannot be written, where the last whole checkpoint is kept, or another run is at work there.
    """
    with together(recipe, device) as processes, contextlib.ExitStack() as held:
        say = say if processes.first else silent
        keep_all_freed()
        task = task_of(recipe)
        torch.manual_seed(recipe.seed)
        network = network_of(recipe, task)
        if processes.first:
            held.enter_context(_place(out))
        # Processes of their own can cut crops only where they have the pictures.
        dataset = open_dataset(recipe.dataset, data, recipe.crop, say, "cpu" if workers else device)
        check_crop(recipe, network, dataset.crop)
        multiple = multiple_of(network)
        held_out = dataset.held_out(validation, multiple) if validation and processes.first else []
        held_out = [photo[:, : h - h % multiple, : w - w % multiple] for photo in held_out for _, h, w in [photo.shape]]
        state = _begin(recipe, task, network, dataset, out, device, say)
        if state.step < recipe.steps:
            writable_folder(out)
            limit = TimeLimit(allowed or TimeAllowed(), processes.world, device)
            run = Run(recipe, task, state, held_out, device, processes, limit)
            run.go_on(_loader(recipe, dataset, state.step, processes, workers))
        else:
            say(f"{recipe.model} in {out} has already completed its {state.step} steps")
            if processes.first and not state.is_exported:
                with writing(out):
                    state.export()
    return state.weights


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
                raise UserError(f"another training run is using {folder}") from error
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _begin(
    recipe: Recipe, task: Task, network: nn.Module, dataset: TrainingData, out: Path, device: str, say: Say
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
    crops: Dataset = dataset.crops(recipe.steps * recipe.batch, recipe.seed, recipe.enlarged)
    share = recipe.batch // processes.world
    places = range(processes.rank * share, (processes.rank + 1) * share)  # of this process in a batch
    todo = [s * recipe.batch + place for s in range(step, recipe.steps) for place in places]
    return DataLoader(Subset(crops, todo), batch_size=share, num_workers=workers, persistent_workers=workers > 0)
