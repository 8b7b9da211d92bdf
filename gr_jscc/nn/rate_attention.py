"""Attention to rates: lets an encoder shape what it sends by how much of it will be sent.

Zhang et al. (2025), "Learned image transmission with hierarchical variational autoencoder".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUMBERS = 2  # that describe the transmission as a whole


class RateAttention(nn.Module):
    """Adds to values what their improbability, their neighbours in the group and the rates suggest.

    The paper flattens all values of a group into one linear layer; here a position sees the mean of its group, which
    needs a fraction of the weights.

    Args:
        channels: C of the values [B, C, h, w].
        rates: how many there are.
        group: positions of a group's side.
        hidden: channels inside.

    Example:
        >>> attention = RateAttention(channels=4, rates=3, group=2, hidden=8)
        >>> values, given = torch.ones(1, 4, 2, 3), torch.zeros(1, 2, 3, dtype=torch.int64)
        >>> attention(values, torch.zeros_like(values), given, ideal=given, numbers=torch.zeros(1, NUMBERS)).shape
        torch.Size([1, 4, 2, 3])
    """

    def __init__(self, channels: int, rates: int, group: int, hidden: int) -> None:
        super().__init__()
        self.group = group
        self.inputs = nn.Conv2d(2 * channels, hidden, 1)
        self.shared = nn.Conv2d(hidden, hidden, 1)
        self.given, self.ideal = nn.Embedding(rates, 2 * hidden), nn.Embedding(rates, 2 * hidden)
        self.numbers = nn.Linear(NUMBERS, 2 * hidden)
        self.outputs = nn.Conv2d(hidden, channels, 1)
        for layer in (self.given, self.ideal, self.numbers, self.outputs):
            nn.init.zeros_(layer.weight)
        for layer in (self.numbers, self.outputs):
            nn.init.zeros_(layer.bias)

    def forward(self, values: Tensor, improbable: Tensor, given: Tensor, ideal: Tensor, numbers: Tensor) -> Tensor:
        """Values of the same shape.

        Args:
            values: float32[B, C, h, w], of unit variance.
            improbable: of the same shape, 0 for the likeliest value to 1.
            given: int64[B, h, w], index of the rate of each position's group.
            ideal: int64[B, h, w], index that the position would have had by itself.
            numbers: float32[B, `NUMBERS`], quality and SNR.
        """
        hidden = self.inputs(torch.cat([values, improbable], dim=1))
        hidden = hidden + of_group(self.shared(group_mean(hidden, self.group)), self.group, hidden.shape[2:])
        modulation = self.given(given) + self.ideal(ideal) + self.numbers(numbers)[:, None, None]
        scale, shift = modulation.permute(0, 3, 1, 2).chunk(2, dim=1)
        return values + self.outputs(F.gelu(hidden * (1 + scale) + shift)).float()


def group_mean(values: Tensor, group: int) -> Tensor:
    """Means of [B, C, h, w] over groups of positions, those at the edges over what there is of them."""
    return F.avg_pool2d(values, group, ceil_mode=True, count_include_pad=False) if group > 1 else values


def of_group(values: Tensor, group: int, size: tuple[int, int]) -> Tensor:
    """Values of groups [..., rows, columns] at each of their positions [..., h, w]."""
    if group == 1:
        return values
    repeated = values.repeat_interleave(group, dim=-2).repeat_interleave(group, dim=-1)
    return repeated[..., : size[0], : size[1]]
