"""The hyperprior of NTSCC: h_a summarises latents, h_s says what mean and scale each latent has given the summary."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.nn.entropy_models import FactorisedPrior
from gr_jscc.nn.growing import spread_parts

STRIDE = 4  # latent positions of a hyperlatent's side


class Hyperprior(nn.Module):
    """h_a, h_s and the density of what is between them.

    Args:
        latents: C.
        width: channels inside.
        channels: Z of the hyperlatents float32[B, Z, ⌈h/4⌉, ⌈w/4⌉].
        kernel: side of the inner kernels; the paper has 5.
        padding: what the convolutions see beyond the edges, ``zeros`` or ``replicate``.
        analog: whether hyperlatents cross as channel symbols. They have no density then, and h_s is given one number
            more of every position, how well they arrived.

    Example:
        >>> hyperprior = Hyperprior(latents=8, width=8, channels=3, kernel=3)
        >>> hyper = hyperprior.summarise(torch.zeros(1, 8, 6, 10))
        >>> hyper.shape, [tuple(part.shape) for part in hyperprior.describe(hyper, 6, 10)]
        (torch.Size([1, 3, 2, 3]), [(1, 8, 6, 10), (1, 8, 6, 10)])
    """

    def __init__(
        self, latents: int, width: int, channels: int, kernel: int, padding: str = "zeros", analog: bool = False
    ) -> None:
        super().__init__()
        self.channels = channels
        self.mode = "constant" if padding == "zeros" else padding  # the same for `torch.nn.functional.pad`
        half = kernel // 2
        self.analysis = nn.Sequential(
            nn.Conv2d(latents, width, 1), nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, kernel, stride=2, padding=half, padding_mode=padding), nn.LeakyReLU(0.1),
            nn.Conv2d(width, channels, kernel, stride=2, padding=half, padding_mode=padding),
        )  # fmt: skip
        self.synthesis = nn.Sequential(
            nn.Conv2d(channels + analog, 4 * width, 3, padding=1, padding_mode=padding),
            nn.PixelShuffle(2), nn.LeakyReLU(0.1),
            nn.Conv2d(width, 4 * width, 3, padding=1, padding_mode=padding), nn.PixelShuffle(2), nn.LeakyReLU(0.1),
            nn.Conv2d(width, 2 * latents, 1),
        )  # fmt: skip
        nn.init.zeros_(self.synthesis[-1].weight)  # a fresh one says what holds of all pictures
        nn.init.zeros_(self.synthesis[-1].bias)
        if not analog:
            self.prior = FactorisedPrior(channels)

    @torch.no_grad()
    def grown(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a hyperprior of fewer latents: means come first, then scales."""
        last, own = len(self.synthesis) - 1, self.synthesis[-1]
        return {
            key: spread_parts(tensors[key], torch.zeros_like(value), 2, 0)
            for key, value in ((f"synthesis.{last}.weight", own.weight), (f"synthesis.{last}.bias", own.bias))
            if key in tensors
        }

    def summarise(self, values: Tensor) -> Tensor:
        """h_a: hyperlatents, not rounded, of scaled latents float32[B, C, h, w]."""
        return self.condense(self.enter(self.padded(values)))

    def padded(self, values: Tensor) -> Tensor:
        """Scaled latents with sides that are multiples of `STRIDE`."""
        height, width = values.shape[2:]
        return F.pad(values, (0, -width % STRIDE, 0, -height % STRIDE), self.mode)

    def enter(self, values: Tensor) -> Tensor:
        """The first layer of h_a, of each position by itself."""
        # What counts is the latents' size, and large ones no more than others.
        return self.analysis[:2](asinh(values))

    def condense(self, features: Tensor) -> Tensor:
        """The other layers of h_a, of features whose sides are multiples of `STRIDE`."""
        return self.analysis[2:](features).float()

    def describe(self, hyper: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """h_s: mean and scale [B, C, height, width] of latents that have unit variance over all pictures.

        They are float32, or float64 of a hyperprior in double precision.
        """
        return self.moments(self.features(hyper, height, width))

    def features(self, hyper: Tensor, height: int, width: int) -> Tensor:
        """All of h_s but its last layer, for `moments`."""
        return self.synthesis[:-1](hyper)[:, :, :height, :width]

    def moments(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The last layer of h_s, of each position by itself; returns as `describe`."""
        described = self.synthesis[-1](features)
        mean, log_scale = described.to(torch.promote_types(described.dtype, torch.float32)).chunk(2, dim=1)
        return mean, log_scale.clamp(-5, 2).exp()


def asinh(x: Tensor) -> Tensor:
    """As torch's, which does not use the CPU's vector units and takes half as long again, for every quality tried."""
    size = x.abs()
    return torch.copysign(torch.log1p(size + size.square() / (1 + (1 + size.square()).sqrt())), x)
