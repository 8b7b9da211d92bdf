"""Spreads neighbouring symbols over bursts, OFDM symbols and subcarriers.

A lost burst or a faded subcarrier then costs a little everywhere instead of everything somewhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

GOLDEN = (math.sqrt(5) - 1) / 2


KEPT = 1 << 19  # symbols of a round whose order is kept for the next; numbers from the air are not to fill the memory


def permutation(count: int) -> np.ndarray:
    """Order of sending, int64[count]: place j on the air carries symbol ``permutation[j]``.

    Steps of about the golden ratio of ``count``, the multiplicative lattice that leaves neighbours
    farthest apart at every scale; the same on every machine, as it uses integers only.
    """
    return _kept(count) if count <= KEPT else _order(count)


def step(count: int) -> int:
    """How many symbols of ``count`` lie between neighbours on the air; coprime to ``count``."""
    length = max(1, round(count * GOLDEN))
    while math.gcd(length, count) != 1:
        length += 1
    return length


def _order(count: int) -> np.ndarray:
    order = np.arange(count, dtype=np.int64) * step(count) % count
    order.setflags(write=False)
    return order


_kept = lru_cache(maxsize=16)(_order)


def interleave(values: np.ndarray) -> np.ndarray:
    """Symbols [k] in the order of sending."""
    return values[permutation(len(values))]


def deinterleave(values: np.ndarray) -> np.ndarray:
    """Undoes `interleave`."""
    out = np.empty_like(values)
    out[permutation(len(values))] = values
    return out
