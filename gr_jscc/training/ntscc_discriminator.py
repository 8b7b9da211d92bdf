"""The discriminator of NTSCC's perceptual loss: is this picture the source that the latents came from?

That of HiFiC (Mentzer et al. 2020, "High-fidelity generative image compression", figure 2), which NTSCC takes over:
convolutional, so that every patch of a picture is judged, and conditioned on the latents.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

CONDITION = 12  # channels that the latents are summed up in
WIDTHS = ((64, 2), (128, 2), (256, 2), (512, 1))  # channels and stride of each convolution
KERNEL = 4
SLOPE = 0.2


class Discriminator(nn.Module):
    """Judges patches; every convolution is spectrally normalised.

    Args:
        latents: C.

    Example:
        >>> Discriminator(latents=6)(torch.zeros(1, 3, 32, 48), torch.zeros(1, 6, 2, 3)).shape
        torch.Size([1, 1, 4, 6])
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.condition = spectral_norm(nn.Conv2d(latents, CONDITION, 3, padding=1))
        layers, inputs = [], 3 + CONDITION
        for width, stride in WIDTHS:
            layers += [
                nn.ZeroPad2d((1, 2, 1, 2) if stride == 1 else 1),
                spectral_norm(nn.Conv2d(inputs, width, KERNEL, stride)),
                nn.LeakyReLU(SLOPE),
            ]
            inputs = width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(inputs, 1, 1)))

    def forward(self, pictures: Tensor, latents: Tensor) -> Tensor:
        """Log-odds float32[B, 1, H/8, W/8] that a patch is from the source and not from a decoder.

        Args:
            pictures: float32[B, 3, H, W] in [0, 1]; sides multiples of 8.
            latents: float32[B, C, h, w] of about unit variance, of a coarser grid over the same picture.
        """
        told = F.leaky_relu(self.condition(latents), SLOPE)
        told = F.interpolate(told, size=pictures.shape[2:], mode="nearest")
        return self.layers(torch.cat([2 * pictures - 1, told], dim=1))
