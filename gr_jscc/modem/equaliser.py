"""Undoing the channel: unbiased symbols of unit gain, and how far each is to be trusted."""

import numpy as np
from numba import njit

__all__ = ["channel_inverse", "local_mean", "outlying_symbols"]

# A carrier this far below the burst's mean power is as good as gone; its noise variance stays finite.
_FADED = 1e-7


def channel_inverse(response: np.ndarray, variance: np.ndarray, noise_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What to multiply received carriers by, and the noise variance of the product for sent symbols of power 1.

    Given what was observed, the channel is `response` plus an independent error; so the quotient is unbiased, and the
    error counts as noise of its variance.

    Args:
        response: complex64[bursts, k].
        variance: float[bursts, k], of the error of `response`.
        noise_var: float[bursts], of a carrier.

    Returns:
        complex64[bursts, k] and float32[bursts, k].
    """
    power = np.square(np.abs(response)).astype(np.float64)
    floor = np.maximum(_FADED * power.mean(axis=1, keepdims=True), 1e-30)
    power = np.maximum(power, floor)
    inverse = np.conj(response) / power
    noise = (noise_var[:, None] + variance) / power
    return inverse.astype(np.complex64), np.clip(noise, 1e-12, 1e12).astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def local_mean(errors, pilots):
    """Pilot errors averaged over as many neighbouring OFDM symbols as make 20 cells: float64[bursts, n] -> the same.

    Args:
        pilots: cells in each of the errors.
    """
    bursts, count = errors.shape
    reach = min(-(-20 // pilots) // 2, (count - 1) // 2)
    means = np.zeros_like(errors)
    for b in range(bursts):
        for i in range(count):
            for j in range(i - reach, i + reach + 1):
                # Reflected at the burst's ends.
                means[b, i] += errors[b, j if 0 <= j < count else -j if j < 0 else 2 * count - 2 - j]
            means[b, i] /= 2 * reach + 1
    return means


def outlying_symbols(errors: np.ndarray, noise_var: np.ndarray, pilots: int) -> np.ndarray:
    """OFDM symbols with far more noise than the rest of their burst: bool[bursts, n].

    An interferer shorter than the burst, or samples that the radio dropped, spoil some symbols and leave others whole.

    Args:
        errors: float64[bursts, n], mean squared error of the pilots of each symbol.
        noise_var: float64[bursts], of a cell of preamble and header.
        pilots: cells in each of those means.
    """
    local = local_mean(errors, pilots)
    usual = np.minimum(np.median(local, axis=1), noise_var)
    # 2.5 times the noise over 20 cells: chance makes that of one symbol in a million.
    high = local > 2.5 * np.maximum(usual, 1e-30)[:, None]
    wide = high.copy()
    wide[:, 1:] |= high[:, :-1]
    wide[:, :-1] |= high[:, 1:]
    return wide
