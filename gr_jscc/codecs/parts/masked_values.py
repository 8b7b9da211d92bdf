"""The values of a tensor that are sent, in the order in which they are, and back."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor


def in_order(values: Tensor, mask: Tensor) -> np.ndarray:
    """float32[n]: the values of [1, C, h, w] that are sent, position by position."""
    return values.permute(0, 2, 3, 1)[mask.permute(0, 2, 3, 1)].cpu().numpy()


def placed(values: Tensor, mask: Tensor) -> Tensor:
    """Undoes `in_order`; 0 where nothing is sent."""
    places = mask.permute(0, 2, 3, 1)
    tensor = torch.zeros(places.shape, dtype=values.dtype, device=mask.device)
    tensor[places] = values
    return tensor.permute(0, 3, 1, 2)


def placed_from(values: Tensor, mask: Tensor, begins: Tensor) -> Tensor:
    """`placed` for a part of the positions.

    Args:
        values: [n], of all positions.
        mask: bool[1, C, h, w], of a part.
        begins: int64[1, 1, h, w], where the values of each of its positions begin.
    """
    places = mask.permute(0, 2, 3, 1)
    numbers = places.cumsum(3).add_(begins.permute(0, 2, 3, 1) - 1)
    return placed(values[numbers[places]], mask)


def mask_hash(masks: list[Tensor]) -> int:
    """0 to 255, of which values are sent."""
    return zlib.crc32(b"".join(np.packbits(mask.cpu().numpy()).tobytes() for mask in masks)) & 0xFF
