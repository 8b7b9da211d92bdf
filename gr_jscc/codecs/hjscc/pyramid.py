"""The linear skeleton of HJSCC: the transforms' latents as coefficients on several levels, each at half the resolution.

What a level holds of the next finer one is a linear prediction; the networks of the hierarchy add to it. A fresh
pyramid is made of Karhunen–Loève transforms in units of the picture's error, so that a unit error of any coefficient
costs the same and a fresh network is a linear code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pyramid(nn.Module):
    """Analysis and synthesis between latents and levels, in float32 whatever the autocast.

    Args:
        latents: C of the transforms' latents.
        channels: coefficients at a position of each level, coarsest first; the finest has at most C.
        kept: of the strongest coefficients of each level but the coarsest, how many the next coarser one describes.

    Example:
        >>> pyramid = Pyramid(latents=8, channels=[6, 8], kept=[4])
        >>> [tuple(level.shape) for level in pyramid.analyse(torch.zeros(1, 8, 4, 6))]
        [(1, 6, 2, 3), (1, 8, 4, 6)]
    """

    def __init__(self, latents: int, channels: list[int], kept: list[int]) -> None:
        super().__init__()
        self.channels, self.kept = list(channels), list(kept)
        self.rotate = nn.Conv2d(latents, channels[-1], 1)
        self.unrotate = nn.Conv2d(channels[-1], latents, 1)
        self.down = nn.ModuleList(nn.Conv2d(k, c, 2, stride=2, bias=False) for k, c in zip(kept, channels))
        self.up = nn.ModuleList(nn.Conv2d(c, 4 * k, 1, bias=False) for k, c in zip(kept, channels))

    def analyse(self, latents: Tensor) -> list[Tensor]:
        """Coefficients float32[B, channels, h, w] of every level, coarsest first; sides must divide evenly."""
        with torch.autocast(latents.device.type, enabled=False):
            levels = [self.rotate(latents.float())]
            for down, kept in zip(reversed(self.down), reversed(self.kept)):
                levels.append(down(levels[-1][:, :kept]))
        return levels[::-1]

    def expand(self, level: int, coefficients: Tensor) -> Tensor:
        """What the coefficients of a level say of those of the next finer one."""
        with torch.autocast(coefficients.device.type, enabled=False):
            known = F.pixel_shuffle(self.up[level](coefficients), 2)
        return F.pad(known, (0, 0, 0, 0, 0, self.channels[level + 1] - known.shape[1]))

    def expand_variance(self, level: int, variance: Tensor) -> Tensor:
        """What errors of such variances, any floating-point type, come to in what `expand` says."""
        with torch.autocast(variance.device.type, enabled=False):
            shares = self.up[level].weight.detach().to(variance.dtype).square()
            known = F.pixel_shuffle(F.conv2d(variance, shares), 2)
        return F.pad(known, (0, 0, 0, 0, 0, self.channels[level + 1] - known.shape[1]))

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Latents from the coefficients of the finest level."""
        with torch.autocast(coefficients.device.type, enabled=False):
            return self.unrotate(coefficients)

    def spread(self, variance: Tensor) -> Tensor:
        """Variances of the latents' errors from those of the finest coefficients' errors."""
        with torch.autocast(variance.device.type, enabled=False):
            return F.conv2d(variance, self.unrotate.weight.square())

    @torch.no_grad()
    def start(self, latents: Tensor, error: Tensor, trained: bool) -> list[Tensor]:
        """Makes all maps between levels Karhunen–Loève transforms, and the one to the finest level, too, or none.

        Args:
            latents: float32[N, C, h, w] of training crops.
            error: float32[C], squared error in the picture for a unit error of each latent.
            trained: whether the transforms that made them are; each latent is kept as it is then, the strongest first.
                Of ntscc-photo's that takes 3 % fewer symbols for the same pictures than to decorrelate them.

        Returns:
            Variance float32[channels] of what each level adds to the prediction from the next coarser one, coarsest
            first.
        """
        weight = error.sqrt()
        weighted, count = latents * weight[:, None, None], self.channels[-1]
        mean, basis = _strongest(weighted, count) if trained else _principal(weighted, count)
        self.rotate.weight.copy_((basis * weight)[:, :, None, None])
        self.rotate.bias.copy_(-basis @ mean)
        self.unrotate.weight.copy_((basis / weight).T[:, :, None, None])
        self.unrotate.bias.copy_(mean / weight)
        finer = self.rotate(latents)
        for down, up, kept, count in list(zip(self.down, self.up, self.kept, self.channels))[::-1]:
            _, basis = _principal(F.pixel_unshuffle(finer[:, :kept], 2), count)
            down.weight.copy_(basis.reshape(count, kept, 2, 2))
            up.weight.copy_(basis.T[:, :, None, None])
            finer = down(finer[:, :kept])
        levels = self.analyse(latents)
        added = [levels[0]] + [levels[i + 1] - self.expand(i, levels[i]) for i in range(len(levels) - 1)]
        return [level.square().mean((0, 2, 3)).clamp(min=1e-9) for level in added]


def _strongest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean float32[C] of float32[N, C, h, w], and the rows float32[count, C] that pick the strongest channels."""
    order = values.var((0, 2, 3)).argsort(descending=True)[:count]
    return values.mean((0, 2, 3)), torch.eye(values.shape[1])[order]


def _principal(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean float32[C] and the strongest ``count`` principal components float32[count, C] of float32[N, C, h, w]."""
    rows = values.permute(0, 2, 3, 1).reshape(-1, values.shape[1]).double()
    mean = rows.mean(0)
    _, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    return mean.float(), vectors.flip(1)[:, :count].T.float().contiguous()
