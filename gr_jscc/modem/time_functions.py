"""Functions of time that a tap which moves is made of, and the stretches that a long burst is taken in."""

from functools import lru_cache

import numpy as np

from gr_jscc.modem.motion import DOPPLER_SPREADS, correlation_in_time

__all__ = [
    "LONGEST_WHOLE",
    "STRETCH",
    "cut",
    "functions_of_time",
    "interpolation_nodes",
    "products_of_pairs",
    "stretches_of",
    "whole",
]

#: Bursts of up to so many OFDM symbols are taken as a whole, longer ones in stretches.
LONGEST_WHOLE = 144
#: OFDM symbols of a stretch.
STRETCH = 96
# Share of a process's power below which a function of time is not worth an unknown.
_SMALL = 1e-6
# OFDM symbols from one at which the error's variance is computed to the next.
_STRIDE = 4


@lru_cache(maxsize=64)
def stretches_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where stretches begin, int64[n], and which of them each OFDM symbol is best seen in, int64[count]."""
    if count <= LONGEST_WHOLE:
        return np.zeros(1, np.int64), np.zeros(count, np.int64)
    begins = np.linspace(0, count - STRETCH, -(-2 * (count - STRETCH) // STRETCH) + 1).astype(np.int64)
    return begins, np.abs(np.arange(count)[:, None] - begins - (STRETCH - 1) / 2).argmin(axis=1)


@lru_cache(maxsize=64)
def interpolation_nodes(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """OFDM symbols from `first` on, a stride apart, and the weights that interpolate between them.

    Returns:
        int64[n], the last being `count - 1`; float32[count - first, n].
    """
    nodes = np.unique(np.append(np.arange(first, count, _STRIDE), count - 1))
    hats = [np.interp(np.arange(first, count), nodes, row) for row in np.eye(len(nodes))]
    return nodes, np.array(hats, np.float32).T.copy()


def cut(values: np.ndarray, begins: np.ndarray, length: int) -> np.ndarray:
    """Stretches of OFDM symbols: [bursts, all of them, k] -> [bursts, stretches, length, k]."""
    return values[:, None] if len(begins) == 1 else values[:, begins[:, None] + np.arange(length)]


def whole(values: np.ndarray, owner: np.ndarray, within: np.ndarray) -> np.ndarray:
    """From the stretches that each OFDM symbol is best seen in: [bursts, stretches, length, k] -> [bursts, all, k]."""
    return values[:, 0] if values.shape[1] == 1 else values[:, owner, within]


@lru_cache(maxsize=256)
def _functions(count: int, which: int) -> np.ndarray:
    """The functions of time that make up a tap of power 1 with Doppler spread number `which`, -1 for none.

    Karhunen and Loève's, each times the standard deviation of its coefficient: float64[n, count].
    """
    powers, functions = np.linalg.eigh(correlation_in_time(count, DOPPLER_SPREADS[which] if which >= 0 else 0.0))
    keep = powers > _SMALL * count
    return (functions[:, keep] * np.sqrt(powers[keep])).T[::-1]


def functions_of_time(count: int, spreads: np.ndarray) -> np.ndarray:
    """Those functions for bursts of Doppler spreads int64[bursts], zeros where others have more.

    Returns:
        float32[bursts, n, count].
    """
    own = {spread: _functions(count, spread) for spread in set(spreads.tolist())}
    functions = np.zeros((len(spreads), max(map(len, own.values())), count), np.float32)
    for burst, spread in enumerate(spreads.tolist()):
        functions[burst, : len(own[spread])] = own[spread]
    return functions


def products_of_pairs(functions: np.ndarray) -> np.ndarray:
    """The products of each two functions: float32[bursts, n, k] -> float32[bursts, n * n, k]."""
    return (functions[:, :, None] * functions[:, None]).reshape(len(functions), -1, functions.shape[2])
