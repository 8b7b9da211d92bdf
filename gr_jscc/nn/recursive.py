"""Residual blocks that are run several times with the same kernels.

Recursive residual networks (Tai, Yang & Liu 2017, "Image super-resolution via deep recursive residual
network") get the depth of a large network out of the parameters of a small one. Each pass scales and
shifts the hidden activations by numbers of its own, so that the passes differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RecursiveBlocks(nn.Module):
    """``passes`` times through ``blocks`` residual blocks of two 3×3 convolutions, [B, C, H, W] → the same.

    Args:
        channels: C.
        blocks: blocks with kernels of their own.
        passes: times through all of them.

    Example:
        >>> blocks = RecursiveBlocks(channels=4, blocks=2, passes=3)
        >>> blocks.modulations
        48
        >>> blocks(torch.ones(1, 4, 5, 5), torch.zeros(1, 48)).shape
        torch.Size([1, 4, 5, 5])
    """

    def __init__(self, channels: int, blocks: int, passes: int) -> None:
        super().__init__()
        self.passes = passes
        self.first = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks))
        self.activation = nn.LeakyReLU(0.1)
        for layer in self.second:  # a fresh block is the identity
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def modulations(self) -> int:
        """Numbers that one image's modulation holds: scale and shift of every hidden channel in every pass."""
        return self.passes * len(self.first) * 2 * self.first[0].out_channels

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Runs the blocks; ``modulation`` is [B, modulations], or [1, modulations] for all images alike."""
        parts = modulation[:, :, None, None].chunk(2 * self.passes * len(self.first), dim=1)
        turn = 0
        for _ in range(self.passes):
            for first, second in zip(self.first, self.second, strict=True):
                scale, shift = parts[2 * turn], parts[2 * turn + 1]
                hidden = torch.addcmul(shift.to(x.dtype), first(x), 1 + scale.to(x.dtype))
                x = x + second(self.activation(hidden))
                turn += 1
        return x
