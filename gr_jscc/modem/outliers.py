"""OFDM symbols that have more noise than the rest of their burst, or nothing but noise.

An interferer shorter than the burst spoils some symbols and leaves others whole; samples that the radio dropped shift
what follows. Either shows at the pilots.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.cut import lost_from

__all__ = ["excess_noise", "outlying", "trusted_symbols"]

# Pilots looked at together, those of neighbouring OFDM symbols with an OFDM symbol's own.
_SEVERAL = 20
# Pilots that their mean counts as beside an OFDM symbol's own.
_NEIGHBOURS = 2


def trusted_symbols(
    late: np.ndarray,
    errors: np.ndarray,
    response: np.ndarray,
    noise_var: np.ndarray,
    shape: np.ndarray,
    places: np.ndarray,
    weight: float,
) -> np.ndarray:
    """Weights of the payload's OFDM symbols in estimates: float64[bursts, n], 0 for outliers and 1 for the others.

    Args:
        late, shape, places, weight: as `lost_from` takes them.
        errors: float64[bursts, n], mean squared error of the pilots of each symbol, times their weight.
        response: complex64[bursts, used_count], the channel.
        noise_var: float64[bursts], of a cell of preamble and header.
    """
    pilots = places.shape[1]
    named = outlying(errors, noise_var, pilots)
    if named.any():
        expected = response[:, places]
        lost = lost_from(late, named, expected, np.zeros(errors.shape), noise_var, shape, places, weight)
        # What is lost says nothing of its neighbours.
        named = lost | outlying(np.where(lost, noise_var[:, None], errors), noise_var, pilots)
    return 1.0 - named


def excess_noise(
    late: np.ndarray,
    errors: np.ndarray,
    trust: np.ndarray,
    expected: np.ndarray,
    walk: np.ndarray,
    noise_var: np.ndarray,
    shape: np.ndarray,
    places: np.ndarray,
    weight: float,
) -> np.ndarray:
    """How many times the burst's noise each OFDM symbol has: float32[bursts, n], 1 or more, ``inf`` after a cut.

    Args:
        late, expected, walk, shape, places, weight: as `lost_from` takes them.
        errors: float64[bursts, n], mean squared error of the pilots of each symbol, times their weight.
        trust: float64[bursts, n], of `trusted_symbols`; those trusted have no excess.
        noise_var: float64[bursts], of a cell of the others.
    """
    pilots = places.shape[1]
    lost = lost_from(late, trust == 0, expected, walk, noise_var, shape, places, weight)
    around = _local_mean(np.where(lost, noise_var[:, None], errors), pilots)
    # One cell less than there are makes the mean of the inverse right.
    noise = (pilots * errors + _NEIGHBOURS * around) / (pilots + _NEIGHBOURS - 1)
    excess = np.where(trust == 0, np.maximum(noise / noise_var[:, None], 1), 1).astype(np.float32)
    excess[lost] = np.inf
    return excess


@lru_cache(maxsize=32)
def _exceptional(cells: int) -> float:
    """How many times the noise the mean squared error over so many cells is by chance in one case of a million.

    Wilson and Hilferty's cube of a normal variable, and 2.5 at least: a channel that changes is no interferer.
    """
    spread = 1 / (9 * cells)
    return max(2.5, float(1 - spread + 4.75 * np.sqrt(spread)) ** 3)


def outlying(errors: np.ndarray, noise_var: np.ndarray, pilots: int) -> np.ndarray:
    """OFDM symbols with far more noise than the rest of their burst, and their neighbours: bool[bursts, n]."""
    return _far_above(errors, noise_var, pilots, _exceptional(pilots), _exceptional(_SEVERAL))


@njit(cache=True, nogil=True, error_model="numpy")
def _far_above(errors, noise_var, pilots, alone, together):
    bursts, count = errors.shape
    local = _local_mean(errors, pilots)
    named = np.zeros((bursts, count), np.bool_)
    for b in range(bursts):
        usual = max(min(np.median(local[b]), noise_var[b]), 1e-30)
        for i in range(count):
            if errors[b, i] > alone * usual or local[b, i] > together * usual:
                for j in range(max(i - 1, 0), min(i + 2, count)):
                    named[b, j] = True
    return named


@njit(cache=True, nogil=True, error_model="numpy")
def _local_mean(errors, pilots):
    """Pilot errors averaged over as many neighbouring OFDM symbols as make 20 cells: float64[bursts, n] -> the same."""
    bursts, count = errors.shape
    reach = min(-(-_SEVERAL // pilots) // 2, (count - 1) // 2)
    means = np.zeros_like(errors)
    for b in range(bursts):
        for i in range(count):
            for j in range(i - reach, i + reach + 1):
                # Reflected at the burst's ends.
                means[b, i] += errors[b, j if 0 <= j < count else -j if j < 0 else 2 * count - 2 - j]
            means[b, i] /= 2 * reach + 1
    return means
