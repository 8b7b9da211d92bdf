"""Makes received samples fit to be worked on: nothing that is no number or far too large, and no DC offset."""

import numpy as np
from numba import njit

from gr_jscc.modem.turning import FAST

__all__ = ["SampleCleaner"]

# Samples beyond this count as zero, as those do that are not finite; 16-bit samples left unscaled are far below.
_LARGEST = np.float32(1e7)
# A DC offset stands out when its power is this many times that of the mean of so many random samples.
_OFFSET_STANDS_OUT = 30.0


class SampleCleaner:
    """Cleans a stream part by part.

    Args:
        enough: samples from which on a part says anew whether there is a DC offset; shorter ones only where none is
            known.

    Example:
        >>> samples = np.array([1 + 1j, np.nan, 1e9, 1 + 1j], np.complex64)
        >>> SampleCleaner(enough=1000).clean(samples)
        >>> samples.tolist()
        [(1+1j), 0j, 0j, (1+1j)]
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._offset = 0j

    def clean(self, samples: np.ndarray) -> None:
        """The next part of the stream, complex64[n], cleaned in place."""
        sound, mean, power = _survey(samples)
        if not sound:
            samples[~((np.abs(samples.real) < _LARGEST) & (np.abs(samples.imag) < _LARGEST))] = 0
            _, mean, power = _survey(samples)
        # The receiver's DC offset, unremoved, is moved by a carrier offset from the empty carrier 0 onto data. Only one
        # that stands out is taken for one, so that a clean signal is not touched.
        if len(samples) >= self._enough or not self._offset:
            stands_out = len(samples) and abs(mean) ** 2 > _OFFSET_STANDS_OUT * power / len(samples)
            self._offset = mean if stands_out else 0j
        if self._offset:
            samples -= np.complex64(self._offset)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _survey(samples):
    """Whether all samples, complex64[n], are surely numbers below the largest; their mean, and their mean power."""
    sound, real, imag, power = True, 0.0, 0.0, 0.0
    flat = samples.view(np.float32)
    for first in range(0, len(flat), 2048):
        # Single precision over blocks, double over the sums of blocks. Two loops, each of which vectorises.
        part = flat[first : first + 2048]
        re, im, energy = np.float32(0), np.float32(0), np.float32(0)
        for i in range(len(part)):
            energy += part[i] * part[i]
        for i in range(len(part) // 2):
            re += part[2 * i]
            im += part[2 * i + 1]
        # One sample that is no number or too large shows in the sum.
        sound = sound and energy < _LARGEST * _LARGEST
        real, imag, power = real + re, imag + im, power + energy
    count = max(len(samples), 1)
    return sound, complex(real, imag) / count, power / count
