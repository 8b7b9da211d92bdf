"""The network of HJSCC as a differentiable torch module (Zhang et al. 2025, "Learned image transmission with
hierarchical variational autoencoder").

    picture ─ bottom-up ─┬───────┬───────┬── taps
                         │       │       │
    bias ── latent 0 ─ latent 1 ─ … ─ latent L−1 ─ picture     top-down: at the receiver, and at the transmitter
              │          │              │
            symbols    symbols        symbols

Latents follow each other from coarse to fine. Each has a prior that the state so far gives, and is sent by a codec of
its own; the prior's entropy says how many values every group of positions is worth. *Without feedback* the transmitter
runs the top-down path on what it sends, the receiver on what arrives. *With feedback* both run it on what arrived, so
that every latent also corrects what the channel did to those before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.hjscc.config import HJSCCConfig
from gr_jscc.codecs.hjscc.latent import Latent, Prior, Sent, Source, State
from gr_jscc.codecs.hjscc.pyramid import Pyramid
from gr_jscc.codecs.hjscc.transforms import KINDS
from gr_jscc.codecs.parts.power_scale import known_scale
from gr_jscc.codecs.parts.transforms import Transforms
from gr_jscc.nn.residual import Condition, ConditionedBottleneck

SCALE_STEPS = 24  # codes per octave of a power scale: 0.25 dB apart, from 2^-5.3 to 2^5.3
PROBE = 0.1  # deviation, in standard deviations of a latent, by which its influence on the picture is measured


class HJSCCNetwork(nn.Module):
    """Transforms, hierarchy and codecs; images float32[B, 3, H, W] in [0, 1], sides multiples of `multiple`.

    Args:
        config: what it is made of.

    Example:
        >>> windows = {"kind": "windows", "latents": 8, "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> level = {"channels": 4, "shares": [1.0], "rates": [0, 2, 4], "group": 1}
        >>> network = HJSCCNetwork(HJSCCConfig(windows, [level | {"kept": 4}, level], width=8, hidden=8))
        >>> network.multiple, network.level_of
        (8, [0, 1])
    """

    def __init__(self, config: HJSCCConfig) -> None:
        super().__init__()
        self.config = config.as_dict()
        self.steps, self.eta, self.expected = tuple(config.steps), config.eta, config.expected
        levels, width, hidden, condition = config.levels, config.width, config.hidden, config.condition
        options = dict(config.transforms)
        self.transforms: Transforms = KINDS[options.pop("kind")](**options)
        channels = [level["channels"] for level in levels]
        self.pyramid = Pyramid(self.transforms.latents, channels, [level["kept"] for level in levels[:-1]])
        self.multiple = self.transforms.stride * 2 ** (len(levels) - 1)

        def stage() -> nn.ModuleList:
            return nn.ModuleList(ConditionedBottleneck(width, hidden, condition) for _ in range(config.blocks))

        self.condition = Condition(1, condition)
        self.bottom_in = nn.Conv2d(channels[-1], width, 1)
        self.bottom_down = nn.ModuleList(nn.Conv2d(width, width, 2, stride=2) for _ in levels[1:])
        self.bottom_up = nn.ModuleList(stage() for _ in levels)
        self.bias = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.top_up = nn.ModuleList(nn.Conv2d(width, 4 * width, 1) for _ in levels[1:])
        self.top_in = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.top_down = nn.ModuleList(stage() for _ in levels)
        self.latents = nn.ModuleList(
            Latent(count, width, hidden, condition, level["rates"], level["group"], i == 0, config.attention)
            for count, level in zip(channels, levels)
            for i in range(len(level["shares"]))
        )
        self.level_of = [number for number, level in enumerate(levels) for _ in level["shares"]]
        self.shares = [share for level in levels for share in level["shares"]]
        for count, name in zip((self.transforms.latents, *channels), ("latents", *map(str, range(len(levels))))):
            self.register_buffer(f"power_{name}", torch.ones(count))

    # --- start -------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def start(self, images: Tensor, trained: bool = False) -> None:
        """Makes the hierarchy a linear code for the transforms as they are.

        Args:
            images: training crops float32[N, 3, H, W].
            trained: whether the transforms were trained with an entropy model, see `Pyramid.start`.
        """
        latents = torch.cat([self.transforms.analyse(part) for part in images.split(64)])
        self.power_latents.copy_(latents.var((0, 2, 3)).clamp(min=1e-9))
        added = self.pyramid.start(latents, self._influence(images[:2]), trained)
        for level, (coefficients, variance) in enumerate(zip(self.pyramid.analyse(latents), added)):
            getattr(self, f"power_{level}").copy_(coefficients.square().mean((0, 2, 3)).clamp(min=1e-9))
            self._first(level).log_spread.copy_(variance.log() / 2)

    def _influence(self, images: Tensor) -> Tensor:
        """Squared error in the picture, summed over colour values, for a unit error of each latent: float32[C]."""
        latents = self.transforms.analyse(images)
        trust = torch.full_like(latents, 0.9)
        numbers = self._numbers(trust, self.power_latents * 0.1, torch.full((len(images),), latents[0].numel()))
        before = self.transforms.synthesise(latents, trust, numbers)
        errors = []
        for channel, power in enumerate(self.power_latents):
            moved = latents.clone()
            amount = PROBE * power.sqrt() * (1 - 2 * (torch.arange(latents.shape[3]) % 2)).to(latents)
            moved[:, channel] += amount
            after = self.transforms.synthesise(moved, trust, numbers)
            errors.append((after - before).square().sum() / amount.square().mean() / latents[:, 0].numel())
        return torch.stack(errors).clamp(min=1e-6)

    # --- paths -------------------------------------------------------------------------------------------------------

    def analyse(self, images: Tensor, quality: Tensor) -> Source:
        """The bottom-up path of images float32[B, 3, H, W] at qualities float32[B] from 0 to 1."""
        return self.describe(self.pyramid.analyse(self.transforms.analyse(images)), quality)

    def describe(self, levels: list[Tensor], quality: Tensor) -> Source:
        """The bottom-up path from the coefficients of all levels on."""
        condition = self.given(quality)
        x = self.bottom_in(self._normal(len(levels) - 1, levels[-1]))
        taps = []
        for level in range(len(levels) - 1, -1, -1):
            for block in self.bottom_up[level]:
                x = block(x, condition)
            taps.append(x)
            if level:
                x = self.bottom_down[level - 1](x)
        return Source(levels, taps[::-1])

    def given(self, quality: Tensor) -> Tensor:
        """The condition of all blocks, float32[B, condition]."""
        return self.condition(2 * quality[:, None] - 1)

    def begin(self, condition: Tensor, rows: int, columns: int) -> State:
        """The state before all latents, for so many positions of the coarsest level."""
        count = len(condition)
        estimate = self.bias.new_zeros(count, self.pyramid.channels[0], rows, columns)
        ranking = estimate.double()
        features = self.bias.expand(count, -1, rows, columns)
        state = State(features, estimate, estimate, ranking, ranking, estimate.new_zeros(count))
        return self._entered(0, state, condition)

    def descend(self, latent: int, state: State, condition: Tensor) -> State:
        """The state on the level of a latent, from the one that the latent before left."""
        level = self.level_of[latent]
        if latent == 0 or level == self.level_of[latent - 1]:
            return state
        features = F.pixel_shuffle(self.top_up[level - 1](state.features), 2)
        estimate = self.pyramid.expand(level - 1, state.estimate)
        spreads = (
            self.pyramid.expand_variance(level - 1, x) for x in (state.variance, state.ranking, state.ranking_untold)
        )
        return self._entered(level, State(features, estimate, *spreads, state.sent), condition)

    def _entered(self, level: int, state: State, condition: Tensor) -> State:
        x = state.features + self.top_in[level](self._normal(level, state.estimate))
        for block in self.top_down[level]:
            x = block(x, condition)
        return replace(state, features=x)

    def prior(self, latent: int, state: State, condition: Tensor, aware: bool) -> Prior:
        """What a state on its level says of a latent; ``aware``: both ends have that state."""
        return self.latents[latent].prior(state, self._unit(latent), condition, aware)

    def propose(
        self, latent: int, coefficients: Tensor, tap: Tensor, prior: Prior, quality: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The latent's coefficients float32[B, C, h, w] and their bits float32[B, h, w] under the prior.

        Args:
            latent: which.
            coefficients, tap: of its level, see `Source`.
            prior: of it.
            quality: float32[B].
        """
        block = self.latents[latent]
        target = block.posterior(coefficients, tap, prior, self._unit(latent))
        return target, block.bits(target.detach(), prior, self.step(quality))

    def worth(self, latent: int, prior: Prior, bits: Tensor, quality: Tensor, aware: bool) -> Tensor:
        """The bits float32[B, h, w] that rates go by: ``bits``, or with `expected` the prior's expectation of them."""
        if self.expected and aware:
            return self.latents[latent].expected_bits(prior, self.step(quality)).detach()
        return bits

    def rate_index(self, latent: int, bits: Tensor, eta: Tensor) -> Tensor:
        """Rate indexes int64[B, rows, columns] of the groups for η float32[B]."""
        block = self.latents[latent]
        return block.rate_index(block.group_bits(bits), eta * self.shares[latent])

    def encode(
        self, latent: int, target: Tensor, prior: Prior, bits: Tensor, index: Tensor, eta: Tensor, numbers: Tensor,
        aware: bool,
    ) -> Sent:  # fmt: skip
        """A latent's values for the channel, see `Latent.encode`; ``numbers``: see `encoder_numbers`."""
        return self.latents[latent].encode(
            target, prior, bits, index, eta * self.shares[latent], numbers, aware
        )  # fmt: skip

    def decode(
        self, latent: int, prior: Prior, index: Tensor, received: Tensor, noise_var: Tensor, scale: Tensor,
        condition: Tensor, aware: bool,
    ) -> State:  # fmt: skip
        """The state after a latent has arrived, see `Latent.decode`."""
        return self.latents[latent].decode(
            prior, index, received, noise_var, scale, condition, self._unit(latent), aware
        )

    def finish(self, latent: int, state: State, condition: Tensor) -> Tensor:
        """The picture float32[B, 3, H, W], not clipped, when a latent was the last that arrived."""
        for later in range(latent + 1, len(self.latents)):
            level = self.level_of[later]
            if level == self.level_of[later - 1]:
                continue
            state = self.descend(later, state, condition)
            prior = self.prior(later, state, condition, aware=True)
            state = replace(state, features=prior.features, estimate=prior.mean, variance=prior.variance)
        variance = self.pyramid.spread(state.variance)
        # Of a large picture each of these is large: none is kept for longer than it is of use.
        known = [(1 - variance / self.power_latents[None, :, None, None]).clamp(0, 1)]
        numbers = self._numbers(known[0], variance, state.sent)
        del variance
        return self.transforms.synthesise(self.pyramid.synthesise(state.estimate), known.pop(), numbers)

    # --- over the channel --------------------------------------------------------------------------------------------

    def step(self, quality: Tensor) -> Tensor:
        """Quantiser steps float32[B] for qualities float32[B], in the units of the coefficients."""
        low, high = (math.log(step / 255) for step in self.steps)
        return (low + (high - low) * quality).exp()

    def forward(
        self, images: Tensor, quality: Tensor, eta: Tensor, snr_db: Tensor, channel: Callable, told: int,
        last: int | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Image to image, as training wants it.

        Args:
            images: float32[B, 3, H, W].
            quality: float32[B] in [0, 1].
            eta: float32[B], real channel values per bit.
            snr_db: float32[B], Es/N0 that the transmitter believes in.
            channel: maps complex64 of power 1 to (received, noise variance), see `gr_jscc.nn.noise`.
            told: latents from the first that are sent a round each, knowing what arrived of all before them; the others
                are one round.
            last: the last latent that is sent; None: all.

        Returns:
            ``pictures`` float32[B, 3, H, W], ``bits`` float32[B] under the transmitter's priors, ``uses`` float32[B]
            complex symbols, and after each latent the mean ``left`` float32[latents] of the squared error in its
            level's coefficients.
        """
        last = len(self.latents) - 1 if last is None else last
        source, condition = self.analyse(images, quality), self.given(quality)
        mine = theirs = self.begin(condition, *source.coefficients[0].shape[2:])
        waiting: list[tuple[int, Sent]] = []
        bits, left, numbers = images.new_zeros(len(images)), [], encoder_numbers(quality, snr_db)

        def arrive(latent: int, state: State, prior: Prior | None, sent: Sent, scale: Tensor, aware: bool) -> State:
            prior = prior or self.prior(latent, self.descend(latent, state, condition), condition, aware)
            received, noise_var = over(channel, sent.values, scale)
            state = self.decode(latent, prior, sent.index, received, noise_var, scale, condition, aware)
            error = (state.estimate - source.coefficients[self.level_of[latent]]).detach().square().mean()
            left.append(error)
            return state

        for latent in range(last + 1):
            aware = latent < told
            mine = self.descend(latent, mine, condition)
            prior = self.prior(latent, mine, condition, aware)
            target, counted = self.propose(latent, *source.of(self.level_of[latent]), prior, quality)
            index = self.rate_index(latent, self.worth(latent, prior, counted, quality, aware), eta)
            sent = self.encode(latent, target, prior, counted, index, eta, numbers, aware)
            bits = bits + counted.sum((1, 2))
            if aware:
                theirs = arrive(latent, theirs, prior, sent, power_scale([sent]), aware)
            else:
                waiting.append((latent, sent))
            if latent + 1 < told:
                mine = theirs
            else:
                clean, one = torch.zeros_like(sent.values), torch.ones_like(eta)
                mine = self.decode(latent, prior, sent.index, sent.values, clean, one, condition, aware)
        scale = power_scale([sent for _, sent in waiting]) if waiting else None
        for latent, sent in waiting:
            theirs = arrive(latent, theirs, None, sent, scale, aware=False)
        pictures = self.finish(last, theirs, condition)
        return {"pictures": pictures, "bits": bits, "uses": theirs.sent / 2, "left": torch.stack(left)}

    # --- inside ------------------------------------------------------------------------------------------------------

    def _first(self, level: int) -> Latent:
        return self.latents[self.level_of.index(level)]

    def _unit(self, latent: int) -> Tensor:
        return self._first(self.level_of[latent]).unit

    def _normal(self, level: int, coefficients: Tensor) -> Tensor:
        return coefficients / getattr(self, f"power_{level}")[None, :, None, None].sqrt()

    def _numbers(self, trust: Tensor, variance: Tensor, sent: Tensor) -> Tensor:
        """What `Transforms.synthesise` is told of a picture as a whole.

        Args:
            trust: float32[B, C, h, w].
            variance: of the latents' errors, float32[C] or [B, C, h, w].
            sent: float32[B], channel values.
        """
        if variance.ndim == 1:
            variance = variance[None, :, None, None]
        count = sent.clamp(min=1)
        share = (count / trust[0].numel()).clamp(max=1)
        trusted = (trust.sum((1, 2, 3)) / count).clamp(max=1)
        precision = ((trust / (variance + 1e-4)).sum((1, 2, 3)) / count).clamp(max=1e4)
        numbers = [share.log2() / 2 + 1, 2 * share - 1, 4 * trusted - 3, (precision + 1e-2).log() / 4]
        return torch.stack(numbers, dim=1)


def encoder_numbers(quality: Tensor, snr_db: Tensor) -> Tensor:
    """What encoders are told of a round as a whole, float32[B, 2].

    Args:
        quality: float32[B], from 0 to 1.
        snr_db: float32[B], Es/N0 that the transmitter believes in.
    """
    return torch.stack([2 * quality - 1, snr_db / 10 - 1], dim=1)


def power_scale(sent: Sequence[Sent]) -> Tensor:
    """Amplitude scale float32[B] of latents that are sent together, as the receiver will know it."""
    power = sum(latent.values.square().sum((1, 2, 3)) for latent in sent)
    count = sum(latent.mask.sum((1, 2, 3)) for latent in sent).clamp(min=1) / 2
    return known_scale((power / count + 1e-8).sqrt(), SCALE_STEPS)


def over(channel: Callable, values: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Sends values by a differentiable channel: (received, noise variance of the symbol that each crossed in).

    Values cross in pairs of channels, some of which are not sent; to white noise that makes no difference.
    """
    scale = scale[:, None, None, None]
    values = values / scale
    received, noise_var = channel(torch.complex(values[:, 0::2], values[:, 1::2]))
    real = torch.stack([received.real, received.imag], dim=2).flatten(1, 2) * scale
    return real, noise_var.repeat_interleave(2, dim=1)
