"""All latents that are left, as one round and tile by tile: a large picture's coefficients are kept, little else is.

None of them waits for what arrived of the one before. So what a position comes to depends on what is near it, and the
latents of a level go through each tile one after the other. Pictures that fit one tile are computed as a whole.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.end import End
from gr_jscc.codecs.hjscc.latent import Prior, Sent, Source, State
from gr_jscc.codecs.hjscc.network import HJSCCNetwork, encoder_numbers
from gr_jscc.codecs.parts.masked_values import placed_from
from gr_jscc.nn.rate_attention import of_group
from gr_jscc.nn.tiles import all_by_tiles

LATENT_REACH = 4  # positions on every side that a latent's prior, posterior, refinement and end look at together
# Tensors as large as a tile's coefficients by which a tile's size is chosen; there are some more. Where all values are
# kept, less memory is left for a tile.
ROOM, ROOM_BESIDE_VALUES = 1.2, 3.0

# Rate indexes int64 of groups, values and noise variances float32[1, C, h, w], and their scale float32[1].
Crossed: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]
# A latent, its prior and its inputs of a tile → what crossed, if anybody asks what comes after, and what is kept.
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

    _, made = _walked(end, [source.of(level) for level in network.level_of[end.latent + 1 :]], work, ROOM)
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
    _, made = _walked(end, inputs, work, ROOM_BESIDE_VALUES)
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
    scales, inputs, history = torch.tensor([scale], device=symbols.device), [], list(end.history)
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
        return (index, placed_from(values, mask, begins), placed_from(noise, mask, begins), scales), [mask]

    state, made = _walked(end, inputs, work, ROOM)
    masks = [mask for (mask,) in made]
    for mask in masks:
        state = replace(state, sent=state.sent + mask.sum((1, 2, 3)))
    return replace(end, latent=len(network.latents) - 1, state=state, history=tuple(history)), masks


def _walked(end: End, inputs: Sequence[Sequence[Tensor]], work: Work, room: float) -> tuple[State, list[list[Tensor]]]:
    """The top-down path through all latents that are left.

    Args:
        end: so far.
        inputs: for each of them, tensors [1, ·, h, w] of its level.
        work: see there.
        room: for how many tensors as large as its coefficients a tile is made small enough.

    Returns:
        The last state, but for what only later latents would need, and for each latent what is kept.
    """
    network, condition, state = end.network, end.condition, end.state
    first, made = end.latent + 1, []
    nothing = torch.zeros_like(state.sent)
    for level, group in itertools.groupby(range(first, len(network.latents)), network.level_of.__getitem__):
        latents = list(group)
        is_last = latents[-1] == len(network.latents) - 1
        given = [inputs[latent - first] for latent in latents]
        lengths: list[int] = []  # of what is kept of each latent

        def through(*tensors: Tensor, latents=latents, given=given, lengths=lengths, is_last=is_last):
            state, rest, kept = State(*tensors[:4], tensors[3], nothing), iter(tensors[4:]), []
            lengths.clear()
            for latent, own in zip(latents, given):
                state = network.descend(latent, state, condition)
                prior = network.prior(latent, state, condition, aware=False)
                crossed, more = work(latent, prior, list(itertools.islice(rest, len(own))))
                kept += more
                lengths.append(len(more))
                if crossed is None:
                    return tuple(kept)
                state = network.decode(latent, prior, *crossed, condition, aware=False)
            shown = [state.estimate, state.variance]
            return (*kept, *shown) if is_last else (*kept, *shown, state.features, state.ranking_untold)

        block = network.latents[latents[0]]
        before = (state.features, state.estimate, state.variance, state.ranking_untold)
        factor = given[0][0].shape[2] // state.features.shape[2]
        reach = len(network.top_down[level]) + len(latents) * (LATENT_REACH + block.group - 1)
        widest = room * network.pyramid.channels[level] * factor**2
        whole = [*before, *itertools.chain(*given)]
        results = all_by_tiles([(through, -(-reach // factor))], whole, widest, block.group)
        kept = iter(results)
        made += [list(itertools.islice(kept, length)) for length in lengths]
        after = list(kept)
        if after:
            estimate, variance, *more = after
            features, ranking = more or (estimate[:, :0], estimate[:, :0])
            state = State(features, estimate, variance, ranking, ranking, state.sent)
    return state, made


def _as_sent(values: Tensor, index: Tensor) -> Crossed:
    """As a transmitter has it that takes what it sent for what arrived."""
    return index, values, torch.zeros_like(values), values.new_ones(1)


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
