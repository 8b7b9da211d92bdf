"""The layered min-sum decoder of the LDPC codes (Hocevar 2004), normalised and offset (Chen and others 2005).

A row of the base graph is a layer: its Z checks share no bit, so they are worked on together, as vectors.
"""

import numpy as np
from numba import njit

__all__ = ["decode_blocks"]

# A check's answer is this much of the least value, less the offset: the best of the pairs tried at rates 1/3 to 5/6.
_SCALE = np.float32(0.85)
_OFFSET = np.float32(0.3)
# Beyond this a message says nothing more; it keeps blocks that never converge from overflowing.
_LIMIT = np.float32(1e4)


@njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz", "contract"}, boundscheck=False)
def decode_blocks(llr, first, column, shift, z, order, iterations, bits):
    """Decode many blocks of one code.

    Args:
        llr: float32[blocks, columns * z], log P(0)/P(1) of every bit; 0 where a bit was not received. To scale: the
            offset is one of log-likelihood.
        first, column, shift: as in `LiftedGraph`.
        z: lifting size.
        order: int64[rows], the rows to work on, in that order.
        iterations: the most.
        bits: uint8[blocks, columns * z], filled with the decoded bits.

    Returns:
        int64[blocks], the iterations that each block took until all checks held; -1 where they never did.
    """
    blocks, size = llr.shape
    taken = np.empty(blocks, np.int64)
    belief = np.empty(size, np.float32)
    message = np.empty((len(column), z), np.float32)
    widest = 0
    for row in order:
        widest = max(widest, first[row + 1] - first[row])
    held = np.empty((widest, z), np.float32)
    least = np.empty(z, np.float32)
    second = np.empty(z, np.float32)
    parity = np.empty(z, np.float32)
    odd = np.empty(z, np.uint8)
    for block in range(blocks):
        belief[:] = llr[block]
        message[:] = 0
        taken[block] = -1
        for iteration in range(iterations):
            for row in order:
                least[:] = _LIMIT
                second[:] = _LIMIT
                parity[:] = 1
                for entry in range(first[row], first[row + 1]):
                    begin, turn = column[entry] * z, z - shift[entry]
                    value = held[entry - first[row]]
                    _subtract(belief[begin + z - turn : begin + z], message[entry, :turn], value[:turn])
                    _subtract(belief[begin : begin + z - turn], message[entry, turn:], value[turn:])
                    _compare(value, least, second, parity)
                for entry in range(first[row], first[row + 1]):
                    begin, turn = column[entry] * z, z - shift[entry]
                    value = held[entry - first[row]]
                    _answer(value, least, second, parity, message[entry])
                    _add(value[:turn], message[entry, :turn], belief[begin + z - turn : begin + z])
                    _add(value[turn:], message[entry, turn:], belief[begin : begin + z - turn])
            for i in range(size):
                bits[block, i] = belief[i] < 0
            if _holds(bits[block], first, column, shift, z, order, odd):
                taken[block] = iteration + 1
                break
    return taken


@njit(cache=True, nogil=True, inline="always")
def _subtract(a, b, out):
    for i in range(len(out)):
        out[i] = a[i] - b[i]


@njit(cache=True, nogil=True, inline="always")
def _add(a, b, out):
    for i in range(len(out)):
        out[i] = a[i] + b[i]


@njit(cache=True, nogil=True, inline="always")
def _compare(value, least, second, parity):
    for i in range(len(value)):
        size = abs(value[i])
        second[i] = min(second[i], max(least[i], size))
        least[i] = min(least[i], size)
        parity[i] = -parity[i] if value[i] < 0 else parity[i]


@njit(cache=True, nogil=True, inline="always")
def _answer(value, least, second, parity, out):
    for i in range(len(value)):
        # Where two are least, the second equals them.
        size = second[i] if abs(value[i]) == least[i] else least[i]
        size = max(_SCALE * size - _OFFSET, np.float32(0)) * parity[i]
        out[i] = -size if value[i] < 0 else size


@njit(cache=True, nogil=True, inline="always")
def _flip(a, b):
    for i in range(len(b)):
        a[i] ^= b[i]


@njit(cache=True, nogil=True)
def _holds(bits, first, column, shift, z, order, odd):
    """Whether all checks of the rows are even."""
    for row in order:
        odd[:] = 0
        for entry in range(first[row], first[row + 1]):
            begin, turn = column[entry] * z, z - shift[entry]
            _flip(odd[:turn], bits[begin + z - turn : begin + z])
            _flip(odd[turn:], bits[begin : begin + z - turn])
        any_odd = np.uint8(0)
        for i in range(z):
            any_odd |= odd[i]
        if any_odd:
            return False
    return True
