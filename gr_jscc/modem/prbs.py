"""Pseudo-random sequences that are the same on every machine and every numpy.

`numpy.random` does not promise the same stream from one version to the next, and both ends of a link must agree on
pilots, fillers and interleavers for ever. These come from SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), evaluated at a counter, so any length is a prefix of any longer one.
"""

import numpy as np

__all__ = ["permutation", "random_qpsk", "random_signs", "random_words"]


def random_words(seed: int, count: int) -> np.ndarray:
    """The first `count` words of the sequence `seed`: uint64[count]."""
    gamma = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        z = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x100000001)) * gamma
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_signs(seed: int, count: int) -> np.ndarray:
    """±1: float32[count]."""
    bits = (random_words(seed, count) >> np.uint64(63)).astype(np.float32)
    return 1.0 - 2.0 * bits


def random_qpsk(seed: int, count: int) -> np.ndarray:
    """(±1 ± j)/√2, so of power 1: complex64[count]."""
    words = random_words(seed, count)
    real = 1.0 - 2.0 * (words >> np.uint64(63)).astype(np.float32)
    imag = 1.0 - 2.0 * ((words >> np.uint64(62)) & np.uint64(1)).astype(np.float32)
    return ((real + 1j * imag) * np.sqrt(0.5)).astype(np.complex64)


def permutation(seed: int, count: int) -> np.ndarray:
    """A permutation of range(count): int64[count]."""
    return np.argsort(random_words(seed, count), kind="stable")
