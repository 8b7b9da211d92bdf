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
    outputs = _outputs(_generators(inverse_rate))
    bits = np.ascontiguousarray(bits, np.uint8)
    coded = _encode(bits.reshape(-1, bits.shape[-1]), outputs, inverse_rate)
    return coded.reshape(*bits.shape[:-1], coded.shape[-1])


@njit(cache=True, nogil=True)
def _encode(bits, outputs, width):
    blocks, count = bits.shape
    coded = np.empty((blocks, (count + TAIL_BITS) * width), np.uint8)
    for block in range(blocks):
        register = 0
        for step in range(count + TAIL_BITS):
            newest = bits[block, step] if step < count else 0
            register = register >> 1 | newest << TAIL_BITS
            for j in range(width):
                coded[block, step * width + j] = outputs[register] >> (width - 1 - j) & 1
    return coded


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
        raise ValueError(f"no convolutional code of rate 1/{inverse_rate}; known: 1/2, 1/3")
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
    # Signs of the coded bits on the two ways into each state: its register's last bit, which falls out, is 0 or 1.
    signs = np.empty((2, width, 64), np.float32)
    for state in range(64):
        for last in range(2):
            for j in range(width):
                one = outputs[state << 1 | last] >> (width - 1 - j) & 1
                signs[last, j, state] = -1 if one else 1
    metric = np.empty(64, np.float32)
    zero, one = np.empty(64, np.float32), np.empty(64, np.float32)
    for block in range(blocks):
        for state in range(64):
            metric[state] = -1e30 if state else 0.0
        for step in range(steps):
            for state in range(32):
                zero[state] = zero[state + 32] = metric[2 * state]
                one[state] = one[state + 32] = metric[2 * state + 1]
            for j in range(width):
                value = llr[block, step, j]
                for state in range(64):
                    zero[state] += signs[0, j, state] * value
                    one[state] += signs[1, j, state] * value
            for state in range(64):
                choice[step, state] = one[state] > zero[state]
                metric[state] = max(zero[state], one[state])
        state = 0
        for step in range(steps - 1, -1, -1):
            bits[block, step] = state >> 5
            state = ((state << 1) & 63) | choice[step, state]
    return bits
