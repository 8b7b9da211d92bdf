"""The LDPC codes of 5G NR (3GPP TS 38.212, sections 5.2.2, 5.3.2 and 5.4.2): encoder, rate matching, decoder.

`LdpcCode` is one code block. `encode_segments` and `decode_segments` carry a message of any length in as many code
blocks as it needs. Unlike in the standard, a code block has no CRC of its own: the caller puts one over the message.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.ldpc_decoder import decode_blocks
from gr_jscc.modem.ldpc_graph import CORE_ROWS, MAX_BITS, choose_graph, choose_lifting, lifted_graph

__all__ = ["LdpcCode", "decode_segments", "encode_segments", "ldpc_code"]

ITERATIONS = 50
# Log-likelihood ratios of channel bits are cut to this; those of filler bits, which are known, are this.
_CERTAIN = np.float32(200)


class LdpcCode:
    """One code: k message bits as n coded bits.

    The first 2Z bits of the message are never sent; the n bits are those that follow, message then parity, from the
    beginning (redundancy version 0), and again from there when n asks for more than there are.

    Args:
        k: message bits of a block.
        n: coded bits of a block, k or more.
        graph: base graph, 1 or 2; the standard's choice when None.

    Raises:
        ValueError: the standard has no such code.

    Example:
        >>> import numpy as np
        >>> code = LdpcCode(k=100, n=200)
        >>> bits = np.random.default_rng(1).integers(0, 2, (1, 100), np.uint8)
        >>> code.encode(bits).shape
        (1, 200)
    """

    def __init__(self, k: int, n: int, graph: int | None = None) -> None:
        self.k, self.n = int(k), int(n)
        if self.n < self.k:
            raise ValueError(f"{n} coded bits cannot carry {k}")
        graph = graph or choose_graph(self.k, self.k / self.n)
        z = choose_lifting(self.k, graph)
        self._graph = lifted_graph(graph, z)
        message = self._graph.info_columns * z
        circular = np.arange(2 * z, message + self._graph.rows * z)
        circular = circular[(circular < self.k) | (circular >= message)]
        self._circular = circular
        self._sent = circular[np.arange(self.n) % len(circular)]
        last = circular[min(self.n, len(circular)) - 1]
        # A row beyond the core says nothing unless its own parity bits are received.
        self._rows = max(CORE_ROWS, int(last) // z + 1 - self._graph.info_columns)
        self._columns = self._graph.info_columns + self._rows
        self._order = np.arange(self._rows)

    @property
    def graph(self) -> int:
        """The base graph, 1 or 2."""
        return self._graph.graph

    @property
    def z(self) -> int:
        """The lifting size."""
        return self._graph.z

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """uint8[blocks, k] of 0 and 1 as uint8[blocks, n]."""
        bits = np.asarray(bits, np.uint8)
        if bits.ndim != 2 or bits.shape[1] != self.k:
            raise ValueError(f"expected blocks of {self.k} bits, not an array of {bits.shape}")
        words = self.codewords(bits)
        return np.take(words, self._sent, axis=1)

    def codewords(self, bits: np.ndarray) -> np.ndarray:
        """What `encode` sends from: uint8[blocks, columns * z], message, zeros for fillers, then the parity bits."""
        graph = self._graph
        words = np.zeros((len(bits), self._columns * graph.z), np.uint8)
        words[:, : self.k] = bits
        _fill_parity(
            words, graph.first, graph.column, graph.shift, graph.z, graph.info_columns, graph.core_shift, self._rows
        )
        return words

    def decode(self, llr: np.ndarray, iterations: int = ITERATIONS) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest messages.

        Args:
            llr: float[blocks, n] log-likelihood ratios log P(0)/P(1); 0 where a bit is missing.
            iterations: the most.

        Returns:
            uint8[blocks, k], and bool[blocks]: whether all parity checks hold.
        """
        llr = np.asarray(llr, np.float32)
        if llr.ndim != 2 or llr.shape[1] != self.n:
            raise ValueError(f"expected blocks of {self.n} values, not an array of {llr.shape}")
        graph = self._graph
        full = _received(llr, self._circular, self._columns * graph.z)
        full[:, self.k : graph.info_columns * graph.z] = _CERTAIN
        bits = np.empty(full.shape, np.uint8)
        taken = decode_blocks(full, graph.first, graph.column, graph.shift, graph.z, self._order, iterations, bits)
        return bits[:, : self.k], taken > 0


@lru_cache(maxsize=64)
def ldpc_code(k: int, n: int, graph: int | None = None) -> LdpcCode:
    """`LdpcCode(k, n, graph)`, kept for the next time."""
    return LdpcCode(k, n, graph)


def encode_segments(bits: np.ndarray, coded: int, bits_per_symbol: int = 1) -> np.ndarray:
    """A message of any length as coded bits, in as many code blocks as it needs.

    Args:
        bits: uint8[k] of 0 and 1.
        coded: coded bits in all, a multiple of `bits_per_symbol`.
        bits_per_symbol: of the constellation. Message bits take the first, best protected bits of its symbols.

    Returns:
        uint8[coded], block after block.
    """
    bits = np.asarray(bits, np.uint8)
    groups = _segments(len(bits), coded, bits_per_symbol)
    size = groups[0][0].k
    blocks = np.zeros((sum(count for _, count in groups), size), np.uint8)
    blocks.reshape(-1)[: len(bits)] = bits
    parts, done = [], 0
    for code, count in groups:
        words = code.encode(blocks[done : done + count])
        parts.append(words.reshape(count, bits_per_symbol, -1).transpose(0, 2, 1).reshape(-1))
        done += count
    return np.concatenate(parts)


def decode_segments(
    llr: np.ndarray, k: int, bits_per_symbol: int = 1, iterations: int = ITERATIONS
) -> tuple[np.ndarray, bool]:
    """The likeliest message of `encode_segments`.

    Args:
        llr: float[coded] log-likelihood ratios log P(0)/P(1); 0 where a bit is missing.
        k: bits of the message.
        bits_per_symbol: as in `encode_segments`.
        iterations: of the decoder, the most.

    Returns:
        uint8[k], and whether all parity checks hold.
    """
    parts, holds, done = [], True, 0
    for code, count in _segments(k, len(llr), bits_per_symbol):
        block = llr[done : done + count * code.n].reshape(count, -1, bits_per_symbol)
        bits, good = code.decode(block.transpose(0, 2, 1).reshape(count, code.n), iterations)
        parts.append(bits.reshape(-1))
        holds = holds and bool(good.all())
        done += count * code.n
    return np.concatenate(parts)[:k], holds


def _segments(k: int, coded: int, bits_per_symbol: int) -> list[tuple[LdpcCode, int]]:
    """The codes of a message's blocks in their order, with how many blocks each takes; all have the same k."""
    symbols, rest = divmod(coded, bits_per_symbol)
    if rest:
        raise ValueError(f"{coded} coded bits are not whole symbols of {bits_per_symbol}")
    graph = choose_graph(k, k / max(coded, 1))
    blocks = -(-k // MAX_BITS[graph])
    size = -(-k // blocks)
    each, longer = divmod(symbols, blocks)
    groups = [(each, blocks - longer), (each + 1, longer)]
    return [(ldpc_code(size, n * bits_per_symbol, graph), count) for n, count in groups if count]


@njit(cache=True, nogil=True)
def _received(llr, circular, width):
    """Ratios, float32[blocks, n], at their places in the code's buffer, repetitions added: float32[blocks, width]."""
    full = np.zeros((len(llr), width), np.float32)
    for block in range(len(llr)):
        place = 0
        for i in range(llr.shape[1]):
            if not np.isnan(llr[block, i]):
                full[block, circular[place]] += min(max(llr[block, i], -_CERTAIN), _CERTAIN)
            place = place + 1 if place + 1 < len(circular) else 0
    return full


@njit(cache=True, nogil=True)
def _fill_parity(words, first, column, shift, z, info_columns, core_shift, rows):
    """Compute the parity columns of each block, in place. words: uint8[blocks, columns * z]."""
    total = np.empty(z, np.uint8)
    for block in range(len(words)):
        word = words[block]
        # In the sum of the core rows all parity columns cancel but the first.
        total[:] = 0
        for entry in range(first[4]):
            if column[entry] < info_columns:
                _add_rotated(word, column[entry] * z, shift[entry], z, total)
        begin = info_columns * z
        word[begin + core_shift : begin + z] = total[: z - core_shift]
        word[begin : begin + core_shift] = total[z - core_shift :]
        for row in range(rows):
            if row == 3:  # follows from the other core rows
                continue
            target = info_columns + row + (1 if row < 3 else 0)
            total[:] = 0
            for entry in range(first[row], first[row + 1]):
                if column[entry] != target:
                    _add_rotated(word, column[entry] * z, shift[entry], z, total)
            word[target * z : (target + 1) * z] = total


@njit(cache=True, nogil=True)
def _add_rotated(word, begin, shift, z, total):
    low, high = word[begin + shift : begin + z], word[begin : begin + shift]
    for i in range(z - shift):
        total[i] ^= low[i]
    rest = total[z - shift :]
    for i in range(shift):
        rest[i] ^= high[i]
