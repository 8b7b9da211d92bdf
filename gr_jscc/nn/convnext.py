"""ConvNeXt's block (Liu et al. 2022, "A ConvNet for the 2020s")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER_SCALE = 1e-6


class ConvNeXtBlock(nn.Module):
    """Depthwise 7×7 convolution, layer normalisation and a two-layer perceptron around a shortcut.

    Args:
        channels: C of [B, C, H, W].
        expansion: channels inside the perceptron over C.

    Example:
        >>> import torch
        >>> ConvNeXtBlock(8)(torch.ones(1, 8, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, channels: int, expansion: int = 4) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.reduce = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), LAYER_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → the same shape."""
        inside = self.norm(self.spatial(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.reduce(F.gelu(self.expand(inside)))).permute(0, 3, 1, 2)
