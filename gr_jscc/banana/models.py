"""The "banana" source of the NTSCC paper (section IV-B) and the three systems that it compares there.

A source of two correlated numbers, small enough to see what a system does: where it puts its codewords, and where it
spends the channel. The paper gives no formula; this is the usual one of this name (Ballé et al. 2020): a Gaussian bent
along a parabola, and turned.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.nn.entropy_models import logistic_mixture_bits, rounded

SPREAD = (3.0, 0.5)  # standard deviations along the parabola and across
BEND = 0.1
TURN = math.radians(240)
HIDDEN = 200
RATES = 16  # 0 to 15 real channel values a sample
COMPONENTS = 8  # of the prior of each latent
MULTIPLIERS = (16.0, 0.1)  # λ at quality 0 and 1: squared error per bit


def draw_banana(count: int, generator: torch.Generator) -> Tensor:
    """Samples float32[count, 2]."""
    along, across = torch.randn(2, count, generator=generator).mul(torch.tensor(SPREAD)[:, None])
    bent = across + BEND * (along.square() - SPREAD[0] ** 2)
    cos, sin = math.cos(TURN), math.sin(TURN)
    return torch.stack([cos * along - sin * bent, sin * along + cos * bent], dim=1)


def perceptron(inputs: int, hidden_layers: int, outputs: int) -> nn.Sequential:
    """inputs-200-…-outputs."""
    sizes = [inputs, *[HIDDEN] * hidden_layers]
    layers: list[nn.Module] = []
    for before, after in zip(sizes, sizes[1:]):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def over_channel(values: Tensor, sent: Tensor, snr_db: float, generator: torch.Generator) -> Tensor:
    """Scales the values that are sent to mean power 1 over all samples, and adds noise of variance 1/snr to each.

    The scale is one number for the source, which both ends know; real channel uses, as the paper counts here.

    Args:
        values: float32[..., N, k], N samples of each group.
        sent: bool of the same shape.
    """
    values = torch.where(sent, values, 0)
    power = values.square().sum((-2, -1), keepdim=True).clamp(min=1e-9)
    values = values * (sent.sum((-2, -1), keepdim=True) / power).sqrt()
    noise = torch.randn(values.shape, generator=generator) * 10 ** (-snr_db / 20)
    return torch.where(sent, values + noise, 0)


def multiplier(quality: Tensor) -> Tensor:
    """λ for a quality from 0 to 1."""
    low, high = (math.log(bound) for bound in MULTIPLIERS)
    return (low + (high - low) * quality).exp()


class BananaNTC(nn.Module):
    """A compressor: 2-200-200-200-2 transforms and a factorised prior, told the quality.

    Example:
        >>> network, quality = BananaNTC(), torch.full((5, 1), 0.5)
        >>> latents = network.analyse(torch.zeros(5, 2), quality)
        >>> latents.shape, network.bits(latents, quality).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.analysis, self.synthesis = perceptron(3, 3, 2), perceptron(3, 3, 2)
        self.log_step = nn.Linear(1, 1)
        self.prior = perceptron(1, 1, 2 * 3 * COMPONENTS)
        nn.init.constant_(self.log_step.weight, -2.0)
        nn.init.constant_(self.log_step.bias, 0.5)

    def analyse(self, x: Tensor, quality: Tensor) -> Tensor:
        """g_a: float32[..., 2] and float32[..., 1] → latents float32[..., 2] in units of the quantiser's step."""
        return self.analysis(torch.cat([x, quality], dim=-1)) / self.log_step(quality).exp()

    def synthesise(self, y: Tensor, quality: Tensor) -> Tensor:
        """g_s: latents → float32[..., 2]."""
        return self.synthesis(torch.cat([y * self.log_step(quality).exp(), quality], dim=-1))

    def bits(self, y: Tensor, quality: Tensor) -> Tensor:
        """−log2 of each sample's probability, float32[...]."""
        parameters = self.prior(quality).unflatten(-1, (3, 2, COMPONENTS)).unbind(-3)
        places = torch.linspace(-6, 6, COMPONENTS) / self.log_step(quality).exp()[..., None]
        width = -self.log_step(quality)[..., None]
        mean, log_scale, log_weight = parameters
        return logistic_mixture_bits(y, mean + places, log_scale + width, log_weight).sum(-1)

    def forward(self, x: Tensor, quality: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, what they come to when compressed, and bits with noise in place of rounding."""
        y = self.analyse(x, quality)
        noise = torch.rand(y.shape, generator=generator) - 0.5
        return y, self.synthesise(rounded(y), quality), self.bits(y + noise, quality)


class BananaNTSCC(nn.Module):
    """The compressor's transforms, and a 2-200-200-k codec whose k follows the entropy model.

    Example:
        >>> BananaNTSCC().rate(bits=torch.tensor([0.4, 4.0, 40.0]), eta=torch.tensor(0.9))
        tensor([ 0,  4, 15])
    """

    def __init__(self) -> None:
        super().__init__()
        self.compressor = BananaNTC()
        self.encoder = perceptron(2 + RATES + 1, 2, RATES - 1)
        self.decoder = perceptron(2 * RATES, 2, 2)

    def rate(self, bits: Tensor, eta: Tensor, most: Tensor | int = RATES - 1) -> Tensor:
        """k̄ int64[...]: η·bits, rounded, and at most so many (the largest of the paper's set V).

        Bits are of the latents as they are, since they are sent so. Those of rounded latents are few different numbers,
        and when η lets one of them cross ½ a fifth of all samples gets a channel value more at once.
        """
        return torch.minimum((eta * bits.detach()).round().long(), torch.as_tensor(most))

    def transmit(self, y: Tensor, rate: Tensor, quality: Tensor, snr_db: float, generator: torch.Generator) -> Tensor:
        """f_e, the channel, f_d and g_s: latents float32[..., N, 2] → float32[..., N, 2]; rate is int64[..., N]."""
        token = F.one_hot(rate, RATES).float()
        scaled = y * self.compressor.log_step(quality).exp()
        values = self.encoder(torch.cat([scaled, token, quality], dim=-1))
        sent = torch.arange(RATES - 1) < rate[..., None]
        received = over_channel(values, sent, snr_db, generator)
        estimate = self.decoder(torch.cat([received, token, quality], dim=-1))
        return self.compressor.synthesise(estimate / self.compressor.log_step(quality).exp(), quality)


class BananaDeepJSCC(nn.Module):
    """Plain DeepJSCC: 2-200-200-200-k and back, the same k for every sample.

    Example:
        >>> generator = torch.Generator().manual_seed(1)
        >>> BananaDeepJSCC(values=3)(torch.zeros(5, 2), snr_db=5.0, generator=generator).shape
        torch.Size([5, 2])
    """

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.encoder, self.decoder = perceptron(2, 3, values), perceptron(values, 3, 2)

    def forward(self, x: Tensor, snr_db: float, generator: torch.Generator) -> Tensor:
        values = self.encoder(x)
        return self.decoder(over_channel(values, torch.ones_like(values, dtype=torch.bool), snr_db, generator))
