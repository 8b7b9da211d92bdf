"""A density of hyperlatents given those before them: they are decoded exactly, so that each may help with the next.

Of a position count its neighbours on the left and above, as in Minnen, Ballé & Toderici (2018); of a group of channels
the groups before it at the same position, as in Minnen & Singh (2020).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.nn.entropy_models import logistic_mixture_bits, rounded

NEIGHBOURS = ((0, -1), (-1, 0), (-1, -1), (-1, 1))  # rows down and columns right of a position
SIZE = 0.3  # brings hyperlatents to about unit variance
LOG_SCALES = (-3.0, 4.0)


class HyperContext(nn.Module):
    """Means and scales of logistic distributions, from what is decoded before.

    Args:
        channels: Z.
        width: features of a position's neighbours.
        inner: features of a group.
        groups: that channels are coded in.

    Raises:
        ValueError: they cannot be as many in each.

    Example:
        >>> context = HyperContext(channels=4, width=8, inner=8, groups=2)
        >>> context(torch.zeros(1, 4, 2, 3), torch.tensor([0.5])).shape
        torch.Size([1, 4, 2, 3])
    """

    def __init__(self, channels: int, width: int, inner: int, groups: int) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"{groups} groups must divide {channels} channels")
        self.channels, self.each = channels, channels // groups
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.around = nn.Linear(len(NEIGHBOURS) * (channels + 1) + 1, width)
        self.groups = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width + self.each * group, inner), nn.LeakyReLU(0.1), nn.Linear(inner, 2 * self.each)
            )
            for group in range(groups)
        )
        for group in self.groups:  # a fresh one says what holds of all pictures
            nn.init.zeros_(group[-1].weight)
            nn.init.zeros_(group[-1].bias)

    @staticmethod
    def neighbours(hyper: Tensor) -> Tensor:
        """What is around every position of [B, Z, h, w], and whether it is in the picture: [B, h, w, 4·(Z + 1)]."""
        height, width = hyper.shape[2:]
        known = framed(hyper)
        parts = [known[:, :, 1 + row :, 1 + column :][:, :, :height, :width] for row, column in NEIGHBOURS]
        return torch.cat(parts, 1).permute(0, 2, 3, 1)

    @staticmethod
    def neighbours_at(known: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Those of n positions int64[n] of a picture's [Z + 1, h + 1, w + 2] of `framed`: [n, 4·(Z + 1)]."""
        return torch.cat([known[:, 1 + row + rows, 1 + column + columns] for row, column in NEIGHBOURS]).T

    def channels_of(self, number: int) -> slice:
        """The channels of a group."""
        return slice(self.each * number, self.each * (number + 1))

    def features(self, neighbours: Tensor, quality: Tensor) -> Tensor:
        """[..., width] from [..., 4·(Z + 1)] neighbours at qualities [..., 1]."""
        return F.leaky_relu(self.around(torch.cat([neighbours, quality], -1)), 0.1)

    def group(self, number: int, features: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale [..., Z / groups] of a group, from features and hyperlatents [..., n] of those before."""
        own = self.channels_of(number)
        mean, log_scale = self.groups[number](torch.cat([features, SIZE * before], -1)).chunk(2, -1)
        return self.mean[own] + mean, (self.log_scale[own] + log_scale).clamp(*LOG_SCALES)

    def forward(self, hyper: Tensor, quality: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """−log2 of the probability of hyperlatents, float32[B, Z, h, w].

        Args:
            hyper: of the same shape, not rounded.
            quality: float32[B].
            generator: of uniform noise in place of rounding, for training, where they are counted; as contexts they are
                rounded all the same. None: rounds.
        """
        given = rounded(hyper)
        counted = given
        if generator is not None:
            counted = hyper + torch.rand(hyper.shape, generator=generator, device=hyper.device) - 0.5
        around = self.neighbours(given)
        features = self.features(around, quality[:, None, None, None].expand(*around.shape[:3], 1))
        before, parts = given.permute(0, 2, 3, 1), []
        for number in range(len(self.groups)):
            parts.append(self.group(number, features, before[..., : self.each * number]))
        mean, log_scale = (torch.cat(part, -1).permute(0, 3, 1, 2).float() for part in zip(*parts))
        one = torch.zeros_like(mean)[..., None]
        return logistic_mixture_bits(counted, mean[..., None], log_scale[..., None], one)


def framed(hyper: Tensor) -> Tensor:
    """[B, Z + 1, h + 1, w + 2]: hyperlatents and whether they are any, with zeros on the left, above and right."""
    return F.pad(torch.cat([SIZE * hyper, torch.ones_like(hyper[:, :1])], 1), (1, 1, 1, 0))
