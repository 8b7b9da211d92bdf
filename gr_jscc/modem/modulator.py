"""Payload symbols to samples.

The FFT is unitary. When the payload has mean power 1, every used carrier has power 1, and white noise of variance v per
complex sample is noise of variance v on every carrier: Es/N0 per data subcarrier is 1/v. A sample's mean power is
used_count / fft_size, also where pilots or preamble are stronger than the data or weaker.
"""

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.header import BurstHeader, header_symbols
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

__all__ = ["modulate"]


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
    symbols = np.asarray(symbols, np.complex64)
    if symbols.shape != (header.symbols,):
        raise ValueError(f"the header states {header.symbols} symbols, but their shape is {symbols.shape}")
    if not np.isfinite(symbols.view(np.float32)).all():
        raise ValueError("a payload symbol is not finite")
    head = header_ofdm_symbols(numerology)
    rows = head + payload_ofdm_symbols(header.symbols, numerology)
    pilots, opening = pilot_values(numerology, 0, rows), preamble_samples(numerology)
    if numerology.boosted:
        gain = burst_gain(numerology, rows)
        pilots = pilots.copy()
        pilots[head:] *= np.float32(np.sqrt(numerology.pilot_power))
        opening = opening * np.float32(gain * np.sqrt(numerology.preamble_power))
    spectrum = _mapped(
        header_symbols(header), symbols, filler((rows - head) * numerology.data_count - len(symbols)),
        scramble(numerology, 0, rows), pilots, head, data_places(numerology, 0, rows),
        pilot_places(numerology, 0, rows), numerology.used_bins, numerology.fft_size,
    )  # fmt: skip
    if numerology.boosted:
        spectrum *= np.float32(gain)
    if papr_limit_db is not None:
        spectrum = clip_and_filter(spectrum, papr_limit_db, numerology)
    bodies = scipy.fft.ifft(spectrum, axis=1, norm="ortho", overwrite_x=True)
    return _with_prefixes(opening, bodies, numerology.cp_len)


@njit(cache=True, nogil=True)
def _mapped(header, payload, rest, scramble, pilots, head, data_places, pilot_places, bins, fft_size):
    """The OFDM symbols after the preamble: complex64[n, fft_size].

    Args:
        header: complex64[240], repeated until its OFDM symbols are full.
        payload, rest: complex64, which fill the others together.
        scramble: complex64[n, data_count]; pilots: float32[n, pilot_count].
        head: OFDM symbols of the header.
        data_places, pilot_places: int64, as `scramble` and `pilots`, places among the used carriers.
        bins: int64[used_count].
    """
    rows, cells = scramble.shape
    spectrum = np.zeros((rows, fft_size), np.complex64)
    place = 0
    for row in range(rows):
        if row == head:
            place = 0
        for d in range(cells):
            if row < head:
                value = header[place % len(header)]
            elif place < len(payload):
                value = payload[place]
            else:
                value = rest[place - len(payload)]
            spectrum[row, bins[data_places[row, d]]] = value * scramble[row, d]
            place += 1
        for p in range(pilots.shape[1]):
            spectrum[row, bins[pilot_places[row, p]]] = pilots[row, p]
    return spectrum


@njit(cache=True, nogil=True)
def _with_prefixes(opening, bodies, cp_len):
    """`opening` and the bodies, complex64[n, fft_size], each after its cyclic prefix: complex64[samples]."""
    rows, size = bodies.shape
    samples = np.empty(len(opening) + rows * (size + cp_len), np.complex64)
    for i in range(len(opening)):
        samples[i] = opening[i]
    place = len(opening)
    for row in range(rows):
        for i in range(cp_len):
            samples[place + i] = bodies[row, size - cp_len + i]
        for i in range(size):
            samples[place + cp_len + i] = bodies[row, i]
        place += size + cp_len
    return samples
