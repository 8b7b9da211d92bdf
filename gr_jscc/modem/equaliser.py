"""Undoing the channel: unbiased symbols of unit gain, and how far each is to be trusted."""

import numpy as np
from numba import njit

from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["channel_inverse", "equalise"]

# A carrier this far below its OFDM symbol's mean power is as good as gone; its noise variance stays finite.
_FADED = 1e-7
_PER_TURN = 1 / (2 * np.pi)


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


@njit(cache=True, nogil=True, fastmath=FAST)
def equalise(spectrum, first, index, displaced, bins, used, inverse, unscramble, line, walk, noise_var, excess):
    """The payload of unit gain, and the noise variance of each symbol.

    Args:
        spectrum: complex64[c, n, fft_size].
        first: OFDM symbol at which the payload begins.
        index: int64[data_count], places of data cells among the used carriers, but for those `displaced`, int64
            [payload's symbols, pilot_count, 2].
        bins: int64[used_count]; used: float32[used_count], the carriers.
        inverse: complex64[c, 1 or payload's symbols, used_count], of the channel, which stands still or moves.
        unscramble: complex64[payload's symbols, data_count].
        line: float64[c, 3], the burst's phase as in `tracking`; walk: float64[c, payload's symbols], radians besides
            it.
        noise_var: float32, as `inverse`.
        excess: float32[c, payload's symbols], how many times that an OFDM symbol has.

    Returns:
        complex64 and float32, each [c, payload's symbols * data_count].
    """
    count, total, _ = spectrum.shape
    rows, cells = unscramble.shape
    middle = (total - 1) / 2
    payload, spread = np.empty((count, rows, cells), np.complex64), np.empty((count, rows, cells), np.float32)
    received, back, noise = np.empty(cells, np.complex64), np.empty(cells, np.complex64), np.empty(cells, np.float32)
    carriers, places = used[index], bins[index]
    for c in range(count):
        for row in range(rows):
            moment = row if inverse.shape[1] > 1 else 0
            m = first + row - middle
            common = -(line[c, 0] + line[c, 1] * m + walk[c, row]) * _PER_TURN
            start, tilt = np.float32(common - np.rint(common)), np.float32(-line[c, 2] * m * _PER_TURN)
            bodies, own_inverse, own_noise = spectrum[c, first + row], inverse[c, moment], noise_var[c, moment]
            # Picked first, so that the loop after it vectorises.
            if row == moment:
                for d in range(cells):
                    back[d], noise[d] = own_inverse[index[d]], own_noise[index[d]]
            for d in range(cells):
                received[d] = bodies[places[d]]
            for p in range(displaced.shape[1]):
                d, k = displaced[row, p, 0], displaced[row, p, 1]
                if d >= 0:
                    received[d], carriers[d] = bodies[bins[k]], used[k]
                    back[d], noise[d] = own_inverse[k], own_noise[k]
            out, out_noise, turns, more = payload[c, row], spread[c, row], unscramble[row], excess[c, row]
            for d in range(cells):
                cosine, sine = cosine_sine(start + tilt * carriers[d])
                out[d] = received[d] * (np.complex64(complex(cosine, sine)) * back[d] * turns[d])
                out_noise[d] = noise[d] * more
            for p in range(displaced.shape[1]):
                d = displaced[row, p, 0]
                if d >= 0:
                    carriers[d] = used[index[d]]
                    back[d], noise[d] = own_inverse[index[d]], own_noise[index[d]]
    return payload.reshape(count, -1), spread.reshape(count, -1)
