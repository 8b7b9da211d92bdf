"""The channel on every used carrier, from all that is known of a burst.

A channel shorter than the prefix has fewer degrees of freedom than there are carriers, and noise outside them can be
dropped. Least squares for the taps will not do: the carriers at the band's edges are empty, so it is ill-conditioned.
Instead each tap gets a prior variance and the estimate is the posterior mean; the variances themselves are learnt from
the burst (sparse Bayesian learning: Tipping, JMLR 2001; for OFDM channels Prasad, Murthy and Rao, IEEE Trans. Signal
Processing 2014). A single path so costs little more than one unknown.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.turning import FAST

__all__ = ["CHANNEL_LEAD", "ChannelEstimate", "estimate_channel", "invert", "tap_transforms", "to_taps"]

#: Samples before the first path at which the FFT's window is aimed to start, where the prefix allows.
CHANNEL_LEAD = 2

# Taps looked at before and after the prefix: a path between two samples spreads over its neighbours.
_BEFORE, _AFTER = 3, 3
_MOST_TAPS = 48
# A tap whose prior variance is this share of the noise on it changes nothing that could be measured.
_NEGLIGIBLE = 0.02
# Points of an FFT from which on it is quicker than a product with the matrix of its few taps.
_LONG = 256
# Share of the bound below which a variance's end is zero at which a tap is given up.
_HOPELESS = 1.0


@dataclass(frozen=True)
class ChannelEstimate:
    """Channels of several bursts.

    Attributes:
        response: complex64[bursts, used_count].
        variance: float32[bursts, used_count], of its error; None before the last estimate.
        freedom: float64[bursts], degrees of freedom that the estimate took from the observations.
        profile: float64[bursts, taps], prior variances learnt, to start the next estimate from.

    Example:
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> seen, white = np.ones((1, layout.used_count), np.complex64), np.ones((1, layout.used_count))
        >>> channel = estimate_channel(seen, white, np.full(1, 1e-3), white, None, layout, steps=3)  # each carrier once
        >>> bool(np.abs(channel.response - 1).max() < 0.01), bool(channel.freedom[0] < 4)
        (True, True)
    """

    response: np.ndarray
    variance: np.ndarray | None
    freedom: np.ndarray
    profile: np.ndarray


@lru_cache(maxsize=32)
def tap_transforms(numerology: Numerology) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Between taps and used carriers, and between differences of taps and used carriers.

    Returns:
        each complex128[taps, used_count], followed by its conjugate transpose.
    """
    taps = np.arange(-_BEFORE, numerology.cp_len + _AFTER + 1)
    forward = np.exp(-2j * np.pi * taps[:, None] * numerology.used_carriers / numerology.fft_size)
    differences = forward * np.conj(forward[0])
    back, to_gram = (np.ascontiguousarray(np.conj(matrix).T) for matrix in (forward, differences))
    return forward, back, differences, to_gram


def estimate_channel(
    total: np.ndarray,
    counts: np.ndarray,
    noise_var: np.ndarray,
    shape: np.ndarray,
    profile: np.ndarray | None,
    numerology: Numerology,
    steps: int,
    last: bool = False,
) -> ChannelEstimate:
    """The posterior mean of the channel and its variance.

    Args:
        total: complex[bursts, used_count], sum over the known cells of a carrier of received times conj(sent), sent
            being of power 1.
        counts: float[bursts, used_count], how many cells were summed.
        noise_var: float[bursts], of one cell; shape: float[bursts, used_count], of the cells of each carrier in
            proportion to that.
        profile: prior variances learnt by an earlier estimate, or None to start from the matched filter's output.
        steps: solutions, at least 1; after each the prior variances are learnt anew.
        last: whether no further estimate follows. Then taps are given up whose variance is on its way to zero (quicker
            and on few paths more accurate, but lost to estimates that may know more), and the error's variance is told.
    """
    weighted, weights, weight, noise = _observed(total, counts, noise_var, shape)
    seen = to_taps(weighted, numerology)
    # Evenly spaced taps: their Gram matrix is Toeplitz, and these its first columns. Mostly bursts have it in common.
    alike = (weights == weights[0]).all()
    forward, _, differences, to_gram = tap_transforms(numerology)
    gram = _to_delays(weights[:1] if alike else weights, to_gram, 0, numerology)
    if alike:
        gram = np.repeat(gram, len(weights), axis=0)
    if profile is None:
        profile = (np.square(seen.real) + np.square(seen.imag)) / np.square(weight)[:, None]
        if profile.shape[1] > _MOST_TAPS:
            weak = np.argpartition(profile, -_MOST_TAPS, axis=1)[:, :-_MOST_TAPS]
            np.put_along_axis(profile, weak, 0.0, axis=1)
    mean, covariance, freedom, learnt = _learn(gram, weight, seen, noise, profile, steps, last, _HOPELESS)
    response = _to_carriers(mean, forward, -_BEFORE, numerology)
    variance = np.maximum(_to_carriers(covariance, differences, 0, numerology).real, 0.0) if last else None
    return ChannelEstimate(response, variance, freedom, learnt)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _observed(total, counts, noise_var, shape):
    """The observations over the noise of their carriers, and how many they are.

    Returns:
        complex128[bursts, used_count] each; the latter's sums over the carriers, and the noise of one, float64[bursts].
    """
    bursts, used = total.shape
    weight, noise = np.zeros(bursts), np.empty(bursts)
    weighted, weights = np.empty((bursts, used), np.complex128), np.empty((bursts, used), np.complex128)
    for b in range(bursts):
        power = 0.0
        for k in range(used):
            weighted[b, k], weights[b, k] = total[b, k] / shape[b, k], counts[b, k] / shape[b, k]
            weight[b] += weights[b, k].real
            power += (total[b, k].real ** 2 + total[b, k].imag ** 2) / counts[b, k] ** 2
        power = max(power / used - noise_var[b] * used / weight[b], 1e-3 * noise_var[b] + 1e-30)
        # A noise of zero has no posterior; 80 dB below the channel it is below what float32 samples can show.
        noise[b] = max(noise_var[b], 1e-8 * power)
    return weighted, weights, weight, noise


def to_taps(values: np.ndarray, numerology: Numerology) -> np.ndarray:
    """From the used carriers to the taps of `tap_transforms`: complex[rows, used_count] -> complex[rows, taps]."""
    back = tap_transforms(numerology)[1]
    return _to_delays(values, back if values.dtype == np.complex128 else _single(numerology), -_BEFORE, numerology)


@lru_cache(maxsize=32)
def _single(numerology: Numerology) -> np.ndarray:
    return tap_transforms(numerology)[1].astype(np.complex64)


def _to_delays(values: np.ndarray, matrix: np.ndarray, first: int, numerology: Numerology) -> np.ndarray:
    """From the used carriers to as many delays as `matrix` has columns, from `first` on: complex[rows, delays]."""
    if numerology.fft_size < _LONG:
        return values @ matrix
    spectrum = np.zeros((len(values), numerology.fft_size), values.dtype)
    spectrum[:, numerology.used_bins] = values
    delays = np.arange(first, first + matrix.shape[1])
    return np.take(scipy.fft.ifft(spectrum, norm="forward", overwrite_x=True), delays, axis=1, mode="wrap")


def _to_carriers(values: np.ndarray, matrix: np.ndarray, first: int, numerology: Numerology) -> np.ndarray:
    """From delays, from `first` on, to the used carriers: complex64[bursts, used_count]."""
    if numerology.fft_size < _LONG:
        return (values @ matrix).astype(np.complex64)
    delays = np.zeros((len(values), numerology.fft_size), np.complex64)
    delays[:, np.arange(first, first + values.shape[1])] = values
    return np.take(scipy.fft.fft(delays, overwrite_x=True), numerology.used_bins, axis=1)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _learn(gram, weight, seen, noise, profile, steps, last, hopeless):
    """Prior variances that make the observations likely, and the posterior under them, burst by burst.

    The variances move by MacKay's fixed point |mean|² / (1 - posterior / prior variance): it ends where expectation
    maximisation ends, in two or three steps instead of tens. A tap far below the noise is left out, and so is one whose
    end is zero (Tipping and Faul, AISTATS 2003, tell which those are: `hopeless` is a share of the bound for that) in
    the last estimate: the work goes with the paths there are and not with the length of the prefix.

    Args:
        gram, seen: complex128[bursts, taps]; weight, noise: float64[bursts]; profile: float64[bursts, taps].

    Returns:
        the taps' posterior mean, complex128[bursts, taps]; in the last estimate the sums of their covariance over pairs
        of taps equally far apart, complex128[bursts, taps], twice those off the diagonal; degrees of freedom,
        float64[bursts]; and prior variances, float64[bursts, taps].
    """
    bursts, taps = seen.shape
    mean = np.zeros((bursts, taps), np.complex128)
    covariance = np.zeros((bursts, taps), np.complex128)
    freedom = np.zeros(bursts)
    learnt = np.zeros((bursts, taps))
    most = min(taps, _MOST_TAPS)
    # Real and imaginary parts take turns along the rows.
    matrix = np.empty((most, 2 * most))
    column, turned = np.empty(2 * most), np.empty(2 * most)
    active, scale, left = np.empty(most, np.int64), np.empty(most), np.empty(most)
    seen_taps, mean_taps = np.empty(most, np.complex128), np.empty(most, np.complex128)
    for burst in range(bursts):
        prior = learnt[burst]
        strongest = 0
        for tap in range(taps):
            prior[tap] = profile[burst, tap]
            if prior[tap] > prior[strongest]:
                strongest = tap
        least = _NEGLIGIBLE * noise[burst] / weight[burst]
        for _ in range(steps):
            count = 0
            for tap in range(taps):
                if prior[tap] > least and count < most:
                    active[count] = tap
                    count += 1
                else:
                    prior[tap] = 0.0
            if count == 0:
                active[0], count = strongest, 1
                prior[strongest] = least
            # The posterior covariance is D (I + D G D / noise)^-1 D with D² the prior variances: well conditioned
            # whatever they are.
            for i in range(count):
                scale[i] = np.sqrt(prior[active[i]])
                seen_taps[i] = seen[burst, active[i]] * scale[i]
            for i in range(count):
                for j in range(i + 1):
                    value = gram[burst, active[i] - active[j]] * (scale[i] * scale[j] / noise[burst])
                    matrix[i, 2 * j], matrix[i, 2 * j + 1] = value.real, value.imag
                matrix[i, 2 * i] += 1.0
            invert(matrix, count, column, turned)
            for i in range(count):
                left[i], mean_taps[i] = matrix[i, 2 * i], 0.0
                for j in range(i):
                    value = complex(matrix[i, 2 * j], matrix[i, 2 * j + 1])
                    mean_taps[i] += value * seen_taps[j]
                    mean_taps[j] += np.conj(value) * seen_taps[i]
                mean_taps[i] += left[i] * seen_taps[i]
            for i in range(count):
                mean_taps[i] *= scale[i] / noise[burst]
            for i in range(count):
                old = prior[active[i]]
                new = (mean_taps[i].real ** 2 + mean_taps[i].imag ** 2) / max(1.0 - left[i], 1e-3)
                prior[active[i]] = new if not last or new > hopeless * left[i] * old else 0.0
        for i in range(count):
            mean[burst, active[i]] = mean_taps[i]
            freedom[burst] += 1.0 - left[i]
            for j in range(i + 1 if last else 0):
                twice = scale[i] * scale[j] * (1.0 if i == j else 2.0)
                value = complex(matrix[i, 2 * j], matrix[i, 2 * j + 1])
                covariance[burst, active[i] - active[j]] += twice * value
    return mean, covariance, freedom, learnt


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def invert(matrix, count, column, turned):
    """The inverse of a Hermitian matrix, none of whose eigenvalues is below 1, in place: its lower triangle.

    Returns the natural logarithm of the matrix's determinant.

    The sweep operator (Goodnight, The American Statistician 1979): nothing but sums of rows, which vectorise.

    Args:
        matrix: float64[≥ count, ≥ 2 count], real and imaginary parts by turns.
        column, turned: float64[≥ 2 count], to work in.
    """
    determinant = 0.0
    for pivot in range(count):
        for i in range(count):
            if i < pivot:
                real, imag = matrix[pivot, 2 * i], matrix[pivot, 2 * i + 1]
            else:
                real, imag = matrix[i, 2 * pivot], -matrix[i, 2 * pivot + 1]
            # The column's conjugate, and that times j.
            column[2 * i], column[2 * i + 1] = real, imag
            turned[2 * i], turned[2 * i + 1] = -imag, real
        inverse = 1.0 / max(column[2 * pivot], 1.0)
        determinant -= np.log(inverse)
        for i in range(count):
            if i != pivot:
                real, imag = column[2 * i] * inverse, -column[2 * i + 1] * inverse
                for t in range(2 * i + 2):
                    matrix[i, t] -= real * column[t] + imag * turned[t]
                if i > pivot:
                    matrix[i, 2 * pivot], matrix[i, 2 * pivot + 1] = real, imag
        for i in range(2 * pivot):
            matrix[pivot, i] = column[i] * inverse
        matrix[pivot, 2 * pivot], matrix[pivot, 2 * pivot + 1] = -inverse, 0.0
    for i in range(count):
        for t in range(2 * i + 2):
            matrix[i, t] = -matrix[i, t]
    return determinant
