"""Starts a network from weights that were trained for another one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from gr_jscc.training.recipe import RecipeError
from gr_jscc.weights import WeightsError, find_model, read_any_model
from gr_jscc.weights.compact import expanded
from gr_jscc.weights.difference import STEP, with_base


@torch.no_grad()
def start_from(network: nn.Module, name: str | Path, runs: Path) -> int:
    """Copies every tensor of a model that has a counterpart of the same name; returns how many.

    Where a counterpart is larger (more layers, hence more channels), the tensor fills its leading corner, a kernel its
    middle, and what was computed before is deaf to what is new, so that a grown network starts as the one it grew from.
    A module whose tensors grow in another way has a method ``grown`` for them, a network that starts from one of
    another kind a method ``translated``.

    Args:
        network: changed in place.
        name: of a model trained in ``runs`` (``runs/NAME/NAME.safetensors``), else of a shipped one, else a file.
        runs: folder of runs.

    Raises:
        WeightsError: no such model, or a damaged one.
        RecipeError: it has nothing in common with the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    trained = runs / name / f"{name}.safetensors"
    path = trained if trained.is_file() else find_model(name)
    try:
        tensors = expanded(load_file(str(path)))
        if any(key.endswith(STEP) for key in tensors):
            tensors = with_base(read_any_model(path)).tensors
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights cannot be read: {path}: {' '.join(str(error).split())}") from error
    try:
        tensors = _fitted(network, tensors)
    except (KeyError, RuntimeError) as error:
        raise RecipeError(f"start_from: {name} is another kind of model than the network") from error
    own, copied = network.state_dict(), 0
    for key, value in tensors.items():
        target = own.get(key)
        if target is None or target.ndim != value.ndim or any(t < v for t, v in zip(target.shape, value.shape)):
            continue
        if value.ndim > 1:
            target[: len(value)].zero_()
        middle = [slice((t - v) // 2, (t - v) // 2 + v) for t, v in zip(target.shape[2:], value.shape[2:])]
        target[(*(slice(side) for side in value.shape[:2]), *middle)].copy_(value)
        copied += 1
    if not copied:
        raise RecipeError(f"start_from: {name} has no tensor in common with the network")
    return copied


def _fitted(network: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as the network's own methods translate and grow them."""
    if hasattr(network, "translated"):
        tensors = network.translated(tensors)
    for prefix, module in network.named_modules():
        if hasattr(module, "grown"):
            mine = {key: tensors[f"{prefix}.{key}"] for key in module.state_dict() if f"{prefix}.{key}" in tensors}
            tensors |= {f"{prefix}.{key}": value for key, value in module.grown(mine).items()}
    return tensors
