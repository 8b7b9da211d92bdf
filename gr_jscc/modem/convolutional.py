"""The constraint-length-7 convolutional code, and its soft-decision Viterbi decoder.

Generators 133, 171 (rate 1/2) and 133, 171, 165 (rate 1/3), octal, as in IEEE 802.11 and 3GPP TS 36.212. Blocks are
terminated: six zero bits drive the encoder back to its zero state.
"""

from functools import lru_cache

import numpy as np
from numba import njit

__all__ = ["TAIL_BITS", "conv_encode", "viterbi_decode"]

TAIL_BITS = 6
_GENERATORS = {2: (0o133, 0o171), 3: (0o133, 0o171, 0o165)}


def conv_encode(bits: np.ndarray, inverse_rate: int) -> np.ndarray:
    """Encode and terminate blocks.

    Args:
        bits: uint8[..., k] of 0 and 1.
        inverse_rate: coded bits per bit, 2 or 3.

    Returns:
        uint8[..., (k + 6) * inverse_rate], the coded bits of the first input bit first.

    Raises:
        ValueError: there is no code of that rate.
    """
    generators = _generators(inverse_rate)
    bits = np.asarray(bits, np.uint8)
    count = bits.shape[-1] + TAIL_BITS
    padded = np.zeros((*bits.shape[:-1], count + TAIL_BITS), np.uint8)
    padded[..., TAIL_BITS:-TAIL_BITS] = bits
    coded = np.zeros((*bits.shape[:-1], count, inverse_rate), np.uint8)
    for column, generator in enumerate(generators):
        for delay in range(7):
            if generator >> (6 - delay) & 1:
                coded[..., column] ^= padded[..., TAIL_BITS - delay : TAIL_BITS - delay + count]
    return coded.reshape(*bits.shape[:-1], count * inverse_rate)


def viterbi_decode(llr: np.ndarray, inverse_rate: int) -> np.ndarray:
    """The likeliest block of bits, for many blocks of one length at once.

    Args:
        llr: float[..., n] log-likelihood ratios log P(0)/P(1) of the coded bits, in the order of `conv_encode`. Any
            positive scale does; values that are not finite count as erased.
        inverse_rate: coded bits per bit, 2 or 3.

    Returns:
        uint8[..., n / inverse_rate - 6], without the tail.

    Raises:
        ValueError: n is not a whole terminated block, or there is no code of that rate.
    """
    generators = _generators(inverse_rate)
    llr = np.asarray(llr, np.float32)
    steps, rest = divmod(llr.shape[-1], inverse_rate)
    if rest or steps <= TAIL_BITS:
        raise ValueError(f"{llr.shape[-1]} values are not a terminated block of rate 1/{inverse_rate}")
    blocks = np.ascontiguousarray(llr.reshape(-1, steps, inverse_rate))
    # A large value must not drown the float32 path metrics, and one that is not a number must not spread.
    blocks = np.clip(np.nan_to_num(blocks, nan=0.0, posinf=0.0, neginf=0.0), -1e4, 1e4)
    bits = _viterbi(blocks, _outputs(generators))
    return bits[:, :-TAIL_BITS].reshape(*llr.shape[:-1], steps - TAIL_BITS)


def _generators(inverse_rate: int) -> tuple[int, ...]:
    if inverse_rate not in _GENERATORS:
        raise ValueError(f"no convolutional code of rate 1/{inverse_rate}: 1/2 and 1/3 are known")
    return _GENERATORS[inverse_rate]


@lru_cache(maxsize=4)
def _outputs(generators: tuple[int, ...]) -> np.ndarray:
    """The coded bits, packed first bit highest, of each 7-bit register (newest input bit highest): uint8[128]."""
    packed = np.zeros(128, np.uint8)
    for register in range(128):
        for generator in generators:
            packed[register] = packed[register] << 1 | (bin(register & generator).count("1") & 1)
    return packed


@njit(cache=True, nogil=True)
def _viterbi(llr, outputs):
    blocks, steps, width = llr.shape
    bits = np.empty((blocks, steps), np.uint8)
    choice = np.empty((steps, 64), np.uint8)
    branch = np.empty(1 << width, np.float32)
    for block in range(blocks):
        metric = np.full(64, np.float32(-1e30), np.float32)
        metric[0] = 0.0
        following = np.empty(64, np.float32)
        for step in range(steps):
            for word in range(1 << width):
                total = np.float32(0.0)
                for j in range(width):
                    if word >> (width - 1 - j) & 1:
                        total -= llr[block, step, j]
                    else:
                        total += llr[block, step, j]
                branch[word] = total
            for state in range(64):
                # The register that led to `state` is (state << 1) or that plus one: its last bit is what falls out.
                previous = (state << 1) & 63
                zero = metric[previous] + branch[outputs[state << 1]]
                one = metric[previous | 1] + branch[outputs[state << 1 | 1]]
                if one > zero:
                    following[state] = one
                    choice[step, state] = 1
                else:
                    following[state] = zero
                    choice[step, state] = 0
            metric, following = following, metric
        state = 0
        for step in range(steps - 1, -1, -1):
            bits[block, step] = state >> 5
            state = ((state << 1) & 63) | choice[step, state]
    return bits
