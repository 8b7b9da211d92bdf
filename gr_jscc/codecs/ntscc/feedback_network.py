"""NTSCC with feedback as a differentiable torch module: the same transforms and hyperprior, and several rounds.

    picture ─ g_a ─ y ─ what the receiver lacks most of it ─ symbols ─ channel ─ estimate ─ g_s ─ picture
               │          ▲                                                        │
               └ z ─── side info: μ, σ                                             │
                          └──────────────────── feedback ──────────────────────────┘

z tells both ends a mean and a variance of every latent. A round sends, of the latents whose variance is above a
threshold, what the receiver's estimate is off by, each with a gain of about σ^(−0.8); a Kalman estimate with each
symbol's own noise variance makes variances smaller, and the next round begins with these. Thus bits are never spent
twice, channel noise is corrected, and which latents are sent follows at both ends from z, a threshold and the noise
variances: there is no rate map. That later rounds go on from what arrived is the idea of HJSCC (Zhang et al. 2025);
linear codes with feedback are those of Schalkwijk & Kailath (1966).

Variances are reckoned in double precision, so that two machines take the same latents for those above the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gr_jscc.codecs.ntscc.jscc import NEVER
from gr_jscc.codecs.ntscc.latent_model import LatentModel
from gr_jscc.codecs.parts.power_scale import known_scale
from gr_jscc.nn.entropy_models import rounded

VARIANCES = (1e-4, 60.0)  # that are believed of a normalised latent
LEAST_VARIANCE = 1e-7
SOFTNESS = 0.5  # of a variance's natural logarithm: over so much the gradient of being sent is spread


@dataclass(frozen=True)
class Belief:
    """What both ends know of normalised latents, [B, C, h, w] each.

    Attributes:
        prior: float64, variance by the hyperprior.
        estimate: float32, the mean given all that arrived.
        variance: float64, of the estimate's error.

    Example:
        >>> belief = NTSCCFeedbackNetwork.begin(torch.zeros(1, 8, 4, 4), torch.ones(1, 8, 4, 4))
        >>> belief.variance.dtype, float(belief.variance.mean())
        (torch.float64, 1.0)
    """

    prior: Tensor
    estimate: Tensor
    variance: Tensor


class NTSCCFeedbackNetwork(LatentModel):
    """Transforms, hyperprior and the gains of every round; images float32[B, 3, H, W] in [0, 1].

    Args:
        latents, transforms, hyper: as `LatentModel`.
        rounds: how many there are.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> network = NTSCCFeedbackNetwork(8, windows, {"width": 8, "channels": 3, "kernel": 3})
        >>> belief = network.begin(torch.zeros(1, 8, 4, 4), torch.ones(1, 8, 4, 4))
        >>> mask = network.lacking(belief, quality=torch.tensor([0.5]), threshold=torch.tensor([0.5]))
        >>> values, noise = torch.full(mask.shape, 0.5), torch.full(mask.shape, 0.1)
        >>> after = network.after(belief, belief, 0, mask, values, noise, scale=torch.tensor([1.0]))
        >>> bool((after.variance < belief.variance).all()), network.picture(after).shape
        (True, torch.Size([1, 3, 16, 16]))
    """

    def __init__(self, latents: int, transforms: dict, hyper: dict, rounds: int = 2) -> None:
        super().__init__(latents, transforms, hyper)
        self.config = {"latents": latents, "transforms": dict(transforms), "hyper": dict(hyper), "rounds": rounds}
        self.rounds = rounds
        self.exponent = nn.Parameter(torch.full((rounds,), -0.3))  # of the variance
        self.log_gain = nn.Parameter(torch.zeros(rounds, latents))

    def hyper(self, latents: Tensor, quality: Tensor) -> Tensor:
        """Hyperlatents float32[B, Z, h', w'], not rounded, of latents float32[B, C, h, w] at qualities float32[B]."""
        return self.hyperprior.summarise(latents / self.steps(quality))

    @staticmethod
    def begin(mean: Tensor, scale: Tensor) -> Belief:
        """What a mean and a scale [B, C, h, w] of the latents say, see `Hyperprior.describe`."""
        prior = scale.double().square().clamp(*VARIANCES)
        return Belief(prior, mean.float(), prior)

    def in_steps(self, belief: Belief, quality: Tensor) -> Tensor:
        """The variances in squared steps of qualities float32[B], float64[B, C, h, w]."""
        share = quality.double()[:, None]
        log_step = self.log_step[0].double() * (1 - share) + self.log_step[1].double() * share
        return belief.variance * (self.log_power.double() - 2 * log_step).exp()[:, :, None, None]

    def lacking(self, belief: Belief, quality: Tensor, threshold: Tensor) -> Tensor:
        """bool[B, C, h, w]: the latents whose variance, in squared steps, is above float64[B] thresholds."""
        return self.in_steps(belief, quality) > threshold[:, None, None, None]

    def gain(self, belief: Belief, number: int) -> Tensor:
        """Amplitude gains float64[B, C, h, w] in a round."""
        exponent, log_gain = self.exponent[number].double(), self.log_gain[number].double()
        return (exponent * belief.variance.log() + log_gain[None, :, None, None]).exp()

    def values(self, latents: Tensor, belief: Belief, number: int, mask: Tensor) -> Tensor:
        """Channel values float32[B, C, h, w] of a round, not scaled to a power; 0 where nothing is sent.

        Args:
            latents: y, float32[B, C, h, w].
            belief: of the receiver, as the transmitter knows it.
            number: of the round.
            mask: of `lacking`.
        """
        off = latents / self.amplitude - belief.estimate
        return torch.where(mask, off * self.gain(belief, number).float(), 0)

    def after(
        self, belief: Belief, origin: Belief, number: int, mask: Tensor, received: Tensor, noise_var: Tensor,
        scale: Tensor,
    ) -> Belief:  # fmt: skip
        """The belief when a round has arrived.

        Args:
            belief: before it.
            origin: the one that the transmitter sent from; the same where it was told all that had arrived.
            number: of the round.
            mask: of `lacking`, by the origin; or float64, 0 or 1 with a gradient, for training.
            received: float32[B, C, h, w], values before their scaling to a power; any number where none was sent.
            noise_var: float32 of the same shape, of the complex symbol that each crossed in, for symbols of power 1.
            scale: float32[B], or float64, amplitude of the values for symbols of power 1.
        """
        gain = self.gain(origin, number)
        noise = noise_var.double().clamp(max=NEVER) * scale.double().square()[:, None, None, None] / 2
        kalman = belief.variance * gain / (belief.variance * gain.square() + noise)
        missed = received - gain.float() * (belief.estimate - origin.estimate)
        usual = (kalman * gain * belief.variance.sqrt()).float()
        estimate = belief.estimate + _taken(kalman.float() * missed, mask, usual)
        variance = (belief.variance * (1 - mask * kalman * gain)).clamp(min=LEAST_VARIANCE)
        return replace(belief, estimate=estimate, variance=variance)

    def picture(self, belief: Belief) -> Tensor:
        """g_s: the picture float32[B, 3, H, W], not clipped."""
        prior, variance = belief.prior.detach(), belief.variance.detach()  # which only tell g_s what to expect
        precision = 1 / variance - 1 / prior  # of all that arrived
        heard = precision > 1e-6 / prior
        noise = torch.where(heard, 1 / precision.clamp(min=1e-9), NEVER).float() * self.amplitude.detach().square()
        trust = (1 - variance).clamp(min=0).float()
        numbers = self.numbers(self.sums(heard, trust, noise))
        return self.transforms.synthesise(belief.estimate * self.amplitude, trust, numbers)

    def hyper_bits(self, images: Tensor, quality: Tensor, generator: torch.Generator) -> Tensor:
        """What hyperlatents of images float32[B, 3, H, W] cost at qualities float32[B]: float32[B], with a gradient for
        their density alone; the generator is of noise in place of rounding.
        """
        with torch.no_grad():
            hyper = self.hyper(self.transforms.analyse(images), quality)
        return self.hyperprior.prior(hyper, quality, generator).sum((1, 2, 3))

    def forward(
        self, images: Tensor, quality: Tensor, thresholds: Tensor, channel: Callable, told: int | None = None,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Image to image, as training wants it.

        Args:
            images: float32[B, 3, H, W], sides multiples of the stride.
            quality: float32[B] in [0, 1].
            thresholds: float64[rounds, B].
            channel: maps complex64 of power 1 to (received, noise variance), see `gr_jscc.nn.noise`.
            told: rounds from the first that are sent knowing what arrived before; the next, the last, is sent from what
                the hyperprior says. None: all.
            generator: of noise in place of rounding where hyperlatents are counted; None: rounds.

        Returns:
            ``pictures`` float32[B, 3, H, W]; ``uses`` float64[B], complex symbols; ``hyper_bits`` float32[B].
        """
        latents = self.transforms.analyse(images)
        hyper = self.hyper(latents, quality)
        start = belief = self.begin(*self.hyperprior.describe(rounded(hyper), *latents.shape[2:]))
        uses = images.new_zeros(len(images), dtype=torch.float64)
        told = self.rounds if told is None else told
        for number, threshold in enumerate(thresholds[: told + 1]):
            origin, place = (belief, number) if number < told else (start, 0)
            mask = self._sent(origin, quality, threshold)
            # Of all latents, so that those that are not sent have a gradient of what it would bring to send them.
            values = self.values(latents, origin, place, torch.ones_like(mask, dtype=torch.bool))
            scale = power_scale(values, mask.detach().float())
            known = known_scale(scale)[:, None, None, None]
            symbols = torch.complex(values[:, 0::2], values[:, 1::2]) / scale[:, None, None, None]
            received, noise_var = channel(symbols)
            received = torch.stack([received.real, received.imag], dim=2).flatten(1, 2) * known
            noise_var = noise_var.repeat_interleave(2, dim=1)
            belief = self.after(belief, origin, place, mask, received, noise_var, known[:, 0, 0, 0])
            uses = uses + mask.sum((1, 2, 3)) / 2
        hyper_bits = self.hyperprior.prior(hyper, quality, generator).sum((1, 2, 3))
        return {"pictures": self.picture(belief), "uses": uses, "hyper_bits": hyper_bits}

    def _sent(self, belief: Belief, quality: Tensor, threshold: Tensor) -> Tensor:
        """`lacking` as float64, with the gradient of a logistic function of the variance around the threshold."""
        ratio = self.in_steps(belief, quality) / threshold[:, None, None, None]
        soft = torch.sigmoid(ratio.log() / SOFTNESS)
        return self.lacking(belief, quality, threshold) + (soft - soft.detach())


def _taken(values: Tensor, mask: Tensor, usual: Tensor) -> Tensor:
    """Values float32[...] where a mask is 1, and 0 where it is 0.

    What a mask with a gradient would bring is reckoned of values up to twice their usual size: a few that are far off
    would drown all others.
    """
    if mask.dtype == torch.bool:
        return torch.where(mask, values, 0)
    limit = 2 * usual.detach()
    bounded, hard = values.detach().clamp(-limit, limit), mask.detach()
    return values * hard.float() + bounded * (mask - hard).float()


def power_scale(values: Tensor, mask: Tensor) -> Tensor:
    """Amplitude float32[B] by which values float32[B, ...] are divided for symbols of power 1 where a mask says."""
    count = mask.flatten(1).sum(1) / 2
    return ((values.square() * mask).flatten(1).sum(1) / count.clamp(min=1) + 1e-8).sqrt()
