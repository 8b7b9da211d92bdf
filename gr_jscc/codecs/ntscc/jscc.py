"""The rate-adaptive codec of NTSCC: f_e maps every latent vector to as many channel values as its rate says, and f_d
estimates it from what arrived (section III-B of the paper, figure 7).

Both work on *normalised* latents, each of unit variance over all pictures. A position at rate k sends the first k of
its C values, each with a gain of its own for that rate; rate tokens tell the attention blocks which rate that is.
Where the paper maps by a matrix for every rate, the gains suffice here: latents are in order of importance, and the
blocks before can mix them. In return the receiver can start from the best linear estimate, which uses the noise
variance of every single symbol and, from the hyperprior, the mean and variance of every latent.

Both ends know that mean and variance. With *innovations* only what they leave open is sent: latents less their means,
with a gain that falls with the standard deviation. Its root is the best exponent where the noise is weak (Lee &
Petersen 1976); it is learned, for each rate and latent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gr_jscc.nn.growing import deaf_inputs, spread_parts
from gr_jscc.nn.window_attention import WindowBlocks


@dataclass(frozen=True)
class Prior:
    """What both ends know of normalised latents before anything is sent: float32[B, C, h, w] each.

    Attributes:
        mean, variance: by the hyperprior; 0 and 1 without one.

    Example:
        >>> attention = {"inner": 4, "heads": 1, "window": 4, "hidden": 4}
        >>> encoder = JSCCEncoder(latents=4, rates=2, blocks=1, attention=attention, innovations=4)
        >>> prior = Prior(mean=torch.zeros(1, 4, 1, 1), variance=torch.full((1, 4, 1, 1), 16.0))
        >>> encoder.gain(torch.zeros(1, 1, 1, dtype=torch.int64), prior).detach().flatten()  # 16^(-1/4)
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """

    mean: Tensor
    variance: Tensor


class JSCCEncoder(nn.Module):
    """f_e.

    Args:
        latents: C.
        rates: R, how many there are.
        blocks: attention blocks.
        attention: keyword arguments of `WindowBlocks`.
        innovations: hidden channels of what mixes latents, means and variances; 0: latents are sent as they are.

    Example:
        >>> attention = {"inner": 4, "heads": 1, "window": 4, "hidden": 4}
        >>> encoder = JSCCEncoder(latents=4, rates=2, blocks=1, attention=attention)
        >>> latents, index = torch.ones(1, 4, 1, 2), torch.tensor([[[0, 1]]])
        >>> sent = torch.arange(4)[None, :, None, None] < torch.tensor([2, 4])[index][:, None]
        >>> values = encoder(latents, index, sent, Prior(torch.zeros_like(latents), torch.ones_like(latents)))
        >>> values.count_nonzero(dim=1)
        tensor([[[2, 4]]])
    """

    def __init__(self, latents: int, rates: int, blocks: int, attention: dict, innovations: int = 0) -> None:
        super().__init__()
        self.tokens = nn.Embedding(rates, latents)
        self.blocks = WindowBlocks(latents, blocks, **attention)
        self.log_gain = nn.Embedding(rates, latents)
        for table in (self.tokens, self.log_gain):
            nn.init.zeros_(table.weight)
        self.exponent = self.mixture = None
        if innovations:
            self.exponent = nn.Embedding(rates, latents)
            nn.init.constant_(self.exponent.weight, -0.25)  # of the variance
            self.mixture = _refinement(latents, innovations)

    @torch.no_grad()
    def grown(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of an encoder of fewer latents or rates, for this one."""
        return _grown_tables(self, ("tokens", "log_gain", "exponent"), tensors) | _grown_mixer(
            self.mixture, "mixture", tensors
        )

    def gain(self, index: Tensor, prior: Prior) -> Tensor:
        """Amplitude gains float32[B, C, h, w].

        Args:
            index: int64[B, h, w], rate indexes.
            prior: what both ends know of the latents.
        """
        log_gain = self.log_gain(index).permute(0, 3, 1, 2).float()
        if self.exponent is not None:
            log_gain = log_gain + self.exponent(index).permute(0, 3, 1, 2).float() * prior.variance.log()
        return log_gain.exp()

    def offset(self, prior: Prior) -> Tensor:
        """What is taken off the latents before the gain, float32[B, C, h, w]."""
        return prior.mean if self.exponent is not None else torch.zeros_like(prior.mean)

    def forward(self, latents: Tensor, index: Tensor, sent: Tensor, prior: Prior) -> Tensor:
        """Channel values float32[B, C, h, w], not scaled to a power; 0 where nothing is sent.

        Args:
            latents: float32[B, C, h, w], normalised.
            index: int64[B, h, w], rate indexes.
            sent: bool[B, C, h, w], the first values of every position that its rate admits.
            prior: what both ends know of the latents.
        """
        x = self.blocks(latents + self.tokens(index).permute(0, 3, 1, 2)).float()
        if self.mixture is not None:
            x = x + self.mixture(torch.cat([latents, prior.mean, prior.variance.log() / 2], dim=1)).float()
        return torch.where(sent, (x - self.offset(prior)) * self.gain(index, prior), 0)


class JSCCDecoder(nn.Module):
    """f_d, and with ``refine`` f_d*: the hyperprior's mean and scale join in the estimate.

    Args:
        latents, rates, blocks, attention: as `JSCCEncoder`.
        refine: hidden channels of the refinement; 0 for none (Comparison-I of the paper).

    Example:
        >>> attention = {"inner": 4, "heads": 1, "window": 4, "hidden": 4}
        >>> decoder = JSCCDecoder(latents=4, rates=2, blocks=1, attention=attention, refine=0)
        >>> one, none = torch.ones(1, 4, 1, 2), torch.zeros(1, 4, 1, 2)
        >>> index, known = torch.zeros(1, 1, 2, dtype=torch.int64), Prior(none, one)
        >>> _, trust = decoder(one, one, gain=one, offset=none, index=index, sent=one.bool(), prior=known)
        >>> float(trust.mean())  # as strong as the noise
        0.5
    """

    def __init__(self, latents: int, rates: int, blocks: int, attention: dict, refine: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(rates, latents)
        nn.init.zeros_(self.tokens.weight)
        self.blocks = WindowBlocks(latents, blocks, **attention, shifted=True)
        self.refinement = None
        if refine:
            self.refinement = _refinement(latents, refine)

    @torch.no_grad()
    def grown(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a decoder of fewer latents or rates, for this one."""
        return _grown_tables(self, ("tokens",), tensors) | _grown_mixer(self.refinement, "refinement", tensors)

    def forward(
        self, received: Tensor, noise_var: Tensor, gain: Tensor, offset: Tensor, index: Tensor, sent: Tensor,
        prior: Prior,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Estimates of normalised latents and the trust in them, float32[B, C, h, w].

        Args:
            received: float32[B, C, h, w], channel values before their scaling to a power.
            noise_var: of each, in the same units; large where a value never arrived.
            gain, offset: of the encoder.
            index: int64[B, h, w].
            sent: bool[B, C, h, w].
            prior: what both ends know of the latents.
        """
        x, trust = self.arrived(received, noise_var, gain, offset, index, sent, prior)
        return self.refined(self.blocks(x).float(), prior), trust

    def arrived(
        self, received: Tensor, noise_var: Tensor, gain: Tensor, offset: Tensor, index: Tensor, sent: Tensor,
        prior: Prior,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """What the blocks are given, from each value by itself, and the trust in it; arguments as of `forward`."""
        mean, variance = prior.mean, prior.variance
        kalman = torch.where(sent, variance * gain / (variance * gain.square() + noise_var), 0)
        estimate = mean + kalman * (received - gain * (mean - offset))
        trust = 1 - variance * (1 - kalman * gain)
        return estimate + self.tokens(index).permute(0, 3, 1, 2), trust.clamp(min=0)

    def refined(self, x: Tensor, prior: Prior) -> Tensor:
        """What the blocks made of it, float32[B, C, h, w], position by position: the estimates."""
        if self.refinement is None:
            return x
        return x + self.refinement(torch.cat([x, prior.mean, prior.variance.log() / 2], dim=1)).float()


def _refinement(latents: int, hidden: int) -> nn.Sequential:
    """[x, mean, log deviation] → what is added to x, nothing at first."""
    layers = nn.Sequential(nn.Conv2d(3 * latents, hidden, 1), nn.LeakyReLU(0.1), nn.Conv2d(hidden, latents, 1))
    nn.init.zeros_(layers[-1].weight)
    nn.init.zeros_(layers[-1].bias)
    return layers


def _grown_tables(module: nn.Module, names: tuple[str, ...], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tables of rates and latents: a rate that is new starts as the highest of the old, a latent as a fresh one's."""
    result = {}
    for key in (f"{name}.weight" for name in names):
        if key in tensors:
            own, old = module.get_parameter(key), tensors[key]
            rows = torch.cat([old, old[-1:].expand(max(len(own) - len(old), 0), -1)])
            result[key] = spread_parts(rows, own, 1, 1)
    return result


def _grown_mixer(layers: nn.Sequential | None, name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first layer of a `_refinement`, whose inputs are three times the latents."""
    key = f"{name}.0.weight"
    if layers is None or key not in tensors:
        return {}
    return {key: deaf_inputs(tensors[key], layers[0], parts=3)}
