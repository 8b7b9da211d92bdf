"""Pictures as networks take and give them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

ROWS = 256  # of a picture that are rounded at a time, so that large ones take no more memory


def padded(image: np.ndarray, height: int, width: int, device: torch.device | str) -> Tensor:
    """uint8[H, W, 3] as uint8[1, 3, height, width], its edges repeated up to that size."""
    beyond = (0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)
    pixels = torch.from_numpy(np.pad(image, beyond, mode="edge")).to(device).permute(2, 0, 1)[None]
    return pixels.contiguous(memory_format=torch.channels_last)


def to_pixels(image: np.ndarray, height: int, width: int, device: torch.device | str) -> Tensor:
    """uint8[H, W, 3] as float32[1, 3, height, width] in [0, 1], its edges repeated up to that size."""
    return in_unit(padded(image, height, width, device))


def in_unit(pixels: Tensor) -> Tensor:
    """float32 in [0, 1] of uint8; what is float32 already as it is."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels


def in_blocks(pixels: Tensor, side: int) -> Tensor:
    """Blocks of pixels as channels, what `torch.nn.functional.pixel_unshuffle` makes of `in_unit`, channels last.

    Args:
        pixels: float32[B, C, H, W] in [0, 1], or uint8; sides are multiples of ``side``.
        side: of a block.

    Returns:
        float32[B, C·side², H/side, W/side] in [0, 1].

    Example:
        >>> pictures = torch.rand(1, 3, 8, 12)
        >>> torch.equal(in_blocks(pictures, 4), torch.nn.functional.pixel_unshuffle(pictures, 4))
        True
    """
    count, colours, height, width = pixels.shape
    rows = pixels.permute(0, 2, 3, 1).reshape(count, height // side, side, width // side, side, colours)
    blocks = rows.permute(0, 1, 3, 5, 2, 4).reshape(count, height // side, width // side, -1)
    return in_unit(blocks.permute(0, 3, 1, 2))


def to_picture(pixels: Tensor, height: int, width: int) -> np.ndarray:
    """float[1, 3, ≥ height, ≥ width], clipped to [0, 1], as uint8[height, width, 3]."""
    picture = torch.empty(height, width, 3, dtype=torch.uint8, device=pixels.device)
    for shown, rows in zip(picture.split(ROWS), pixels[0, :, :height, :width].split(ROWS, dim=1)):
        shown.copy_((rows.clamp(0, 1) * 255).round().permute(1, 2, 0))
    return picture.cpu().numpy()
