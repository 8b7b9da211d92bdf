"""OFDM symbols out of a stream: carrier offset removed, prefixes dropped, transformed."""

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["demodulate_rows"]


def demodulate_rows(
    samples: np.ndarray, window: np.ndarray, cfo: np.ndarray, rows: int, numerology: Numerology
) -> np.ndarray:
    """The FFTs of OFDM symbols from the start of each burst, carrier offset removed.

    Args:
        samples: complex64[n].
        window: int64[c], first sample of the first FFT window in `samples`.
        cfo: float64[c], cycles per sample.
        rows: OFDM symbols, the preamble's included; all of them lie in `samples`.

    Returns:
        complex64[c, rows, fft_size]. The phase is that of the offset's oscillator starting at zero at `window`.

    Raises:
        ValueError: a row lies outside of `samples`.
    """
    lag, size = numerology.symbol_len, numerology.fft_size
    if len(window) and (window.min() < 0 or window.max() + (rows - 1) * lag + size > len(samples)):
        raise ValueError("an OFDM symbol lies outside the samples")
    bodies = _derotated(samples, window, cfo, rows, lag, size)
    return scipy.fft.fft(bodies, axis=-1, norm="ortho", overwrite_x=True)


@njit(cache=True, nogil=True, fastmath=FAST)
def _derotated(samples, window, cfo, rows, lag, size):
    """The samples of the FFT windows turned back by the carrier offset: complex64[c, rows, size]."""
    bodies = np.empty((len(window), rows, size), np.complex64)
    inner = np.empty(size, np.complex64)
    for burst in range(len(window)):
        for i in range(size):
            cosine, sine = cosine_sine(-cfo[burst] * i)
            inner[i] = complex(cosine, sine)
        for row in range(rows):
            cosine, sine = cosine_sine(-cfo[burst] * (lag * row))
            outer = np.complex64(complex(cosine, sine))
            body = samples[window[burst] + row * lag : window[burst] + row * lag + size]
            out = bodies[burst, row]
            for i in range(size):
                out[i] = body[i] * (inner[i] * outer)
    return bodies
