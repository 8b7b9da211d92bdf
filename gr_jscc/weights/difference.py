"""Weights as what they differ by from another model's, in four bits: for one that was trained on from one that ships.

Each row of a large tensor (all that makes one output channel) is stored as integers from −7 to 7 and one step, two rows
in the halves of one row of bytes; a tensor that is new, or of another shape, differs from zeros. What four bits are too
coarse for has eight, integers from −127 to 127, a byte each; what did not change has no bytes, and no steps. Small
tensors are stored in half precision. The configuration names the other model, and its hash: differences mean nothing
without it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from gr_jscc.weights import LONGEST_NAME, ModelFile, WeightsError, read_any_model, shipped_models
from gr_jscc.weights.compact import halved

SMALLEST = 4096  # values of a tensor that is worth it
MOST, MOST_FINE = 7, 127
STEP = ":step"  # ends the name of a tensor's steps
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of a row's largest difference, that 7 may stand for


def coarse(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows float32[N, M] as integers from −7 to 7, int8[N, M], and float32[N] steps, with the least squared error."""
    largest = rows.abs().amax(1).clamp(min=1e-9)
    best, steps, least = torch.zeros_like(rows), torch.zeros_like(largest), torch.full_like(largest, torch.inf)
    for share in SHARES:
        step = largest * share / MOST
        values = (rows / step[:, None]).round().clamp(-MOST, MOST)
        error = (values * step[:, None] - rows).square().sum(1)
        better = error < least
        best[better], steps[better], least[better] = values[better], step[better], error[better]
    return best.to(torch.int8), steps


def named(model: ModelFile) -> str:
    """What a configuration calls a model whose weights others differ from."""
    return f"{model.name} {model.hash.hex()}"


def is_coarse(name: str, tensor: Tensor, fine: tuple[str, ...]) -> bool:
    """Whether a tensor is stored in four bits: small ones are not, nor those whose names begin as ``fine`` says."""
    return _is_large(tensor) and not name.startswith(fine)


def _is_large(tensor: Tensor) -> bool:
    return tensor.ndim >= 2 and tensor.numel() >= SMALLEST and len(tensor) > 1


def differences(tensors: dict[str, Tensor], others: dict[str, Tensor], fine: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Tensors as they are stored.

    Args:
        tensors: of the network.
        others: of the model that it was trained on from.
        fine: beginnings of names of what is stored in eight bits.
    """
    stored = {}
    for name, tensor in tensors.items():
        if not _is_large(tensor):
            stored |= halved({name: tensor})
            continue
        other = _like(tensor, others.get(name))
        rows = (tensor.detach().float().cpu() - (0 if other is None else other)).flatten(1)
        if other is not None and not rows.any():
            stored[name + STEP] = torch.zeros(0, dtype=torch.float16)
            continue
        if is_coarse(name, tensor, fine):
            values, steps = coarse(rows)
            values = F.pad((values + MOST).to(torch.uint8), (0, 0, 0, len(values) % 2))
            values = values[0::2] << 4 | values[1::2]
        else:
            steps = rows.abs().amax(1).clamp(min=1e-9) / MOST_FINE
            values = ((rows / steps[:, None]).round() + MOST_FINE).to(torch.uint8)
        stored[name], stored[name + STEP] = values.reshape(-1, *tensor.shape[1:]), steps.half()
    return stored


def as_stored(tensor: Tensor, other: Tensor | None) -> Tensor:
    """A tensor in four bits, as it will have been when it is read again.

    Args:
        tensor: float32[...].
        other: the one of its name in the model that it differs from; None where there is none.
    """
    other = _like(tensor, other)
    base = 0 if other is None else other.to(tensor.device)
    values, steps = coarse((tensor.detach().float() - base).flatten(1))
    return (base + (values * steps.half().float()[:, None]).reshape(tensor.shape)).to(tensor.dtype)


def _like(tensor: Tensor, other: Tensor | None) -> Tensor | None:
    """Another model's tensor where it can be differed from; one of another shape is none."""
    return other if other is not None and other.shape == tensor.shape else None


def with_base(model: ModelFile) -> ModelFile:
    """A model as it was, where its weights are what they differ by from those of another one that ships.

    Raises:
        WeightsError: no such model ships, or not as it was.
    """
    base = str(model.config.get("base", "")).split(" ")[0]
    if not base:
        return model
    if base not in shipped_models():
        raise WeightsError(f"weights that were trained on from others, which do not ship: {model.name}")
    return restored(model, read_any_model(base))


def restored(model: ModelFile, other: ModelFile) -> ModelFile:
    """A model whose tensors are what they differ by from another's, as it was; one whose tensors are its own as it is.

    Raises:
        WeightsError: they differ from those of a model that is not this one, or do not fit.
    """
    config = dict(model.config)
    base = config.pop("base", None)
    if base is None:
        return model
    if base != named(other):
        raise WeightsError(f"weights that were trained on from others than {other.name} as it ships: {model.name}")
    same = [name.removesuffix(STEP) for name, steps in model.tensors.items() if name.endswith(STEP) and not len(steps)]
    if absent := [name for name in same if name not in other.tensors]:
        raise WeightsError(f"weights do not fit those that they were trained on from: {absent[0][:LONGEST_NAME]}")
    tensors = {name: other.tensors[name] for name in same}
    for name, tensor in model.tensors.items():
        steps = model.tensors.get(name + STEP)
        if steps is not None:
            tensors[name] = _restored(name, tensor, steps, other.tensors.get(name))
        elif not name.endswith(STEP):
            tensors[name] = tensor
    return replace(model, config=config, tensors=tensors)


def _restored(name: str, packed: Tensor, steps: Tensor, base: Tensor | None) -> Tensor:
    shape = (len(steps), *packed.shape[1:])
    lengths = (len(steps), -(-len(steps) // 2))  # in eight bits and in four
    if steps.ndim != 1 or len(packed) not in lengths:
        raise WeightsError(f"weights do not fit those that they were trained on from: {name[:LONGEST_NAME]}")
    values, most = packed.to(torch.uint8), MOST_FINE
    if len(packed) < len(steps):
        values, most = torch.stack([values >> 4, values & 15], dim=1).flatten(0, 1)[: len(steps)], MOST
    difference = (values.float() - most) * steps.reshape(-1, *[1] * (values.ndim - 1))
    return difference if base is None or base.shape != shape else base + difference
