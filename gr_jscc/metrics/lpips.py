"""LPIPS, the learned perceptual image patch similarity (Zhang et al. 2018), version 0.1 on AlexNet, in plain torch.

Features of AlexNet's five layers, each position scaled to length 1; squared differences, weighted by channel, averaged
over positions and summed over layers. The weights are not this project's to ship: ``gr-jscc lpips`` gets them once (see
`gr_jscc.metrics.lpips_weights`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gr_jscc.files.installation import data_folder

# Channels in and out, kernel, stride and padding of AlexNet's convolutions; the first two are followed by a pooling.
LAYERS = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
POOLED = 2
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of colour values from -1 to 1
TINY = 1e-10
SMALLEST_SIDE = 64  # pixels; smaller pictures leave nothing of the last layers


class LPIPS(nn.Module):
    """Distances of pictures; 0 is the same. Loads `state_dict` of its own names from the converted weights.

    Example:
        >>> pictures = torch.zeros(2, 3, 64, 80)
        >>> LPIPS()(pictures, pictures).detach()  # weights are drawn: the trained ones are `lpips_network`'s
        tensor([0., 0.])
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, k, s, p) for i, o, k, s, p in LAYERS)
        self.heads = nn.ParameterList(nn.Parameter(torch.ones(1, o, 1, 1)) for _, o, *_ in LAYERS)
        for name, values in (("shift", SHIFT), ("scale", SCALE)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Of float32[B, 3, H, W] from -1 to 1, five float32[B, C, h, w] of length 1 over C."""
        x, found = (pictures - self.shift) / self.scale, []
        for i, convolution in enumerate(self.convolutions):
            x = F.relu(convolution(x if i == 0 or i > POOLED else F.max_pool2d(x, 3, 2)))
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + TINY))
        return found

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances float32[B] of two batches float32[B, 3, H, W] from -1 to 1, sides of at least `SMALLEST_SIDE`."""
        return self.distance(self.features(first), self.features(second))

    def distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Distances float32[B] of two batches by their features."""
        total = first[0].new_zeros(len(first[0]))
        for a, b, head in zip(first, second, self.heads):
            total = total + (head * (a - b).square()).sum(1).mean((1, 2))
        return total


def weights_file() -> Path:
    """Where ``gr-jscc lpips`` puts the weights."""
    return data_folder() / "lpips-alex-0.1.safetensors"


def missing_for_lpips() -> str:
    """What this machine lacks for LPIPS, in a clause; empty where it lacks nothing."""
    return (
        ""
        if weights_file().is_file()
        else "its weights are not installed; `gr-jscc lpips` downloads them (64 MB, once)"
    )


@lru_cache(1)
def lpips_network() -> LPIPS:
    """The network with its weights.

    Raises:
        FileNotFoundError: they are not here, see `missing_for_lpips`.
        ValueError: the file is damaged.
    """
    network = LPIPS().eval().to(memory_format=torch.channels_last)
    try:
        network.load_state_dict(load_file(str(weights_file())))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{weights_file()} is damaged; remove it and run gr-jscc lpips again") from error
    return network
