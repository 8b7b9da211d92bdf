"""The modulator's peak limiting as a differentiable function of torch, see `gr_jscc.modem.papr`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gr_jscc.modem.layout import data_places, pilot_places, pilot_values, scramble
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY
from gr_jscc.modem.papr import ITERATIONS, OVERSAMPLING, oversampled_bins


def clipped(symbols: Tensor, pairs: Tensor, limit_db: float, generator: torch.Generator) -> Tensor:
    """Symbols as peak limiting leaves them, with gradients.

    OFDM symbols are made of symbols of one picture in random order, as the interleaver makes them.

    Args:
        symbols: complex64[B, S, h, w].
        pairs: int64[B], of the S, that are sent.
        limit_db: peak over mean power, dB.
        generator: of the order, on their device.
    """
    cells, device = DEFAULT_NUMEROLOGY.data_count, symbols.device
    flat = symbols.flatten(1)
    unsent = torch.arange(symbols.shape[1], device=device) >= pairs[:, None]
    unsent = unsent[:, :, None, None].expand(symbols.shape).flatten(1)
    order = (torch.rand(flat.shape, generator=generator, device=device) + unsent).argsort(1)  # those unsent last
    rows = -(-flat.shape[1] // cells)
    mixed = torch.nn.functional.pad(flat.gather(1, order), (0, rows * cells - flat.shape[1]))
    turns, pilots = (
        torch.from_numpy(np.resize(values, (rows, values.shape[1]))).to(device)
        for values in (scramble(DEFAULT_NUMEROLOGY, 0, rows), pilot_values(DEFAULT_NUMEROLOGY, 0, rows))
    )
    limited = clip_and_filter(mixed.reshape(len(flat), rows, cells) * turns, pilots, limit_db) * turns.conj()
    return flat.scatter(1, order, limited.flatten(1)[:, : flat.shape[1]]).reshape(symbols.shape)


def clip_and_filter(data: Tensor, pilots: Tensor, limit_db: float) -> Tensor:
    """OFDM symbols after repeated clipping and filtering, as `gr_jscc.modem.papr.clip_and_filter`, with gradients.

    Args:
        data: complex64[B, rows, data carriers].
        pilots: float32[rows, pilot carriers].
        limit_db: peak over mean power, dB.

    Returns:
        The data cells, of unit gain.
    """
    layout, device = DEFAULT_NUMEROLOGY, data.device
    size, length = layout.fft_size, OVERSAMPLING * layout.fft_size
    limit = (10 ** (limit_db / 10) * layout.used_count / size) ** 0.5
    bins, count = oversampled_bins(layout), data.shape[1]
    cells, known = (
        torch.from_numpy(np.resize(bins[places], (count, places.shape[1]))).to(device)
        for places in (data_places(layout, 0, count), pilot_places(layout, 0, count))
    )
    rows = torch.arange(count, device=device)[:, None]
    scale = OVERSAMPLING * size**0.5
    after = data
    for _ in range(ITERATIONS):
        padded = torch.zeros(*data.shape[:2], length, dtype=data.dtype, device=device)
        padded[:, rows, cells], padded[:, rows, known] = after, pilots.to(data.dtype)
        waveform = torch.fft.ifft(padded) * scale
        magnitude = (waveform.real.square() + waveform.imag.square() + 1e-24).sqrt()  # 0 has no gradient
        after = torch.fft.fft(waveform * (limit / magnitude).clamp(max=1))[:, rows, cells] / scale
    sides = (1, 2)
    gain = (data.conj() * after).real.sum(sides) / data.abs().square().sum(sides).clamp(min=1e-30)
    return after / gain.clamp(min=1e-3)[:, None, None]
