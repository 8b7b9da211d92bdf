"""Where in a stream bursts may start.

A running correlation of the stream with itself one OFDM symbol earlier, weighted so that only the preamble's pattern of
signs adds up, names candidates at the cost of a few operations per sample. What they are is told by `synchroniser`.
"""

from math import gcd

import numpy as np
from numba import njit

from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS
from gr_jscc.modem.turning import FAST

__all__ = ["find_candidates", "grid", "metric_span"]

# Groups of samples worked on together, so that what is made of them stays in the cache.
_STRETCH = 512


def grid(numerology: Numerology) -> int:
    """Samples between the places looked at for candidates: 4 where that divides a symbol. The peak is a symbol wide."""
    return gcd(4, numerology.symbol_len)


def metric_span(numerology: Numerology) -> int:
    """Samples that one value of the metric looks at: the preamble."""
    return PREAMBLE_SYMBOLS * numerology.symbol_len


def threshold(numerology: Numerology) -> float:
    """Least metric of a candidate, from 0 to 1: on white noise some 2e-6 a sample pass, of bursts at 0 dB all but 1e-5.

    The metric of noise is Rayleigh distributed with mean square 6 / (16 symbol_len); a burst at 0 dB has about 0.45.
    """
    return max(0.2, float(np.sqrt(10.3 * 6.0 / 16.0 / numerology.symbol_len)))


def find_candidates(samples: np.ndarray, numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Where a preamble may start.

    Args:
        samples: complex64[n], finite.

    Returns:
        positions int64[c], ascending, at least 3 OFDM symbols apart, accurate to some tens of samples; and the
        carrier offsets float64[c] there, up to multiples of 1 / symbol_len.
    """
    lag, group = numerology.symbol_len, grid(numerology)
    peaks, correlations = _metric_peaks(samples, lag, tuple(range(group)), threshold(numerology))
    return peaks * group, np.angle(correlations) / (2 * np.pi * lag)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _metric_peaks(samples, lag, within, least):
    """Where the metric exceeds `least` and all that is above that within three symbols: in groups of samples.

    Args:
        samples: complex64[n].
        lag: samples of an OFDM symbol.
        within: 0, 1, … as a tuple as long as a group: a length that the compiler knows lets it unroll loops.
        least: metric of a candidate.

    Returns:
        int64[c] and the correlations there, complex128[c].
    """
    group = len(within)
    step, count = lag // group, (len(samples) - PREAMBLE_SYMBOLS * lag) // group
    if count <= 0:
        return np.empty(0, np.int64), np.empty(0, np.complex128)
    products, energies = count + 3 * step, count + 4 * step
    # Over groups of samples: products with the sample one symbol earlier, and energies; then their running sums. Slices
    # in place of indexes that are sums: such an index might be negative, and a loop that minds that does not vectorise.
    real, imag, total = np.zeros(products + 1), np.zeros(products + 1), np.zeros(energies + 1)
    re, im = np.empty(_STRETCH * group, np.float32), np.empty(_STRETCH * group, np.float32)
    for first in range(0, products, _STRETCH):
        some = min(_STRETCH, products - first)
        early = samples[first * group :][: some * group]
        late = samples[first * group + lag :][: some * group]
        for i in range(len(early)):
            re[i] = late[i].real * early[i].real + late[i].imag * early[i].imag
            im[i] = late[i].imag * early[i].real - late[i].real * early[i].imag
        _summed(re[: some * group], within, real[first + 1 :][:some])
        _summed(im[: some * group], within, imag[first + 1 :][:some])
    for first in range(0, energies, _STRETCH):
        some = min(_STRETCH, energies - first)
        own = samples[first * group :][: some * group]
        for i in range(len(own)):
            re[i] = own[i].real * own[i].real + own[i].imag * own[i].imag
        _summed(re[: some * group], within, total[first + 1 :][:some])
    for g in range(products):
        real[g + 1] += real[g]
        imag[g + 1] += imag[g]
    for g in range(energies):
        total[g + 1] += total[g]
    # Running sums leave a rounding error in proportion to all that was summed; below it lies silence.
    floor = 1e-13 * total[energies] + 1e-30
    # Three neighbouring sums, each over one symbol, weighted 2, -1, -1 and written out on the running sums: the signs
    # are those of the preamble's products, the sizes make a stationary signal cancel.
    height = np.empty(count, np.float32)
    real1, real3, imag1, imag3 = real[step:], real[3 * step :], imag[step:], imag[3 * step :]
    total1, total2, total3, total4 = total[step:], total[2 * step :], total[3 * step :], total[4 * step :]
    for g in range(count):
        x = 3 * real1[g] - 2 * real[g] - real3[g]
        y = 3 * imag1[g] - 2 * imag[g] - imag3[g]
        energy = max(0.5 * (total2[g] + total3[g] + total4[g] - total1[g]) - total[g], floor)
        height[g] = (x * x + y * y) / (energy * energy)
    peaks = np.empty(count // (3 * step) + 1, np.int64)
    found = 0
    bar = np.float32(least * least)
    for g in range(count):
        if height[g] > bar:
            if found and g - peaks[found - 1] < 3 * step:
                if height[g] > height[peaks[found - 1]]:
                    peaks[found - 1] = g
            else:
                peaks[found] = g
                found += 1
    correlations = np.empty(found, np.complex128)
    for c in range(found):
        g = peaks[c]
        correlations[c] = complex(3 * real1[g] - 2 * real[g] - real3[g], 3 * imag1[g] - 2 * imag[g] - imag3[g])
    return peaks[:found], correlations


@njit(cache=True, nogil=True, fastmath=FAST)
def _summed(values, within, sums):
    """Adds up groups of values, float32[n], into `sums`, float64[n / group]."""
    group = len(within)
    for g in range(len(sums)):
        total = np.float32(0)
        for i in range(group):
            total += values[g * group + i]
        sums[g] = total
