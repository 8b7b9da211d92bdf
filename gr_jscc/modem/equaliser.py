"""Undoing the channel: unbiased symbols of unit gain, and how far each is to be trusted."""

import numpy as np
from numba import njit

from gr_jscc.modem.turning import FAST

__all__ = ["channel_inverse"]

# A carrier this far below its OFDM symbol's mean power is as good as gone; its noise variance stays finite.
_FADED = 1e-7


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def channel_inverse(response, variance, noise_var, walk_variance):
    """What to multiply received carriers by, and the noise variance of the product for sent symbols of power 1.

    Given what was observed, the channel is `response` plus an independent error; so the quotient is unbiased, and the
    error counts as noise of its variance.

    Args:
        response: complex64[c, moments, k], the channel at one or more moments.
        variance: float, as `response`, of its error.
        noise_var: float64[c, k], of each carrier.
        walk_variance: float64[c], of the error of the phase that was followed, radians squared.

    Returns:
        complex64[c, moments, k] and float32[c, moments, k].
    """
    count, moments, carriers = response.shape
    inverse, noise = np.empty(response.shape, np.complex64), np.empty(response.shape, np.float32)
    for c in range(count):
        for m in range(moments):
            mean = 0.0
            for k in range(carriers):
                mean += response[c, m, k].real ** 2 + response[c, m, k].imag ** 2
            floor = max(_FADED * mean / carriers, 1e-30)
            for k in range(carriers):
                real, imag = np.float64(response[c, m, k].real), np.float64(response[c, m, k].imag)
                over = 1 / max(real * real + imag * imag, floor)
                inverse[c, m, k] = complex(real * over, -imag * over)
                both = (noise_var[c, k] + variance[c, m, k]) * over
                noise[c, m, k] = min(max(both, 1e-12), 1e12) + walk_variance[c]
    return inverse, noise
