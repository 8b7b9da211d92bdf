"""Whether a channel moved while a burst lasted, and how fast: from what a still channel leaves of the known cells."""

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.burst_estimate import BurstEstimate
from gr_jscc.modem.channel_estimation import to_taps
from gr_jscc.modem.layout import cell_weights
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.turning import FAST

__all__ = ["DOPPLER_SPREADS", "correlation_in_time", "doppler_index"]

#: Doppler spreads to choose from, cycles per OFDM symbol: at 1 Msps and 80 samples 1.6 to 400 Hz.
DOPPLER_SPREADS = 0.032 / 2.0 ** np.arange(8, -1, -1)

# Natural logarithm of how much likelier than a still channel a moving one must be.
_EVIDENCE = 8.0
# Slow functions of time that are looked at.
_SLOW = 3


@lru_cache(maxsize=64)
def correlation_in_time(count: int, spread: float) -> np.ndarray:
    """Correlation of a tap at OFDM symbols, for a Doppler spread in cycles per OFDM symbol: float64[count, count].

    Gaussian, with the curvature of Clarke's: after the carrier offset's line has taken the mean Doppler shift, no
    particular spectrum is to be expected.
    """
    apart = np.arange(count)
    return np.exp(-np.square(np.pi * spread * (apart[:, None] - apart)))


@lru_cache(maxsize=64)
def _slow_functions(numerology: Numerology, opening: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Polynomials in time, orthonormal and free of a mean over the known cells, and what motion puts on them.

    Args:
        opening, rows: OFDM symbols of preamble and header, and of the payload.

    Returns:
        float32[3, opening + rows]; and for each Doppler spread the power that a tap of power 1 has on them, float64
        [spreads, 3].
    """
    count = opening + rows
    cells = np.repeat([numerology.used_count, numerology.pilot_count], [opening, rows]).astype(float)
    cells *= cell_weights(numerology, opening, rows)
    powers = np.linspace(-1, 1, count) ** np.arange(_SLOW + 1)[:, None]
    orthonormal = np.linalg.qr((powers * np.sqrt(cells)).T)[0].T[1:]
    weights = np.sqrt(cells[:, None] * cells)
    shares = [
        np.einsum("jt,ts,js->j", orthonormal, weights * correlation_in_time(count, spread), orthonormal)
        for spread in DOPPLER_SPREADS
    ]
    return (orthonormal / np.sqrt(cells)).astype(np.float32), np.array(shares)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _changes(early, late, response, trust, shape, slow, places, weights):
    """What a still channel leaves of the observations, on slow functions of time, and the channel itself.

    Args:
        early, late, response, trust, shape: as in `BurstEstimate`.
        slow: float32[functions, all OFDM symbols].
        places: int64[payload's symbols, pilot_count].
        weights: float32[all OFDM symbols], as in `tracking`.

    Returns:
        complex64[c, functions + 1, used_count], over the noise of their carriers; the channel comes last.
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    changes = np.zeros((count, len(slow) + 1, used), np.complex64)
    for c in range(count):
        for row in range(opening):
            for j in range(len(slow)):
                weight = slow[j, row] * weights[row]
                for k in range(used):
                    changes[c, j, k] += (early[c, row, k] - response[c, k]) * weight
        for row in range(rows):
            weight = np.float32(trust[c, row]) * weights[opening + row]
            for p in range(spread):
                k = places[row, p]
                off = (late[c, row, p] - response[c, k]) * weight
                for j in range(len(slow)):
                    changes[c, j, k] += off * slow[j, opening + row]
        changes[c, -1] = response[c]
        for j in range(len(slow) + 1):
            for k in range(used):
                changes[c, j, k] /= np.float32(shape[c, k])
    return changes


def doppler_index(estimate: BurstEstimate, trust: np.ndarray, places: np.ndarray, numerology: Numerology) -> np.ndarray:
    """Which Doppler spread makes what a still channel leaves of bursts likeliest, int64[bursts]: -1 for none.

    What a common phase can explain is left to those who track phases.

    Args:
        estimate: of a still channel.
        trust: float64[bursts, payload's symbols], weights of its OFDM symbols.
        places: int64[payload's symbols, pilot_count].
    """
    opening = estimate.early.shape[1]
    slow, shares = _slow_functions(numerology, opening, len(places))
    changes = _changes(
        estimate.early, estimate.late, estimate.response, trust, estimate.shape, slow, places,
        cell_weights(numerology, opening, len(places)),
    )  # fmt: skip
    taps = to_taps(changes.reshape(-1, changes.shape[2]), numerology).reshape(*changes.shape[:2], -1)
    # The noise of preamble and header alone does not rise with what is looked for.
    return _likeliest(taps, estimate.shape, estimate.profile, estimate.noise_var, estimate.own_noise, shares)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _likeliest(seen, shape, profile, noise_var, own_noise, shares):
    """The Doppler spread that makes the changes of taps likeliest, int64[c], or -1.

    Args:
        seen: complex64[c, functions + 1, taps], of `_changes`.
        shape, profile, noise_var, own_noise: as in `BurstEstimate`.
        shares: float64[spreads, functions].
    """
    count, functions, delays = seen.shape[0], seen.shape[1] - 1, seen.shape[2]
    used = shape.shape[1]
    found = np.full(count, -1)
    powers = np.empty(delays)
    taps, energy = np.empty((functions + 1, delays), np.complex64), np.empty((functions, delays))
    for c in range(count):
        weight = 0.0
        for k in range(used):
            weight += 1 / (shape[c, k] * used)
        noise = min(noise_var[c], own_noise[c]) * weight
        size = 0
        for d in range(delays):
            if profile[c, d] > 0:
                powers[size] = profile[c, d] * weight * weight / noise
                for j in range(functions + 1):
                    taps[j, size] = seen[c, j, d]
                size += 1
        power = 1e-30
        for i in range(size):
            power += taps[functions, i].real ** 2 + taps[functions, i].imag ** 2
        for j in range(functions):
            turn = 0.0
            for i in range(size):
                turn += (np.conj(taps[functions, i]) * taps[j, i]).imag
            turn /= power
            for i in range(size):
                real = taps[j, i].real + turn * taps[functions, i].imag
                imag = taps[j, i].imag - turn * taps[functions, i].real
                energy[j, i] = (real * real + imag * imag) / noise
        most = _EVIDENCE
        for s in range(len(shares)):
            gain = 0.0
            for i in range(size):
                product = 1.0
                for j in range(functions):
                    expected = powers[i] * shares[s, j]
                    gain += energy[j, i] * expected / (1 + expected)
                    product *= 1 + expected
                gain -= np.log(product)
            if gain > most:
                most, found[c] = gain, s
    return found
