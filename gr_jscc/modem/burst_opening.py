"""Preamble and header of bursts: what candidates of a stream prove to be, and all that is known before the payload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.modem.channel_estimation import estimate_channel
from gr_jscc.modem.header import BurstHeader, decode_header_llr
from gr_jscc.modem.header_cells import header_correlations, header_ratios, training_totals
from gr_jscc.modem.layout import burst_length, header_ofdm_symbols, pilot_values, unscramble
from gr_jscc.modem.noise_spectrum import noise_spectrum
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.phase import fit_header_phase
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS, preamble_carriers
from gr_jscc.modem.received_burst import HeaderSource
from gr_jscc.modem.rows import demodulate_rows
from gr_jscc.modem.synchroniser import acquire

__all__ = ["BurstOpening", "OpeningsRead", "opening_samples", "read_openings"]


@dataclass(frozen=True)
class BurstOpening:
    """What preamble and header say of a burst.

    Attributes:
        header: its header.
        header_symbols: complex64[240], as sent.
        window: first sample of the FFT's first window.
        end: first sample that the burst does not need.
        cfo: carrier frequency offset in cycles per sample.
        response: complex64[used_count], the channel from the preamble alone.
        profile: float64[taps], its prior variances.
        noise_var: mean of a carrier, from the preamble alone.
        shape: float64[used_count], noise of each carrier in proportion to that.
        source: how the header is known.
        lender: of a burst whose header was not read, the neighbour whose channel is taken for its own.

    Example:
        >>> from gr_jscc.modem import BurstKind, modulate
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> from gr_jscc.modem.candidates import find_candidates
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> quiet = np.zeros(1000, np.complex64)
        >>> samples = np.concatenate([quiet, modulate(header, np.ones(480, np.complex64)), quiet])
        >>> read = read_openings(samples, *find_candidates(samples, layout), layout)
        >>> read.openings[0].header == header, read.candidates, read.failed
        (True, 1, 0)
    """

    header: BurstHeader
    header_symbols: np.ndarray
    window: int
    end: int
    cfo: float
    response: np.ndarray
    profile: np.ndarray
    noise_var: float
    shape: np.ndarray
    source: HeaderSource = HeaderSource.READ
    lender: BurstOpening | None = None


@dataclass(frozen=True)
class OpeningsRead:
    """What candidates proved to be.

    Attributes:
        openings: of those with a header, in their order.
        candidates: how many matched the preamble.
        failed: of those, how many had no valid header.
        foreign: of those, how many had a sound one of another version.

    Example:
        >>> OpeningsRead([], candidates=3, failed=3, foreign=1).failed
        3
    """

    openings: list[BurstOpening]
    candidates: int
    failed: int
    foreign: int


def opening_samples(numerology: Numerology) -> int:
    """Samples of preamble and header."""
    return (PREAMBLE_SYMBOLS + header_ofdm_symbols(numerology)) * numerology.symbol_len


def read_openings(
    samples: np.ndarray, positions: np.ndarray, offsets: np.ndarray, numerology: Numerology, base: int = 0
) -> OpeningsRead:
    """Reads the headers of candidates.

    Args:
        samples: complex64[n]; every position must have half an OFDM symbol before it, and preamble and header with
            three symbols more after it.
        positions, offsets: as from `find_candidates`.
        base: number of the first of the samples, as the openings count them.
    """
    layout = numerology
    acquired = acquire(samples, positions, offsets, layout)
    if not len(acquired.window):
        return OpeningsRead([], 0, 0, 0)
    head = header_ofdm_symbols(layout)
    # Timing may have moved by a prefix or so; never out of the samples.
    window = acquired.window.clip(0, len(samples) - opening_samples(layout))
    spectrum = demodulate_rows(samples, window, acquired.cfo, PREAMBLE_SYMBOLS + head, layout)
    power = layout.preamble_power
    training = preamble_carriers(layout) * np.float32(np.sqrt(power))
    totals, energy = training_totals(spectrum, layout.used_bins, training)
    weight = PREAMBLE_SYMBOLS * power
    noise, shape = noise_spectrum(energy / power, PREAMBLE_SYMBOLS - 1, totals / np.float32(weight))
    counts = np.full(totals.shape, weight)
    channel = estimate_channel(totals, counts, noise, shape, None, layout, steps=2)
    matched = (channel.response / shape).astype(np.complex64)
    pilots = pilot_values(layout, 0, head)
    offset, slope = fit_header_phase(
        header_correlations(spectrum, layout.used_bins, training, layout.pilot_index, pilots, matched)
    )
    cells = unscramble(layout, 0, head)
    matched = np.take(matched / noise[:, None].astype(np.float32), layout.data_index, axis=1)
    ratios = header_ratios(spectrum, PREAMBLE_SYMBOLS, layout.data_bins, cells, matched, offset, slope)
    headers, sent, foreign = decode_header_llr(ratios)
    window = window + base
    ends = window + [0 if header is None else burst_length(header, layout) - layout.cp_len for header in headers]
    cfo = acquired.cfo + slope / (2 * np.pi * layout.symbol_len)
    columns = headers, sent, window.tolist(), ends.tolist(), cfo.tolist()
    columns += channel.response, channel.profile, noise.tolist(), shape
    openings = [BurstOpening(*values) for values in zip(*columns) if values[0] is not None]
    return OpeningsRead(openings, len(headers), len(headers) - len(openings), int(foreign.sum()))
