"""One latent of HJSCC: its prior given the state, its posterior given the picture too, and its own JSCC codec.

Several latents may follow each other on one level; each then describes what the ones before left of the level's
coefficients. With feedback that includes what the channel made of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.latent_model import NEVER
from gr_jscc.nn.entropy_models import gaussian_bits
from gr_jscc.nn.rate_attention import RateAttention, group_mean, of_group
from gr_jscc.nn.residual import ConditionedBottleneck

LEAST_SHARE = 1e-6  # of its variance that is left of a coefficient that was sent without error
SPREAD = (1e-4, 1e4)  # limits of a prior's variance over the table's


@dataclass(frozen=True)
class Source:
    """A picture as the bottom-up path gives it, coarsest level first.

    Attributes:
        coefficients: float32[B, C, h, w] of every level.
        taps: float32[B, W, h, w] of every level.

    Example:
        >>> from gr_jscc.codecs.hjscc.codec import HJSCC
        >>> network = HJSCC("hjscc-cifar").network
        >>> source = network.analyse(torch.zeros(1, 3, 32, 32), quality=torch.tensor([0.5]))
        >>> [tuple(level.shape) for level in source.coefficients]
        [(1, 32, 2, 2), (1, 32, 4, 4), (1, 48, 8, 8)]
    """

    coefficients: list[Tensor]
    taps: list[Tensor]

    def of(self, level: int) -> tuple[Tensor, Tensor]:
        """Coefficients and taps of one level."""
        return self.coefficients[level], self.taps[level]


@dataclass(frozen=True)
class State:
    """What one end holds on one level, from all latents so far.

    Attributes:
        features: float32[B, W, h, w], of the top-down path.
        estimate: float32[B, C, h, w], of the level's coefficients.
        variance: float32 of the same shape, of the estimate's error; before a level's first latent, of that part of it
            which comes from the coarser levels.
        ranking: float64 of the same shape: the same as both ends reckon it without any network, so that they agree on
            which coefficients are sent next.
        ranking_untold: the same where the transmitter is not told what arrived.
        sent: float32[B], channel values sent so far.

    Example:
        >>> from gr_jscc.codecs.hjscc.codec import HJSCC
        >>> network = HJSCC("hjscc-cifar").network
        >>> state = network.begin(network.given(torch.tensor([0.5])), rows=2, columns=3)
        >>> state.estimate.shape, float(state.sent)
        (torch.Size([1, 32, 2, 3]), 0.0)
    """

    features: Tensor
    estimate: Tensor
    variance: Tensor
    ranking: Tensor
    ranking_untold: Tensor
    sent: Tensor


@dataclass(frozen=True)
class Prior:
    """What a state says of a latent, before it is sent.

    Attributes:
        state: whose.
        features: float32[B, W, h, w], of the top-down path.
        mean, variance: float32[B, C, h, w].
        ranking: float64[B, C, h, w], see `State`.
        order: int64[B, C, h, w]: 0 for the most uncertain coefficient of a position, and so on.

    Example:
        >>> from gr_jscc.codecs.hjscc.codec import HJSCC
        >>> network = HJSCC("hjscc-cifar").network
        >>> condition = network.given(torch.tensor([0.5]))
        >>> prior = network.prior(0, network.begin(condition, rows=2, columns=3), condition, aware=True)
        >>> prior.variance.shape, sorted(prior.order[0, :, 0, 0].tolist()) == list(range(prior.order.shape[1]))
        (torch.Size([1, 32, 2, 3]), True)
    """

    state: State
    features: Tensor
    mean: Tensor
    variance: Tensor
    ranking: Tensor
    order: Tensor


@dataclass(frozen=True)
class Sent:
    """A latent as its transmitter gives it to the channel.

    Attributes:
        index: int64[B, ⌈h/group⌉, ⌈w/group⌉], rate indexes.
        mask: bool[B, C, h, w], the values that are sent.
        values: float32[B, C, h, w], not scaled to a power; 0 where nothing is sent.

    Example:
        >>> nothing = torch.zeros(1, 4, 2, 2)
        >>> mask = torch.ones(1, 4, 2, 2, dtype=torch.bool)
        >>> sent = Sent(torch.full((1, 2, 2), 3), mask, nothing)
        >>> int(sent.mask.sum()) // 2  # complex symbols
        8
    """

    index: Tensor
    mask: Tensor
    values: Tensor


class Latent(nn.Module):
    """Prior, posterior and codec of one latent.

    Args:
        channels: C, the level's coefficients.
        width: W, features of the top-down and bottom-up paths.
        hidden: channels inside the blocks.
        condition: length of the condition vector.
        rates: numbers of channel values that a position can be given, ascending, even, at most C.
        group: positions of a side of the groups that share a rate.
        first: whether it is its level's first.
        attention: whether there is a rate attention module.

    Example:
        >>> latent = Latent(4, width=8, hidden=8, condition=8, rates=[0, 2, 4], group=1, first=True, attention=False)
        >>> latent.rate_index(bits=torch.tensor([[[0.5, 4.0, 20.0]]]), eta=torch.tensor([0.5]))
        tensor([[[0, 1, 2]]])
    """

    def __init__(
        self, channels: int, width: int, hidden: int, condition: int, rates: list[int], group: int, first: bool,
        attention: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.group, self.first = group, first
        self.register_buffer("rates", torch.tensor(rates, device="cpu"), persistent=False)
        self.log_spread = nn.Parameter(torch.zeros(channels))  # half the logarithm of the table of variances
        self.front = ConditionedBottleneck(width, hidden, condition)
        self.prior_head = nn.Conv2d(width, 2 * channels, 1)
        self.merge = nn.Sequential(
            nn.Conv2d(2 * width, hidden, 1), nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, hidden, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, channels, 1),
        )  # fmt: skip
        self.log_gain = nn.Embedding(len(rates), channels)
        self.attention = RateAttention(channels, len(rates), group, hidden) if attention else None
        self.refinement = nn.Sequential(
            nn.Conv2d(2 * channels + width, hidden, 1), nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, hidden, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, channels, 1),
        )  # fmt: skip
        self.project = nn.Conv2d(2 * channels, width, 1)
        self.end = ConditionedBottleneck(width, hidden, condition)
        nn.init.zeros_(self.log_gain.weight)
        for layer in (self.prior_head, self.merge[-1], self.refinement[-1]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def unit(self) -> Tensor:
        """Standard deviations of the level's innovations before its first latent, float32[1, C, 1, 1]."""
        return self.log_spread[None, :, None, None].exp()

    def prior(self, state: State, unit: Tensor, condition: Tensor, aware: bool) -> Prior:
        """What the state says of the latent.

        Args:
            state: on this level.
            unit: `unit` of the level's first latent.
            condition: float32[B, condition].
            aware: whether both ends have this state.
        """
        features = self.front(state.features, condition)
        shift, stretch = self.prior_head(features).float().chunk(2, dim=1)
        ranking = state.ranking if aware else state.ranking_untold
        table = (2 * self.log_spread)[None, :, None, None]
        if self.first:
            variance, ranking = state.variance + table.exp(), ranking + table.detach().double().exp()
        else:
            variance = state.variance * table.exp()
        low, high = SPREAD
        variance = (variance * (2 * stretch.clamp(-3, 3)).exp()).clamp(min=1e-12)
        variance = torch.minimum(torch.maximum(variance, low * unit.square()), high * unit.square())
        order = _places(ranking)
        mean = state.estimate + unit * shift
        return Prior(state, features, mean, variance, ranking, order)

    def mask(self, index: Tensor, prior: Prior) -> Tensor:
        """bool[B, C, h, w]: as many coefficients of every position as its rate admits, the most uncertain first."""
        return prior.order < of_group(self.rates[index], self.group, prior.mean.shape[2:])[:, None]

    def rate_index(self, bits: Tensor, eta: Tensor) -> Tensor:
        """Indexes int64 of the rates nearest to η·bits.

        Args:
            bits: float32[B, rows, columns].
            eta: float32[B].
        """
        rates = self.rates.float()
        return torch.bucketize(eta[:, None, None] * bits.detach(), (rates[1:] + rates[:-1]) / 2)

    def bits(self, target: Tensor, prior: Prior, step: Tensor) -> Tensor:
        """float32[B, h, w] that the coefficients of a position come to under the prior.

        Args:
            target: float32[B, C, h, w].
            prior: see there.
            step: float32[B], of the quantiser that bits are counted for.
        """
        step = step[:, None, None, None]
        return gaussian_bits(target / step, prior.mean / step, prior.variance.sqrt() / step).sum(1)

    def expected_bits(self, prior: Prior, step: Tensor) -> Tensor:
        """float32[B, h, w]: about what `bits` comes to on average if the prior is right; needs no coefficients."""
        variance = prior.variance / step[:, None, None, None].square()
        return torch.log2(1 + 2 * math.pi * math.e * variance).sum(1) / 2

    def posterior(self, coefficients: Tensor, tap: Tensor, prior: Prior, unit: Tensor) -> Tensor:
        """The mean of the posterior: coefficients to be sent, given the picture and the state."""
        return coefficients + unit * self.merge(torch.cat([prior.features, tap], dim=1)).float()

    def amplitude(self, prior: Prior, index: Tensor, aware: bool) -> Tensor:
        """Gains float32[B, C, h, w] of deviations from the prior's mean.

        Power goes as the standard deviation, which is the best at high SNR. Which standard deviation, depends:
        only with feedback do both ends have the same prior.
        """
        variance = prior.variance if aware else prior.ranking.float()
        given = self.log_gain(of_group(index, self.group, variance.shape[2:]))
        return given.permute(0, 3, 1, 2).float().exp() * (variance + 1e-12) ** -0.25

    def encode(
        self, target: Tensor, prior: Prior, bits: Tensor, index: Tensor, eta: Tensor, numbers: Tensor, aware: bool
    ) -> Sent:
        """The latent's values for the channel.

        Args:
            target: float32[B, C, h, w], the coefficients that are meant.
            prior: what the state says of them.
            bits: float32[B, h, w], what they come to under the prior.
            index: see `Sent`.
            eta: float32[B], for the indexes that positions would have by themselves.
            numbers: float32[B, 2], quality and SNR, see `RateAttention`.
            aware: whether the receiver has the same prior.
        """
        mask = self.mask(index, prior)
        gain = self.amplitude(prior, index, aware)
        # In units in which their power is what the gains make of it.
        values = (target - prior.mean) * gain
        if self.attention is not None:
            unit = (prior.variance.sqrt() * gain).detach() + 1e-6
            improbable = 1 - torch.exp(-(values / unit).square() / 2)
            given = of_group(index, self.group, mask.shape[2:])
            ideal = self.rate_index(bits, eta)
            values = unit * self.attention((values / unit).clamp(-20, 20), improbable, given, ideal, numbers)
        return Sent(index, mask, torch.where(mask, values, 0))

    def group_bits(self, bits: Tensor) -> Tensor:
        """Mean bits float32[B, rows, columns] of the positions of every group."""
        return group_mean(bits[:, None], self.group)[:, 0]

    def decode(
        self, prior: Prior, index: Tensor, received: Tensor, noise_var: Tensor, scale: Tensor, condition: Tensor,
        unit: Tensor, aware: bool,
    ) -> State:  # fmt: skip
        """The state after a latent has arrived.

        Args:
            prior: of the receiving end.
            index: int64, rate indexes.
            received: float32[B, C, h, w], values before their scaling to a power; anything where none was sent.
            noise_var: float32[B, C, h, w], of the complex symbol that each crossed in, for symbols of power 1; 0 is
                what a transmitter without feedback reckons with.
            scale: float32[B], amplitude of the values for symbols of power 1.
            condition, unit: as in `prior`.
            aware: as in `encode`.
        """
        mask = self.mask(index, prior)
        gain, noise_var = self.amplitude(prior, index, aware), noise_var.clamp(max=NEVER)
        noise = noise_var * scale[:, None, None, None].square() / 2
        kalman = torch.where(mask, prior.variance * gain / (prior.variance * gain.square() + noise), 0)
        innovation = kalman * torch.where(mask, received, 0)
        left = 1 - kalman * gain
        inputs = torch.cat([innovation / unit, 1 - left, prior.features], dim=1)
        # After a latent that is sent without feedback, so are all others.
        untold = torch.where(mask, prior.ranking * LEAST_SHARE, prior.ranking)
        ranking = _told(prior.ranking, mask, noise_var) if aware else untold
        refined = innovation + unit * self.refinement(inputs).float()
        features = prior.features + self.project(torch.cat([refined / unit, 1 - left], dim=1))
        return State(
            self.end(features, condition), prior.mean + refined, prior.variance * left.clamp(min=LEAST_SHARE),
            ranking, untold, prior.state.sent + mask.sum((1, 2, 3)),
        )  # fmt: skip


def _places(ranking: Tensor) -> Tensor:
    """int64 of the shape [B, C, h, w]: 0 for the largest of a position's values, and so on; of equals, the first.

    Sorting is twice as fast where a position's values lie side by side, and what came where needs no second sort.
    """
    order = ranking.permute(0, 2, 3, 1).contiguous().argsort(dim=3, descending=True, stable=True)
    numbers = torch.arange(order.shape[3], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(3, order, numbers).permute(0, 3, 1, 2)


def _told(ranking: Tensor, mask: Tensor, noise_var: Tensor) -> Tensor:
    """What is left of variances float64 when values of power ∝ standard deviation met a known noise.

    In double precision and from what both ends have to the last bit. Other machines' rounding may differ by 1e-16 of
    it, which has no influence on an order.
    """
    power = torch.where(mask, ranking.sqrt(), 0)
    power = power * mask.sum((1, 2, 3), keepdim=True) / power.sum((1, 2, 3), keepdim=True).clamp(min=1e-12)
    noise = noise_var.double()
    return torch.where(mask, ranking * noise / (noise + power).clamp(min=1e-12), ranking)
