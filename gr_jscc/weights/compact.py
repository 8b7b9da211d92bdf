"""Weights in eight bits: half the size of half precision, for models that would be too large to ship.

Each row of a large tensor (all that makes one output channel) is stored as integers from −127 to 127 and one scale.
Of ntscc-photo that costs up to 0.02 dB at CBR 1/8, and nothing that could be measured at 1/16.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gr_jscc.plain_text import shown
from gr_jscc.weights import WeightsError

# Values of a tensor that is worth it. What hands the frame before on (48×48) is smaller: in eight bits it costs 1.3 dB.
SMALLEST = 4096
MOST = 127
SCALE = ":scale"  # ends the name of a tensor's scales


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored unless asked otherwise: float16."""
    return {name: tensor.detach().half().cpu().contiguous() for name, tensor in tensors.items()}


def compacted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored: large ones int8 with float32 scales beside them, the others float16."""
    stored = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.numel() < SMALLEST:
            stored |= halved({name: tensor})
            continue
        rows = tensor.detach().float().cpu().reshape(len(tensor), -1)
        scale = rows.abs().amax(1).clamp(min=1e-12) / MOST
        stored[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
        stored[name + SCALE] = scale
    return stored


def expanded(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors float32 from a file's, compacted or not; a scale without its tensor stays, and fits no network.

    Raises:
        WeightsError: eight bits without the scales of their rows.
    """
    tensors = {}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            scale = stored.get(name + SCALE)
            if scale is None or scale.shape != tensor.shape[:1]:
                raise WeightsError(f"weights in eight bits without their scales: {shown(name)[:60]}")
            tensors[name] = tensor.float() * scale.float().reshape(-1, *[1] * (tensor.ndim - 1))
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in stored):
            tensors[name] = tensor.float()
    return tensors
