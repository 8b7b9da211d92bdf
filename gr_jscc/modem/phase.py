"""Phase over the length of a burst: carrier offset that is left, sample clock offset, phase noise.

Radians. With m an OFDM symbol counted from the middle of the burst and k a carrier, the phase is modelled as
a + b m + c k m + n(m): b from the carrier offset, c from the sample clock (a window that drifts), n a random walk.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["PhaseWalk", "coarse_line", "drift_precision", "fit_header_phase", "smooth_walk"]

# Clocks agree within ±60 ppm, one standard deviation, before the burst is heard: two cheap crystals.
_CLOCK_SPREAD = 60e-6


def drift_precision(noise_var: np.ndarray, numerology: Numerology) -> np.ndarray:
    """How firmly the drift c is believed to be zero before the burst is heard, as `refine_line` takes it: float64[c].

    Args:
        noise_var: float64[c], of one cell.
    """
    spread = 2 * np.pi * numerology.symbol_len / numerology.fft_size * _CLOCK_SPREAD
    return 0.5 * noise_var / spread**2


@lru_cache(maxsize=32)
def _bank(count: int) -> tuple[np.ndarray, np.ndarray]:
    slopes = np.linspace(-0.4, 0.4, 81)
    return slopes, np.exp(-1j * np.outer(np.arange(count), slopes)).astype(np.complex64)


def fit_header_phase(correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line through the phases of preamble and header pilots: the strongest of a bank of lines.

    Args:
        correlations: complex64[bursts, m], received times conj(expected), summed over the known cells of a symbol.

    Returns:
        offset at symbol 0 and slope per symbol: float64[bursts] each.
    """
    count = correlations.shape[1]
    slopes, bank = _bank(count)
    slope = slopes[0] + (slopes[1] - slopes[0]) * _peaks(correlations @ bank)
    return _offsets(correlations, slope, 0.0), slope


def coarse_line(correlations: np.ndarray, most: float) -> np.ndarray:
    """The line without drift, of a slope per symbol of at most `most`, that lines up the correlations best.

    No unwrapping: at 0 dB the phase of one symbol's pilots is too noisy to be followed from one to the next.

    Args:
        correlations: complex64[bursts, n], of the OFDM symbols of a burst.

    Returns:
        float64[bursts, 3].
    """
    count = correlations.shape[1]
    length = scipy.fft.next_fast_len(4 * count)
    reach = max(1, int(most / (2 * np.pi) * length))
    spectrum = scipy.fft.fft(correlations, length, axis=1)
    near = np.concatenate([spectrum[:, -reach:], spectrum[:, : reach + 1]], axis=1)
    slope = (_peaks(near) - reach) * (2 * np.pi / length)
    return np.stack([_offsets(correlations, slope, -(count - 1) / 2), slope, np.zeros(len(slope))], axis=1)


@njit(cache=True, nogil=True, error_model="numpy")
def _peaks(values):
    """Where the power of each row, complex64[bursts, n], peaks; between places by a parabola: float64[bursts]."""
    bursts, count = values.shape
    places, power = np.empty(bursts), np.empty(count, np.float32)
    for b in range(bursts):
        for i in range(count):
            power[i] = values[b, i].real * values[b, i].real + values[b, i].imag * values[b, i].imag
        best = np.argmax(power)
        places[b] = best
        if 0 < best < count - 1:
            left, middle, right = np.float64(power[best - 1]), np.float64(power[best]), np.float64(power[best + 1])
            bend = left - 2 * middle + right
            if bend < 0:
                places[b] += min(max(0.5 * (left - right) / bend, -0.5), 0.5)
    return places


@njit(cache=True, nogil=True, fastmath=FAST)
def _offsets(correlations, slope, first):
    """The phase of the correlations, complex64[bursts, n], turned back by slopes, float64[bursts], from `first` on."""
    offsets = np.empty(len(correlations))
    for b in range(len(correlations)):
        total = np.complex64(0)
        for i in range(correlations.shape[1]):
            cosine, sine = cosine_sine(-slope[b] * (first + i) / (2 * np.pi))
            total += correlations[b, i] * np.complex64(complex(cosine, sine))
        offsets[b] = np.arctan2(total.imag, total.real)
    return offsets


@dataclass(frozen=True)
class PhaseWalk:
    """What the line leaves of the phase: float64[bursts, n] radians, and float64[bursts], its error's variance.

    Example:
        >>> steps = np.random.default_rng(1).normal(0, 0.2, (1, 200))
        >>> walk = smooth_walk(np.cumsum(steps, axis=1), strength=np.ones((1, 200)), noise_var=np.full(1, 0.02))
        >>> walk.phase.shape, bool(walk.variance[0] < 0.01)
        ((1, 200), True)
    """

    phase: np.ndarray
    variance: np.ndarray


def smooth_walk(measured: np.ndarray, strength: np.ndarray, noise_var: np.ndarray) -> PhaseWalk:
    """Phase noise as a random walk, if there is any to be seen.

    The cosine transform decorrelates a random walk; its strength is the likeliest of a few, none among them. OFDM
    symbols whose pilots fade are weak measurements: they count for less, and a second pass puts in their place what the
    others made of them (as for missing data: Garcia, Computational Statistics & Data Analysis 2010).

    Args:
        measured: float[bursts, n], phase left at each OFDM symbol.
        strength: float[bursts, n], the pilots' power over their noise in proportion to the mean; 0 is no measurement.
        noise_var: float[bursts], of a cell.
    """
    bursts, count = measured.shape
    if count < 8:
        return PhaseWalk(np.zeros((bursts, count)), np.zeros(bursts))
    trusted, weight, variance = _trusted(measured, strength, noise_var)
    walk = _smoothed(trusted, variance)
    if not walk.phase.any():
        return walk
    return _smoothed(trusted + (1 - weight) * walk.phase, variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _trusted(measured, strength, noise_var):
    """Measurements as far as they are trusted, and how far: float64[c, n]; the mean variance of that: float64[c]."""
    bursts, count = strength.shape
    trusted, weight, variance = np.empty((bursts, count)), np.empty((bursts, count)), np.empty(bursts)
    for b in range(bursts):
        mean = max(strength[b].mean(), 1e-30)
        left = 0.0
        for i in range(count):
            weight[b, i] = min(strength[b, i] / mean, 1.0)
            trusted[b, i] = weight[b, i] * measured[b, i]
            left += weight[b, i] * min(mean / max(strength[b, i], 1e-30), 1.0) / count
        variance[b] = noise_var[b] / (2 * mean) * left
    return trusted, weight, variance


def _smoothed(measured: np.ndarray, variance: np.ndarray) -> PhaseWalk:
    """A walk measured with an error of the same variance, float[bursts], at each OFDM symbol."""
    count = measured.shape[1]
    transformed = scipy.fft.dct(measured, type=2, norm="ortho", axis=1)
    tracked, left = _tracked(transformed, variance, *_walk_spectra(count))
    if left.any():
        tracked = scipy.fft.idct(tracked, type=2, norm="ortho", axis=1)
    return PhaseWalk(tracked, left)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _tracked(transformed, variance, inverse, logs):
    """Transformed walks as their likeliest strength leaves them, float64[c, n], and the error's variance, float64[c].

    Args:
        transformed: float64[c, n]; variance: float64[c], of each measurement.
        inverse, logs: of `_walk_spectra`.
    """
    bursts, count = transformed.shape
    tracked, left = np.zeros((bursts, count)), np.zeros(bursts)
    for b in range(bursts):
        noise, likeliest, best = max(variance[b], 1e-12), 0, -np.inf
        for s in range(len(inverse)):
            score = 0.0
            for i in range(count):
                score += transformed[b, i] * transformed[b, i] * inverse[s, i]
            score = logs[s] - score / noise
            if score > best:
                likeliest, best = s, score
        if likeliest:
            for i in range(count):
                gain = 1 - inverse[likeliest, i]
                tracked[b, i] = gain * transformed[b, i]
                left[b] += gain * noise / count
    return tracked, left


@lru_cache(maxsize=256)
def _walk_spectra(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of walks of `count` steps and each of a few strengths, with measurement noise of variance 1.

    Returns:
        the inverse spectra, float64[strengths, count], none first; and their logarithms' sums, float64[strengths].
    """
    shape = 1 / (2 - 2 * np.cos(np.pi * np.maximum(np.arange(count), 1) / count))
    strengths = np.concatenate([[0.0], 10.0 ** np.arange(-4, 1.1, 0.5)])
    inverse = 1 / (1 + strengths[:, None] * shape)
    logs = np.log(inverse).sum(axis=1)
    # None stands unless another is clearly likelier: tracking noise would only add it.
    logs[0] += 8
    return inverse, logs
