"""All latents that are left, as one round and tile by tile: a large picture's coefficients are kept, little else is.

None of them waits for what arrived of the one before. So what a position comes to depends on what is near it, and the
latents of a level go through each tile one after the other. Pictures that fit one tile are computed as a whole.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.end import End
from gr_jscc.codecs.hjscc.latent import Prior, Sent, Source, State
from gr_jscc.codecs.hjscc.network import HJSCCNetwork, encoder_numbers
from gr_jscc.codecs.parts.masked_values import placed_from
from gr_jscc.nn.rate_attention import of_group
from gr_jscc.nn.tiles import Stage, all_by_tiles

# Positions on every side that a latent's prior looks at, its posterior, and its refinement and end together.
PRIOR_REACH, POSTERIOR_REACH, ARRIVAL_REACH = 1, 1, 2
ROOM = 3  # tensors as large as a tile's coefficients for which there is to be room, about

# Rate indexes int64[1, rows, columns] of groups, values float32[1, C, h, w], and noise variances as they or of one for
# all channels.
Crossed: TypeAlias = tuple[Tensor, Tensor, Tensor]
# A latent, its prior and its inputs of a tile → what crossed, if anybody asks what comes after, and what is kept, of
# each latent as many tensors.
Work: TypeAlias = Callable[[int, Prior, Sequence[Tensor]], tuple[Crossed | None, list[Tensor]]]


def bits_left(source: Source, end: End, eta: float, snr_db: float) -> list[Tensor]:
    """Bits float32[1, h, w] of every latent that is left, where each is sent at η and met by no noise.

    Args:
        source: the picture.
        end: of the transmitter, so far.
        eta: real channel values per bit.
        snr_db: that the transmitter believes in.
    """
    network, last = end.network, len(end.network.latents) - 1
    etas, snrs = (torch.full_like(end.quality, x) for x in (eta, snr_db))

    def work(latent: int, prior: Prior, given: Sequence[Tensor]) -> tuple[Crossed | None, list[Tensor]]:
        target, bits = network.propose(latent, *given, prior, end.quality)
        if latent == last:
            return None, [bits[:, None]]
        index = network.rate_index(latent, bits, etas)
        numbers = encoder_numbers(end.quality, snrs)
        sent = network.encode(latent, target, prior, bits, index, etas, numbers, aware=False)
        return _as_sent(sent.values, index), [bits[:, None]]

    _, made = _walked(end, [source.of(level) for level in network.level_of[end.latent + 1 :]], work, keeps=1)
    return [bits[:, 0] for (bits,) in made]


def values_left(source: Source, end: End, indexes: Sequence[np.ndarray], eta: float, snr_db: float) -> list[Sent]:
    """Every latent that is left as it is given to the channel; ``indexes`` int64[rows, columns], others as above."""
    network, last = end.network, len(end.network.latents) - 1
    etas, snrs = (torch.full_like(end.quality, x) for x in (eta, snr_db))

    def work(latent: int, prior: Prior, given: Sequence[Tensor]) -> tuple[Crossed | None, list[Tensor]]:
        *beside, wide = given
        index = _of_groups(network, latent, wide)
        target, bits = network.propose(latent, *beside, prior, end.quality)
        numbers = encoder_numbers(end.quality, snrs)
        sent = network.encode(latent, target, prior, bits, index, etas, numbers, aware=False)
        return None if latent == last else _as_sent(sent.values, index), [sent.mask, sent.values]

    first = end.latent + 1
    inputs = [
        [*source.of(network.level_of[latent]), _wide(network, end, latent, index)]
        for latent, index in enumerate(indexes, first)
    ]
    _, made = _walked(end, inputs, work, keeps=2)
    return [Sent(torch.from_numpy(index).to(mask.device)[None], mask, x) for index, (mask, x) in zip(indexes, made)]


def after_all(
    end: End, indexes: Sequence[np.ndarray], symbols: Tensor, noise_var: Tensor, scale: float
) -> tuple[End, list[Tensor]] | None:
    """The end after all latents that were left arrived, and which of their values were sent, bool[1, C, h, w] each.

    Args:
        end: of the receiver, so far.
        indexes: int64[rows, columns] of every latent that is left.
        symbols: complex64[k], 0 where nothing arrived.
        noise_var: float32[k], ``inf`` where nothing arrived.
        scale: amplitude of the values for symbols of power 1.

    Returns:
        None where there are not as many symbols as the indexes say.
    """
    network, first, used = end.network, end.latent + 1, 0
    values, noise = torch.view_as_real(symbols).flatten() * scale, noise_var.repeat_interleave(2)
    inputs, history = [], list(end.history)
    for latent, index in enumerate(indexes, first):
        wide = _wide(network, end, latent, index)
        rates = network.latents[latent].rates[wide]
        begins = used + rates.flatten().cumsum(0).reshape(rates.shape) - rates
        part = slice(used // 2, (used := used + int(rates.sum())) // 2)
        came = b"".join(x[part].detach().cpu().numpy().tobytes() for x in (symbols, noise_var))
        history.append((zlib.crc32(index.tobytes()), zlib.crc32(came)))
        inputs.append([wide, begins])
    if used != 2 * len(symbols):
        return None

    def work(latent: int, prior: Prior, given: Sequence[Tensor]) -> tuple[Crossed | None, list[Tensor]]:
        wide, begins = given
        index = _of_groups(network, latent, wide)
        mask = network.latents[latent].mask(index, prior)
        return (index, placed_from(values, mask, begins), placed_from(noise, mask, begins)), [mask]

    state, made = _walked(end, inputs, work, keeps=1, scale=scale)
    masks = [mask for (mask,) in made]
    for mask in masks:
        state = replace(state, sent=state.sent + mask.sum((1, 2, 3)))
    return replace(end, latent=len(network.latents) - 1, state=state, history=tuple(history)), masks


def _walked(
    end: End, inputs: Sequence[Sequence[Tensor]], work: Work, keeps: int, scale: float | None = None
) -> tuple[State, list[list[Tensor]]]:
    """The top-down path through all latents that are left.

    Args:
        end: so far.
        inputs: for each of them, tensors [1, ·, h, w] of its level.
        work: see there.
        keeps: how many tensors that keeps.
        scale: amplitude of the values that crossed, for symbols of power 1; None: the transmitter's, which has no use
            for the state after the last latent.

    Returns:
        The last state, but for what only later latents would need, and for each latent what is kept.
    """
    network, state = end.network, end.state
    first, last, made = end.latent + 1, len(network.latents) - 1, []
    for level, group in itertools.groupby(range(first, last + 1), network.level_of.__getitem__):
        latents = list(group)
        before = (state.estimate, state.variance, state.features, state.ranking_untold)
        given = [inputs[latent - first] for latent in latents]
        factor, block = given[0][0].shape[2] // state.features.shape[2], network.latents[latents[0]]
        walk, stages = _Walk(end, work, 1.0 if scale is None else scale), []
        for number, (latent, own) in enumerate(zip(latents, given)):
            entered = 0 if number else len(network.top_down[level])
            stages += [Stage(partial(walk.expect, latent), PRIOR_REACH + entered)]
            stages += [Stage(partial(walk.cross, latent), POSTERIOR_REACH + block.group - 1, own, keeps=keeps)]
            if latent < last or scale is not None:
                stages += [Stage(partial(walk.settle, latent), ARRIVAL_REACH)]
        coarse = [stage._replace(reach=-(-stage.reach // factor)) for stage in stages]
        widest = ROOM * network.pyramid.channels[level] * factor**2
        results = all_by_tiles(coarse, before, widest, math.lcm(block.group, factor) // factor)
        kept, left = results[: keeps * len(latents)], results[keeps * len(latents) :]
        made += [list(kept[begin : begin + keeps]) for begin in range(0, len(kept), keeps)]
        if left:
            estimate, variance, *more = left
            features, ranking = more or (estimate[:, :0], estimate[:, :0])
            state = State(features, estimate, variance, ranking, ranking, state.sent)
    return state, made


class _Walk:
    """What is done with a tile for each latent of a level, in stages that look a little further than the tile.

    Args:
        end, work, scale: of `_walked`.
    """

    def __init__(self, end: End, work: Work, scale: float) -> None:
        self._network, self._condition, self._work = end.network, end.condition, work
        self._scale, self._sent = torch.full_like(end.quality, scale), torch.zeros_like(end.state.sent)

    def expect(
        self, latent: int, estimate: Tensor, variance: Tensor, features: Tensor, ranking: Tensor
    ) -> tuple[Tensor, ...]:
        """From the state to the prior."""
        state = State(features, estimate, variance, ranking, ranking, self._sent)
        prior = self._network.prior(
            latent, self._network.descend(latent, state, self._condition), self._condition, aware=False
        )
        return prior.features, prior.mean, prior.variance, prior.ranking, prior.order.short()

    def cross(self, latent: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """From the prior to what crossed, nothing of the last latent where nobody asks for the state after it, and to
        what is kept.
        """
        prior, own = tensors[:5], tensors[5:]
        crossed, kept = self._work(latent, self._prior(*prior), own)
        if crossed is None:
            return tuple(kept)
        index, values, noise_var = crossed
        wide = of_group(index[:, None], self._network.latents[latent].group, values.shape[2:])
        return *prior, wide, values, noise_var, *kept

    def settle(self, latent: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """From what crossed to the state after it."""
        *prior, wide, values, noise_var = tensors
        index = _of_groups(self._network, latent, wide)
        state = self._network.decode(
            latent, self._prior(*prior), index, values, noise_var, self._scale, self._condition, aware=False
        )
        is_last = latent == len(self._network.latents) - 1
        return state.estimate, state.variance, *(() if is_last else (state.features, state.ranking_untold))

    def _prior(self, features: Tensor, mean: Tensor, variance: Tensor, ranking: Tensor, order: Tensor) -> Prior:
        state = State(features, mean, variance, ranking, ranking, self._sent)
        return Prior(state, features, mean, variance, ranking, order)


def _as_sent(values: Tensor, index: Tensor) -> Crossed:
    """As a transmitter has it that takes what it sent for what arrived."""
    return index, values, torch.zeros_like(values[:, :1])


def _wide(network: HJSCCNetwork, end: End, latent: int, index: np.ndarray) -> Tensor:
    """Rate indexes int64[rows, columns] of groups at each of their positions, int64[1, 1, h, w]."""
    times = 2 ** (network.level_of[latent] - network.level_of[max(end.latent, 0)])
    rows, columns = (times * length for length in end.state.estimate.shape[2:])
    groups = torch.from_numpy(index).to(end.quality.device)[None, None]
    return of_group(groups, network.latents[latent].group, (rows, columns))


def _of_groups(network: HJSCCNetwork, latent: int, wide: Tensor) -> Tensor:
    """Undoes `_wide` of a tile, which begins where a group does: int64[1, rows, columns]."""
    group = network.latents[latent].group
    return wide[:, 0, ::group, ::group]
