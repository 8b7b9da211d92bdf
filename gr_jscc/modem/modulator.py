"""Payload symbols to samples.

The FFT is unitary. When the payload has mean power 1, every used carrier has power 1, and white noise of variance v per
complex sample is noise of variance v on every carrier: Es/N0 per data subcarrier is 1/v. A sample's mean power is
used_count / fft_size, also where pilots or preamble are stronger than the data or weaker.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.header import BurstHeader, BurstHeaders, headers_as_sent
from gr_jscc.modem.layout import (
    burst_gain,
    data_places,
    filler,
    header_ofdm_symbols,
    payload_ofdm_symbols,
    pilot_places,
    pilot_values,
    scramble,
)
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.papr import clip_and_filter
from gr_jscc.modem.preamble import preamble_samples
from gr_jscc.modem.turning import FAST

__all__ = ["ModulatedBursts", "modulate", "modulate_bursts"]


@dataclass(frozen=True)
class ModulatedBursts:
    """Bursts one after the other.

    Attributes:
        samples: complex64[n].
        ends: int64[bursts], samples up to the end of each.
        peaks, energies: float64[bursts], the largest power of a sample of each, and the sum of all.

    Example:
        >>> from gr_jscc.modem import BurstKind
        >>> headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, 2, symbols=480) for index in range(2)]
        >>> packed = BurstHeaders.unpack(b"".join(header.pack() for header in headers))
        >>> two = modulate_bursts(packed, np.ones(960, np.complex64))
        >>> len(two.samples), two.ends.tolist(), bool((two.energies > two.peaks).all())
        (3040, [1520, 3040], True)
    """

    samples: np.ndarray
    ends: np.ndarray
    peaks: np.ndarray
    energies: np.ndarray


def modulate(
    header: BurstHeader,
    symbols: np.ndarray,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
    papr_limit_db: float | None = None,
) -> np.ndarray:
    """One burst: preamble, header and payload. Cells left over in the last OFDM symbol carry a pseudo-random filler.

    Args:
        header: `header.symbols` must be the number of `symbols`.
        symbols: complex64[k], sent as they are; mean power 1 for the SNR to mean what it says.
        papr_limit_db: peak over mean power that header and payload are clipped to, dB; None leaves them alone.

    Returns:
        complex64[burst_length(header, numerology)].

    Raises:
        ValueError: the number of symbols is not the header's, or a symbol is not finite.
    """
    return modulate_bursts(BurstHeaders.unpack(header.pack()), symbols, numerology, papr_limit_db).samples


def modulate_bursts(
    headers: BurstHeaders,
    symbols: np.ndarray,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
    papr_limit_db: float | None = None,
) -> ModulatedBursts:
    """Bursts that follow each other without a gap, each as of `modulate`; quicker than one by one.

    Args:
        headers: at least one.
        symbols: complex64[k], theirs one after the other.

    Raises:
        ValueError: the number of symbols is not the headers', or a symbol is not finite.
    """
    symbols = np.asarray(symbols, np.complex64)
    counts = headers.symbols
    if symbols.shape != (counts.sum(),):
        raise ValueError(f"the headers state {counts.sum()} symbols, but their shape is {symbols.shape}")
    head, opening = header_ofdm_symbols(numerology), preamble_samples(numerology)
    rows = head + payload_ofdm_symbols(counts, numerology)
    most, gains = int(rows.max()), np.ones(len(rows), np.float32)
    pilots = pilot_values(numerology, 0, most)
    if numerology.boosted:
        gains = np.array([burst_gain(numerology, int(count)) for count in rows], np.float32)
        pilots = pilots.copy()
        pilots[head:] *= np.float32(np.sqrt(numerology.pilot_power))
        opening = opening * np.float32(np.sqrt(numerology.preamble_power))
    sound, spectrum = _mapped(
        headers_as_sent(headers), symbols, counts, filler(numerology.data_count - 1), rows, gains,
        scramble(numerology, 0, most), pilots, head, data_places(numerology, 0, most),
        pilot_places(numerology, 0, most), numerology.used_bins, numerology.fft_size,
    )  # fmt: skip
    if not sound:
        raise ValueError("a payload symbol is not finite")
    if papr_limit_db is not None:
        parts = np.split(spectrum, np.cumsum(rows)[:-1])
        spectrum = np.concatenate([clip_and_filter(part, papr_limit_db, numerology) for part in parts])
    bodies = scipy.fft.ifft(spectrum, axis=1, norm="ortho", overwrite_x=True)
    return ModulatedBursts(*_with_prefixes(opening, bodies, rows, gains, numerology.cp_len))


@njit(cache=True, nogil=True, fastmath=FAST)
def _mapped(headers, payload, counts, rest, rows, gains, scramble, pilots, head, data_places, pilot_places, bins, size):
    """Whether all symbols are finite, and the OFDM symbols after the preambles: complex64[sum of rows, size].

    Args:
        headers: complex64[c, 240], repeated until their OFDM symbols are full.
        payload: complex64[sum of counts]; counts: int64[c], each burst's; rest: what follows in its last OFDM symbol.
        rows: int64[c], OFDM symbols of each; gains: float32[c], amplitudes.
        scramble: complex64[most rows, data_count]; pilots: float32[most rows, pilot_count].
        head: OFDM symbols of a header.
        data_places, pilot_places: int64, as `scramble` and `pilots`, places among the used carriers.
        bins: int64[used_count].
        size: points of the FFT.
    """
    cells = scramble.shape[1]
    spectrum = np.zeros((rows.sum(), size), np.complex64)
    full, turned = np.empty(cells, np.complex64), np.empty(cells, np.complex64)
    nothing = np.float32(0)  # times anything that is finite
    first, begin = 0, 0
    for c in range(len(rows)):
        gain, place, own = gains[c], 0, payload[begin : begin + counts[c]]
        for row in range(rows[c]):
            if row < head:
                for d in range(cells):
                    full[d] = headers[c, place]
                    place = place + 1 if place + 1 < headers.shape[1] else 0
                values = full
            elif (row - head + 1) * cells <= len(own):
                values = own[(row - head) * cells : (row - head + 1) * cells]
            else:
                left = len(own) - (row - head) * cells
                full[:left] = own[(row - head) * cells :]
                full[left:] = rest[: cells - left]
                values = full
            out, turns, places, own_pilots = spectrum[first + row], scramble[row], data_places[row], pilot_places[row]
            # One thing at a time, so that what can vectorises.
            for d in range(cells):
                turned[d] = values[d] * turns[d] * gain
            for d in range(cells):
                nothing += turned[d].real * np.float32(0) + turned[d].imag * np.float32(0)
            for d in range(cells):
                out[bins[places[d]]] = turned[d]
            for p in range(len(own_pilots)):
                out[bins[own_pilots[p]]] = pilots[row, p] * gain
        first += rows[c]
        begin += counts[c]
    return nothing == 0, spectrum


@njit(cache=True, nogil=True, fastmath=FAST)
def _with_prefixes(opening, bodies, rows, gains, cp_len):
    """`ModulatedBursts` of preambles and bodies, complex64[sum of rows, fft_size], each after its cyclic prefix.

    Args:
        opening: complex64[n], the preamble before its gain.
        rows: int64[c], bodies of each burst; gains: float32[c], of its preamble.
    """
    size = bodies.shape[1]
    samples = np.empty(len(rows) * len(opening) + len(bodies) * (size + cp_len), np.complex64)
    ends, peaks, energies = np.empty(len(rows), np.int64), np.zeros(len(rows)), np.zeros(len(rows))
    # Positive numbers are in the order of their bits as whole numbers, whose maximum vectorises.
    powers = np.empty(1024, np.float32)
    bits = powers.view(np.int32)
    place, first = 0, 0
    for c in range(len(rows)):
        begin, gain = place, gains[c]
        # Slices in place of indexes that are sums: such an index might be negative, which keeps loops from vectorising.
        own = samples[place : place + len(opening)]
        for i in range(len(own)):
            own[i] = opening[i] * gain
        place += len(opening)
        for row in range(first, first + rows[c]):
            body = bodies[row]
            samples[place : place + cp_len] = body[size - cp_len :]
            samples[place + cp_len : place + cp_len + size] = body
            place += size + cp_len
        peak, energy = np.int32(0), 0.0
        for start in range(begin, place, len(powers)):
            # Single precision over blocks, double over the sums of blocks.
            total = np.float32(0)
            part = samples[start : min(start + len(powers), place)]
            for i in range(len(part)):
                powers[i] = part[i].real * part[i].real + part[i].imag * part[i].imag
            for i in range(len(part)):
                total += powers[i]
                peak = max(peak, bits[i])
            energy += total
        bits[0] = peak
        ends[c], peaks[c], energies[c] = place, powers[0], energy
        first += rows[c]
    return samples, ends, peaks, energies
