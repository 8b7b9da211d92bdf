"""HJSCC with feedback over hyperlatents, as a differentiable torch module: NTSCC's transforms, and several rounds.

    picture ─ g_a ─ y ─────── what the receiver lacks most of it ─ symbols ─ channel ─ estimate ─ g_s ─ picture
               │                ▲                                                        │
               └ h_a ─ z ─ symbols ─ channel ─ estimate ─ h_s: μ, σ                      │
                                └──────────────────── feedback ──────────────────────────┘

The first round sends the coarser latents, z, as channel symbols; what arrived of them tells both ends, by feedback, a
mean and a variance of every finer latent. A round after it sends, of the latents whose variance is above a threshold,
what the receiver's estimate is off by, each with a gain of about σ^(−0.8); a Kalman estimate with each symbol's own
noise variance makes variances smaller, and the next round begins with these. Thus nothing is digital, nothing is sent
twice, channel noise is corrected, and which latents are sent follows at both ends from a threshold and from what
arrived: there is no rate map. That a latent's prior comes from the coarser ones that arrived is HJSCC with feedback
(Zhang et al. 2025); linear codes with feedback are those of Schalkwijk & Kailath (1966).

Variances are reckoned in double precision, so that two machines take the same latents for those above the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.hyper import Hyperprior
from gr_jscc.codecs.parts.latent_model import NEVER, LatentModel
from gr_jscc.codecs.parts.power_scale import known_scale

VARIANCES = (1e-4, 60.0)  # that are believed of a normalised latent
LEAST_VARIANCE = 1e-7
LEAST_HYPER_VARIANCE = 2e-3
ROUNDING = 0.04  # variance of a hyperlatent that need not be sent: half of what rounding to integers leaves
SOFTNESS = 0.5  # of a variance's natural logarithm: over so much the gradient of being sent is spread


@dataclass(frozen=True)
class Belief:
    """What both ends know of normalised latents, [B, C, h, w] each.

    Attributes:
        prior: float64, variance by the hyperprior.
        estimate: float32, the mean given all that arrived.
        variance: float64, of the estimate's error.

    Example:
        >>> ones = torch.ones(1, 8, 4, 4, dtype=torch.float64)
        >>> nothing = HyperFeedbackNetwork.unknown(Belief(ones / 2, ones.float(), ones / 8))
        >>> float(nothing.estimate.mean()), float(nothing.variance.mean())
        (0.0, 1.0)
    """

    prior: Tensor
    estimate: Tensor
    variance: Tensor


class HyperFeedbackNetwork(LatentModel):
    """Transforms, h_a and h_s, and the gains of every round; images float32[B, 3, H, W] in [0, 1].

    Args:
        latents, transforms, hyper: as `LatentModel`; ``hyper`` without a density, as nothing is entropy-coded.
        rounds: how many there are after the hyperlatents'.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> network = HyperFeedbackNetwork(8, windows, {"width": 8, "channels": 4, "kernel": 3})
        >>> quality, scale = torch.tensor([0.5]), torch.tensor([1.0])
        >>> belief = network.described(network.of_hyper(quality, 1, 1), network.hyperprior, 4, 4)
        >>> mask = network.lacking(belief, quality, threshold=torch.tensor([0.5]))
        >>> values, noise = torch.full(mask.shape, 0.5), torch.full(mask.shape, 0.1)
        >>> after = network.after(belief, belief, network.gain(belief, 0), mask, values, noise, scale)
        >>> bool((after.variance < belief.variance).all()), network.picture(after).shape
        (True, torch.Size([1, 3, 16, 16]))
    """

    # What turns hyperlatents into principal components, and back, is nothing that it was in the model before.
    stored_finely = (*LatentModel.stored_finely, "hyperprior.analysis.4", "hyperprior.synthesis.0")

    def __init__(self, latents: int, transforms: dict, hyper: dict, rounds: int = 2) -> None:
        super().__init__(latents, transforms, {**hyper, "analog": True})
        self.config = {"latents": latents, "transforms": dict(transforms), "hyper": dict(hyper), "rounds": rounds}
        self.rounds, channels = rounds, self.hyperprior.channels
        self.exponent = nn.Parameter(torch.full((rounds,), -0.3))  # of the variance
        self.log_gain = nn.Parameter(torch.zeros(rounds, latents))
        # Of hyperlatents, at quality 0 and 1.
        self.hyper_log_variance = nn.Parameter(torch.zeros(2, channels))
        self.hyper_log_gain = nn.Parameter(torch.zeros(2, channels))
        self.hyper_wanted = nn.Parameter(torch.ones(2, channels))  # those above 0 are sent

    @torch.no_grad()
    def start_hyper(self, images: Tensor) -> None:
        """Makes hyperlatents the principal components of what they are over images float32[B, 3, H, W].

        So the same are told with fewer channel uses. Gains start as those of least squared error, σ^(−1/2) (Lee &
        Petersen 1976), and the components that are smaller than what rounding would leave are not sent.
        """
        latents = self.transforms.analyse(images)

        def spread(quality: float) -> Tensor:
            return self.hyper(latents, torch.full((len(images),), quality)).transpose(0, 1).flatten(1)

        inwards, outwards = self.hyperprior.analysis[-1], self.hyperprior.synthesis[0]
        mean = spread(0.5).mean(1)
        _, axes = torch.linalg.eigh(torch.cov(spread(0.5)))
        inwards.weight.copy_(torch.einsum("ck,c...->k...", axes, inwards.weight))
        inwards.bias.copy_(axes.T @ (inwards.bias - mean))
        told = outwards.weight[:, : len(mean)].clone()
        outwards.bias.add_(torch.einsum("ochw,c->o", told, mean))
        outwards.weight[:, : len(mean)] = torch.einsum("ochw,ck->okhw", told, axes)
        for end, quality in enumerate((0.0, 1.0)):
            variance = spread(quality).square().mean(1).clamp(min=LEAST_HYPER_VARIANCE)
            self.hyper_log_variance[end] = variance.log()
            self.hyper_log_gain[end] = -variance.log() / 4
            self.hyper_wanted[end] = (variance / ROUNDING).log() / 2

    def hyper(self, latents: Tensor, quality: Tensor) -> Tensor:
        """Hyperlatents float32[B, Z, h', w'] of latents float32[B, C, h, w] at qualities float32[B]."""
        return self.hyperprior.summarise(latents / self.steps(quality))

    def of_hyper(self, quality: Tensor, rows: int, columns: int) -> Belief:
        """What both ends hold of hyperlatents [B, Z, rows, columns] before anything arrived."""
        variance = _between(self.hyper_log_variance, quality).exp().expand(-1, -1, rows, columns)
        return Belief(variance, torch.zeros_like(variance, dtype=torch.float32), variance)

    def hyper_mask(self, quality: Tensor, rows: int, columns: int) -> Tensor:
        """bool[B, Z, rows, columns]: the hyperlatents that are sent, which a quality decides; one at least."""
        wanted = _between(self.hyper_wanted, quality)
        return ((wanted > 0) | (wanted == wanted.amax(1, keepdim=True))).expand(-1, -1, rows, columns)

    def hyper_gain(self, quality: Tensor) -> Tensor:
        """Amplitude gains float64[B, Z, 1, 1] of hyperlatents."""
        return _between(self.hyper_log_gain, quality).exp()

    def described(self, of_hyper: Belief, hyperprior: Hyperprior, rows: int, columns: int) -> Belief:
        """What hyperlatents say of latents [B, C, rows, columns].

        Args:
            of_hyper: what is known of hyperlatents.
            hyperprior: this network's, or the same in double precision, of which two machines' results are alike.
            rows, columns: of the latents.
        """
        left = (of_hyper.variance / of_hyper.prior).log().mean(1, keepdim=True) / 4
        given = torch.cat([of_hyper.estimate, left], dim=1)
        mean, scale = hyperprior.describe(given.to(hyperprior.synthesis[0].weight.dtype), rows, columns)
        prior = scale.double().square().clamp(*VARIANCES)
        return Belief(prior, mean.float(), prior)

    @staticmethod
    def unknown(like: Belief) -> Belief:
        """What all pictures have in common of latents: those of which nothing was heard."""
        prior = torch.ones_like(like.prior)
        return Belief(prior, torch.zeros_like(like.estimate), prior)

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

    @staticmethod
    def values(source: Tensor, origin: Belief, gain: Tensor) -> Tensor:
        """Channel values float32[B, C, h, w] of a round, not scaled to a power.

        Args:
            source: hyperlatents, or latents of unit variance, float32[B, C, h, w].
            origin: what the receiver knows of them, as far as the transmitter was told.
            gain: float64, broadcastable to them.
        """
        return (source - origin.estimate) * gain.float()

    def after(
        self, belief: Belief, origin: Belief, gain: Tensor, mask: Tensor, received: Tensor, noise_var: Tensor,
        scale: Tensor,
    ) -> Belief:  # fmt: skip
        """The belief, of latents or of hyperlatents, when a round of them has arrived.

        Args:
            belief: before it.
            origin: the one that the transmitter sent from; the same where it was told all that had arrived.
            gain: that the values had, float64 and broadcastable to theirs.
            mask: which were sent, bool[B, C, h, w]; or float64, 0 or 1 with a gradient, for training.
            received: float32[B, C, h, w], values before their scaling to a power; any number where none was sent.
            noise_var: float32 of the same shape, of the complex symbol that each crossed in, for symbols of power 1.
            scale: float32[B], or float64, amplitude of the values for symbols of power 1.
        """
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

    def forward(
        self, images: Tensor, quality: Tensor, thresholds: Tensor, channel: Callable, told: int | None = None
    ) -> dict[str, Tensor]:
        """Image to image, as training wants it.

        Args:
            images: float32[B, 3, H, W], sides multiples of the stride.
            quality: float32[B] in [0, 1].
            thresholds: float64[rounds, B], of the rounds after the hyperlatents'.
            channel: maps complex64 of power 1 to (received, noise variance), see `gr_jscc.nn.noise`.
            told: of the rounds with latents the first that are sent knowing what arrived before; the next, the last, is
                sent as if nothing had. None: all.

        Returns:
            ``pictures`` float32[B, 3, H, W]; ``uses`` float64[B], complex symbols.
        """
        latents = self.transforms.analyse(images)
        hyper = self.hyper(latents, quality)
        before = self.of_hyper(quality, *hyper.shape[2:])
        soft = torch.sigmoid(_between(self.hyper_wanted, quality) / SOFTNESS)
        mask = self.hyper_mask(quality, *hyper.shape[2:]) + (soft - soft.detach())
        belief, uses = self._crossed(before, before, self.hyper_gain(quality), mask, hyper, channel)
        belief = self.described(belief, self.hyperprior, *latents.shape[2:])
        told = self.rounds if told is None else told
        for number, threshold in enumerate(thresholds[: told + 1]):
            origin, place, mask = belief, number, self._sent(belief, quality, threshold)
            if number >= told:
                origin, place = self.unknown(belief), 0
                mask = self._as_many(mask, origin, quality)
            gain = self.gain(origin, place)
            belief, spent = self._crossed(belief, origin, gain, mask, latents / self.amplitude, channel)
            uses = uses + spent
        return {"pictures": self.picture(belief), "uses": uses}

    def _crossed(
        self, belief: Belief, origin: Belief, gain: Tensor, mask: Tensor, source: Tensor, channel: Callable
    ) -> tuple[Belief, Tensor]:
        """`after` of what a source's `values` become on the channel, and how many symbols they take, float64[B]."""
        # Of all, so that those that are not sent have a gradient of what it would bring to send them.
        values = self.values(source, origin, gain)
        scale = power_scale(values, mask.detach().float())
        known = known_scale(scale)[:, None, None, None]
        symbols = torch.complex(values[:, 0::2], values[:, 1::2]) / scale[:, None, None, None]
        received, noise_var = channel(symbols)
        received = torch.stack([received.real, received.imag], dim=2).flatten(1, 2) * known
        noise_var = noise_var.repeat_interleave(2, dim=1)
        after = self.after(belief, origin, gain, mask, received, noise_var, known[:, 0, 0, 0])
        return after, mask.sum((1, 2, 3)) / 2

    def _as_many(self, mask: Tensor, belief: Belief, quality: Tensor) -> Tensor:
        """About as many latents as of a mask [B, C, h, w], the same ones everywhere: float64, without a gradient."""
        count = (mask.detach().mean((1, 2, 3)) * self.latents).round().long().clamp(1, self.latents)
        falling = self.in_steps(belief, quality)[:, :, 0, 0].sort(dim=1, descending=True).values
        limit = falling.gather(1, count[:, None] - 1)[:, 0]
        return self.lacking(belief, quality, limit * (1 - 1e-9)).double().detach()

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


def _between(ends: Tensor, quality: Tensor) -> Tensor:
    """float64[B, Z, 1, 1] for qualities float32[B], of float32[2, Z] at quality 0 and 1."""
    share = quality.double()[:, None]
    return (ends[0].double() * (1 - share) + ends[1].double() * share)[:, :, None, None]


def power_scale(values: Tensor, mask: Tensor) -> Tensor:
    """Amplitude float32[B] by which values float32[B, ...] are divided for symbols of power 1 where a mask says."""
    count = mask.flatten(1).sum(1) / 2
    return ((values.square() * mask).flatten(1).sum(1) / count.clamp(min=1) + 1e-8).sqrt()
