"""Pictures as networks take and give them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def to_pixels(image: np.ndarray, height: int, width: int, device: torch.device | str) -> Tensor:
    """uint8[H, W, 3] as float32[1, 3, height, width] in [0, 1], its edges repeated up to that size."""
    pixels = torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)[None].float() / 255
    padded = F.pad(pixels, (0, width - image.shape[1], 0, height - image.shape[0]), mode="replicate")
    return padded.contiguous(memory_format=torch.channels_last)


def to_picture(pixels: Tensor, height: int, width: int) -> np.ndarray:
    """float[1, 3, ≥ height, ≥ width], clipped to [0, 1], as uint8[height, width, 3]."""
    picture = (pixels[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return picture[:height, :width].cpu().numpy()
