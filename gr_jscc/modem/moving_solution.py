"""The channel that moves, solved for: kernels over many bursts, used by `moving_channel`."""

import numpy as np
from numba import njit

from gr_jscc.modem.channel_estimation import invert
from gr_jscc.modem.turning import FAST

__all__ = ["misfit", "posterior", "projected"]

# Power of an unknown below which it is left out, as a share of the noise on it.
_NEGLIGIBLE = 0.5
# The work grows with its cube; eleven functions of time times fourteen echoes fit.
_MOST_UNKNOWNS = 160


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def projected(early, late, shape, trust, places, weights, functions, begins):
    """The known cells over their noise in proportion to the mean, on functions of time, carrier by carrier.

    Args:
        early, late, shape, trust, places: as `follow_channel` has them.
        weights: float32[all OFDM symbols], as in `tracking`.
        functions: float32[c, n, length]; begins: int64[stretches].

    Returns:
        complex64[c, stretches, n, used_count]; the cells' energy over their noise and how many they are, over all
        stretches, float64[c] each; and how many without those that are in several, float64[c].
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    _, several, length = functions.shape
    projected = np.zeros((count, len(begins), several, used), np.complex64)
    energy, within, cells = np.zeros(count), np.zeros(count), np.zeros(count)
    inverse = np.empty(used, np.float32)
    for c in range(count):
        for k in range(used):
            inverse[k] = 1 / shape[c, k]
        cells[c] = opening * used
        for row in range(rows):
            cells[c] += spread * trust[c, row]
        for s in range(len(begins)):
            for t in range(length):
                row = begins[s] + t
                if row < opening:
                    within[c] += used
                    power = np.float32(0)
                    for k in range(used):
                        value = early[c, row, k]
                        power += (value.real * value.real + value.imag * value.imag) * inverse[k]
                    energy[c] += power * weights[row]
                    for j in range(several):
                        weight = functions[c, j, t] * weights[row]
                        for k in range(used):
                            projected[c, s, j, k] += early[c, row, k] * (weight * inverse[k])
                elif trust[c, row - opening] > 0:
                    within[c] += spread
                    for p in range(spread):
                        k = places[row - opening, p]
                        value = late[c, row - opening, p] * weights[row]
                        energy[c] += (value.real * value.real + value.imag * value.imag) * inverse[k] / weights[row]
                        for j in range(several):
                            projected[c, s, j, k] += value * (functions[c, j, t] * inverse[k])
    return projected, energy, within, cells


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def misfit(early, late, response, shape, trust, places, weights):
    """Squared errors of the known cells, times their weights, against a response, complex64[c, n, used_count].

    Returns:
        over the noise in proportion to the mean, of all that are trusted, summed: float64[c]; as they are, of preamble
        and header, summed: float64[c]; and the first of each of the payload's symbols, mean of its pilots: float64
        [c, payload's symbols].
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    total, early_error, pilot_error = np.zeros(count), np.zeros(count), np.zeros((count, rows))
    for c in range(count):
        for row in range(opening):
            white, plain = np.float32(0), np.float32(0)
            for k in range(used):
                off = early[c, row, k] - response[c, row, k]
                power = off.real * off.real + off.imag * off.imag
                plain += power
                white += power / np.float32(shape[c, k])
            early_error[c] += plain * weights[row]
            total[c] += white * weights[row]
        for row in range(rows):
            for p in range(spread):
                k = places[row, p]
                off = late[c, row, p] - response[c, opening + row, k]
                power = (off.real * off.real + off.imag * off.imag) * weights[opening + row]
                pilot_error[c, row] += power / (spread * shape[c, k])
            total[c] += spread * trust[c, row] * pilot_error[c, row]
    return total, early_error, pilot_error


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def posterior(matched, gram, profile, noise_var):
    """The coefficients of taps and functions of time after the observations.

    Args:
        matched: complex64[c, functions, taps], observations; gram: complex64[c, functions, functions, taps], how the
            functions of two taps so far apart overlap in what was observed.
        profile: float64[c, taps], powers of the taps; noise_var: float64[c].

    Returns:
        mean, complex64[c, functions, taps]; sums of their covariance over pairs of taps equally far apart, complex64
        [c, functions, functions, taps], twice those off the diagonal; degrees of freedom, float64[c]; by how much the
        logarithm of the observations' likelihood exceeds that of noise alone, float64[c]; the energy that they
        explain, over their noise in proportion to the mean, float64[c]; and the taps' powers learnt from it, float64
        [c, taps].
    """
    count, functions, delays = matched.shape
    mean = np.zeros((count, functions, delays), np.complex64)
    covariance = np.zeros((count, functions, functions, delays), np.complex64)
    freedom, gain, explained = np.zeros(count), np.zeros(count), np.zeros(count)
    learnt = np.zeros((count, delays))
    most = min(functions * delays, _MOST_UNKNOWNS)
    matrix = np.empty((most, 2 * most))
    column, turned = np.empty(2 * most), np.empty(2 * most)
    tap, function = np.empty(most, np.int64), np.empty(most, np.int64)
    scale, left, at, after = (
        np.empty(most),
        np.empty(most),
        np.empty(most, np.complex128),
        np.empty(most, np.complex128),
    )
    for c in range(count):
        size, least = most + 1, _NEGLIGIBLE * noise_var[c]
        while size > most:
            size = 0
            for d in range(delays):
                for j in range(functions):
                    if profile[c, d] * gram[c, j, j, 0].real > least:
                        if size < most:
                            tap[size], function[size] = d, j
                        size += 1
            least *= 2
        for i in range(size):
            scale[i] = np.sqrt(profile[c, tap[i]])
            at[i] = matched[c, function[i], tap[i]] * scale[i] / noise_var[c]
            after[i] = 0
        for i in range(size):
            for k in range(i + 1):
                value = gram[c, function[i], function[k], tap[i] - tap[k]] * (scale[i] * scale[k] / noise_var[c])
                matrix[i, 2 * k], matrix[i, 2 * k + 1] = value.real, value.imag
            matrix[i, 2 * i] += 1.0
        gain[c] = -invert(matrix, size, column, turned)
        for i in range(size):
            left[i] = matrix[i, 2 * i]
            for k in range(i):
                value = complex(matrix[i, 2 * k], matrix[i, 2 * k + 1])
                after[i] += value * at[k]
                after[k] += np.conj(value) * at[i]
            after[i] += left[i] * at[i]
        got = np.zeros((2, delays))
        for i in range(size):
            mean[c, function[i], tap[i]] = after[i] * scale[i]
            freedom[c] += 1 - left[i]
            along = (np.conj(at[i]) * after[i]).real
            gain[c] += along
            explained[c] += noise_var[c] * (along + after[i].real ** 2 + after[i].imag ** 2)
            got[0, tap[i]] += (after[i].real ** 2 + after[i].imag ** 2) * scale[i] ** 2
            got[1, tap[i]] += 1 - left[i]
            for k in range(i + 1):
                twice = scale[i] * scale[k] * (1.0 if i == k else 2.0)
                value = complex(matrix[i, 2 * k], matrix[i, 2 * k + 1])
                covariance[c, function[i], function[k], tap[i] - tap[k]] += twice * value
        for d in range(delays):
            learnt[c, d] = got[0, d] / max(got[1, d], 1e-3)
    return mean, covariance, freedom, gain, explained, learnt
