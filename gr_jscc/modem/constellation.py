"""Gray-mapped constellations of mean power 1, and the log-likelihood ratios of their bits.

BPSK is real; QPSK, 16-QAM and 64-QAM are those of 5G NR (3GPP TS 38.211, section 5.1): bits take turns between the real
and the imaginary part, the sign first, so the first two bits of a symbol are the best protected.
"""

from functools import lru_cache

import numpy as np

__all__ = ["BITS_PER_SYMBOL", "demap_symbols", "map_bits"]

#: Bits on a symbol of each constellation: BPSK, QPSK, 16-QAM, 64-QAM.
BITS_PER_SYMBOL = (1, 2, 4, 6)

# No ratio is larger, so that a receiver may add some.
_MOST = 1e9


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def _levels(bits_per_symbol: int) -> tuple[np.ndarray, np.ndarray]:
    """The amplitudes of one dimension by the number that its bits spell, and those bits: float[m], bool[m, log2 m]."""
    if bits_per_symbol not in BITS_PER_SYMBOL:
        raise ValueError(f"no constellation has {bits_per_symbol} bits per symbol; known: {BITS_PER_SYMBOL}")
    dimensions = 1 if bits_per_symbol == 1 else 2
    width = bits_per_symbol // dimensions
    bits = (np.arange(1 << width)[:, None] >> np.arange(width)[::-1] & 1).astype(bool)
    amplitude = np.zeros(1 << width)
    for column in reversed(range(width)):
        amplitude = (1.0 - 2.0 * bits[:, column]) * ((1 << (width - 1 - column)) - amplitude)
    return amplitude / np.sqrt(dimensions * np.mean(amplitude**2)), bits


def map_bits(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Bits, uint8[n * bits_per_symbol] of 0 and 1, as symbols: complex64[n].

    Raises:
        ValueError: there is no such constellation, or the bits are not whole symbols.
    """
    amplitude, _ = _levels(bits_per_symbol)
    amplitude = amplitude.astype(np.float32)
    bits = np.asarray(bits, np.uint8).reshape(-1, bits_per_symbol)
    if bits_per_symbol == 1:
        return amplitude[bits[:, 0]].astype(np.complex64)
    index = np.zeros((len(bits), 2), np.intp)
    for column in range(0, bits_per_symbol, 2):
        index = index << 1 | bits[:, column : column + 2]
    return amplitude[index].view(np.complex64)[:, 0]


def demap_symbols(symbols: np.ndarray, noise_var: np.ndarray | float, bits_per_symbol: int) -> np.ndarray:
    """Log-likelihood ratios log P(0)/P(1) of the bits of received symbols, by the max-log rule.

    Args:
        symbols: complex[n].
        noise_var: float[n] or one value, the variance of the complex noise. Where it is not finite or below zero, or
            the symbol is not finite, nothing is known and the ratios are 0.
        bits_per_symbol: of the constellation.

    Returns:
        float32[n * bits_per_symbol], in the order of `map_bits`.

    Raises:
        ValueError: there is no such constellation.
    """
    amplitude, pattern = _levels(bits_per_symbol)
    symbols = np.asarray(symbols, np.complex128).reshape(-1)
    noise_var = np.broadcast_to(np.asarray(noise_var, np.float64), symbols.shape)
    known = np.isfinite(symbols) & np.isfinite(noise_var) & (noise_var >= 0)
    weight = np.where(known, 1.0 / np.where(known, np.maximum(noise_var, 1e-12), 1.0), 0.0)
    symbols = np.where(known, symbols, 0)
    parts = symbols.real[:, None] if bits_per_symbol == 1 else symbols.view(np.float64).reshape(-1, 2)
    distance = [(parts - level) ** 2 for level in amplitude]
    llr = np.empty((len(symbols), pattern.shape[1], parts.shape[1]), np.float32)
    for column in range(pattern.shape[1]):
        one = _least([d for d, bit in zip(distance, pattern[:, column]) if bit])
        zero = _least([d for d, bit in zip(distance, pattern[:, column]) if not bit])
        llr[:, column] = np.clip((one - zero) * weight[:, None], -_MOST, _MOST)
    return llr.reshape(-1)


def _least(arrays: list[np.ndarray]) -> np.ndarray:
    least = arrays[0]
    for other in arrays[1:]:
        least = np.minimum(least, other)
    return least
