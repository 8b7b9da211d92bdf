"""What latents cost in bits: a Gaussian conditional for latents, and a factorised prior for hyperlatents.

Ballé et al. (2018), "Variational image compression with a scale hyperprior", and Minnen, Ballé & Toderici (2018) for
the mean. While training, rounding is replaced by uniform noise of the same width. These are for counting bits and for
gradients; what is really coded uses the integer tables of `gr_jscc.codecs.parts.entropy_coding`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_SCALE = 0.11
LEAST = 1e-9  # probability of what a model holds impossible


def gaussian_bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """−log2 of the probability that N(mean, scale²) puts into [value − ½, value + ½]; float32, any shape."""
    scale = scale.clamp(min=SMALLEST_SCALE)
    # By symmetry at the side where the tail is small, or the difference would lose all digits.
    distance = (values - mean).abs()
    upper = torch.special.ndtr((0.5 - distance) / scale)
    lower = torch.special.ndtr((-0.5 - distance) / scale)
    return -(upper - lower).clamp(min=LEAST).log2()


def logistic_mixture_bits(values: Tensor, mean: Tensor, log_scale: Tensor, log_weight: Tensor) -> Tensor:
    """−log2 of the probability that a mixture of logistic distributions puts into [value − ½, value + ½].

    Args:
        values: float32[...].
        mean, log_scale, log_weight: float32[..., components], broadcastable; weights are the softmax of the last.
    """
    distance = (values.float()[..., None] - mean).abs()
    rate = (-log_scale).clamp(max=4).exp()
    upper, lower = torch.sigmoid((0.5 - distance) * rate), torch.sigmoid((-0.5 - distance) * rate)
    probability = (F.softmax(log_weight, dim=-1) * (upper - lower)).sum(-1)
    return -probability.clamp(min=LEAST).log2()


class FactorisedPrior(nn.Module):
    """Each hyperlatent channel's own density: a mixture of logistic distributions, [B, Z, H, W] → bits.

    Args:
        channels: Z.
        components: of the mixture.

    Example:
        >>> prior = FactorisedPrior(channels=2)
        >>> bits = prior(torch.tensor([0.0, 8.0]).reshape(1, 2, 1, 1)).flatten()
        >>> bool(bits[0] < bits[1])
        True
    """

    def __init__(self, channels: int, components: int = 3) -> None:
        super().__init__()
        middle = torch.linspace(-2, 2, components, device="cpu") if components > 1 else torch.zeros(1)
        self.mean = nn.Parameter(middle.repeat(channels, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, components))
        self.log_weight = nn.Parameter(torch.zeros(channels, components))

    def forward(self, z: Tensor) -> Tensor:
        """−log2 of the probability of [z − ½, z + ½], float32[B, Z, H, W]."""
        parameters = (p[None, :, None, None] for p in (self.mean, self.log_scale, self.log_weight))
        return logistic_mixture_bits(z, *parameters)


def rounded(x: Tensor) -> Tensor:
    """Rounds; the gradient passes as if it had not."""
    return x + (x.round() - x).detach()
