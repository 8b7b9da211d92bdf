"""Residual blocks, plain and conditioned on a few numbers such as the rate or the SNR.

What a layer just made is changed in place: on a CPU fresh memory takes longer than the arithmetic.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of what is negative, behind an activation


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut, [B, C, H, W] → [B, C, H, W].

    The last convolution starts at zero, so that a fresh block is the identity and a network that
    starts from a linear code stays that code until training finds better.

    Args:
        channels: C.
        padding: what is beyond the edges, ``zeros`` or ``replicate``.

    Example:
        >>> import torch
        >>> ResidualBlock(8)(torch.ones(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    reach = 2  # positions on each side that one of the output depends on

    def __init__(self, channels: int, padding: str = "zeros") -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        inside = F.leaky_relu_(self.first(F.leaky_relu(x, SLOPE)), SLOPE)
        return self.second(inside).add_(x)


class Bottleneck(nn.Module):
    """1×1 → 3×3 → 1×1 around a shortcut, [B, C, H, W] → [B, C, H, W]; a fresh one is the identity.

    Of 96 channels with 48 inside it takes a fifth of the arithmetic of a `ResidualBlock`.

    Args:
        channels: C.
        hidden: channels of the 3×3 convolution.
        padding: as in `ResidualBlock`.

    Example:
        >>> import torch
        >>> Bottleneck(channels=8, hidden=4)(torch.ones(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    reach = 1

    def __init__(self, channels: int, hidden: int, padding: str = "zeros") -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.spatial = nn.Conv2d(hidden, hidden, 3, padding=1, padding_mode=padding)
        self.expand = nn.Conv2d(hidden, channels, 1)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        inside = F.leaky_relu_(self.spatial(F.leaky_relu_(self.reduce(x), SLOPE)), SLOPE)
        return self.expand(inside).add_(x)


class ConditionedBottleneck(nn.Module):
    """A `Bottleneck` with its first activations scaled and shifted by a condition.

    Feature-wise modulation as in FiLM (Perez et al. 2018), which ADJSCC (Xu et al. 2021) uses to let one
    model serve many SNRs.

    Args:
        channels: C of the input and output [B, C, H, W].
        hidden: channels of the 3×3 convolution.
        condition: length D of the condition [B, D].
        padding: as in `ResidualBlock`.

    Example:
        >>> import torch
        >>> ConditionedBottleneck(channels=8, hidden=4, condition=6)(torch.ones(1, 8, 4, 4), torch.zeros(1, 6)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, channels: int, hidden: int, condition: int, padding: str = "zeros") -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.modulation = nn.Linear(condition, 2 * hidden)
        self.spatial = nn.Conv2d(hidden, hidden, 3, padding=1, padding_mode=padding)
        self.expand = nn.Conv2d(hidden, channels, 1)
        for layer in (self.modulation, self.expand):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
        hidden = F.leaky_relu_((self.reduce(x) * (1 + scale)).add_(shift), SLOPE)
        return self.expand(F.leaky_relu_(self.spatial(hidden), SLOPE)).add_(x)


class Condition(nn.Module):
    """Turns a few raw numbers [B, N] into the condition [B, D] of `ConditionedBottleneck`.

    Example:
        >>> import torch
        >>> Condition(numbers=2, condition=6)(torch.tensor([[0.5, -1.0]])).shape
        torch.Size([1, 6])
    """

    def __init__(self, numbers: int, condition: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(numbers, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU()
        )

    def forward(self, numbers: Tensor) -> Tensor:
        return self.layers(numbers)


def mask_channels(x: Tensor, count: Tensor) -> Tensor:
    """Zeroes all but the first ``count[b]`` channels of x[b]; x is [B, C, H, W], count int64[B]."""
    index = torch.arange(x.shape[1], device=x.device)
    return x * (index[None, :] < count[:, None])[:, :, None, None].to(x.dtype)
