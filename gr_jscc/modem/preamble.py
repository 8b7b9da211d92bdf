"""The training that opens a burst.

Four whole OFDM symbols, each the same known symbol A with its own cyclic prefix, with signs + + - +. Neighbours are
one symbol apart, so products across that lag find the preamble and its carrier offset under any multipath (Schmidl and
Cox, "Robust frequency and timing synchronization for OFDM", IEEE Trans. Commun. 1997), and the signs make a constant,
a sine or any stationary signal cancel out of those products. All four carry every used carrier, so all four serve the
channel estimate; keeping a prefix on each keeps the sign changes from leaking through the channel's memory.

A is pseudo-random QPSK rather than a chirp (Zadoff-Chu, Newman): a chirp mistakes a carrier offset for a delay.
"""

from functools import lru_cache

import numpy as np
import scipy.fft

from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.prbs import random_qpsk

__all__ = [
    "PREAMBLE_SIGNS",
    "PREAMBLE_SYMBOLS",
    "preamble_carriers",
    "preamble_samples",
    "training_carriers",
    "training_symbol",
]

PREAMBLE_SIGNS = np.array([1.0, 1.0, -1.0, 1.0], np.float32)
PREAMBLE_SYMBOLS = len(PREAMBLE_SIGNS)

_SEARCHED = 256


@lru_cache(maxsize=32)
def training_carriers(numerology: Numerology) -> np.ndarray:
    """A on the used carriers in ascending order: complex64[used_count], each of power 1.

    The one of 256 pseudo-random sequences with the lowest peak (four times oversampled): 4 to 6 dB above the mean.
    """
    count, size = numerology.used_count, 4 * numerology.fft_size
    candidates = random_qpsk(0x7261, _SEARCHED * count).reshape(_SEARCHED, count)
    best, lowest = candidates[0], np.inf
    for candidate in candidates:
        spectrum = np.zeros(size, np.complex64)
        spectrum[numerology.used_carriers % size] = candidate
        peak = np.abs(scipy.fft.ifft(spectrum)).max()
        # A margin, so that rounding on another machine cannot choose another sequence.
        if peak < lowest * (1 - 1e-4):
            best, lowest = candidate, peak
    best = best.copy()
    best.setflags(write=False)
    return best


@lru_cache(maxsize=32)
def preamble_carriers(numerology: Numerology) -> np.ndarray:
    """The whole preamble on the used carriers: complex64[4, used_count], each of power 1."""
    carriers = PREAMBLE_SIGNS[:, None] * training_carriers(numerology)
    carriers.setflags(write=False)
    return carriers


@lru_cache(maxsize=32)
def training_symbol(numerology: Numerology) -> np.ndarray:
    """A with its cyclic prefix: complex64[symbol_len]."""
    spectrum = np.zeros(numerology.fft_size, np.complex64)
    spectrum[numerology.used_bins] = training_carriers(numerology)
    body = scipy.fft.ifft(spectrum, norm="ortho")
    symbol = np.concatenate([body[-numerology.cp_len :], body])
    symbol.setflags(write=False)
    return symbol


@lru_cache(maxsize=32)
def preamble_samples(numerology: Numerology) -> np.ndarray:
    """The whole preamble: complex64[4 * symbol_len], of power 1 on each used carrier."""
    samples = (PREAMBLE_SIGNS[:, None] * training_symbol(numerology)).reshape(-1)
    samples.setflags(write=False)
    return samples
