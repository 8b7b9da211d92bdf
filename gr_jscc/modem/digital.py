"""Digital payloads: bytes as coded symbols, for manifests and side information.

A block is a 16-bit length, the bytes, zero padding where the symbols leave room, and a CRC-32 over all of it; coded,
interleaved and mapped. How much room there is follows from the number of symbols, which the burst's header states.

A scheme is a constellation and a code. The convolutional ones are for a few bytes; the LDPC ones are the better the
longer the block is, and cut it into several code blocks where it must be.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np

from gr_jscc.modem.constellation import demap_symbols, map_bits
from gr_jscc.modem.convolutional import TAIL_BITS, conv_encode, viterbi_decode
from gr_jscc.modem.crc import crc32
from gr_jscc.modem.header import MAX_SYMBOLS
from gr_jscc.modem.ldpc import decode_segments, encode_segments
from gr_jscc.modem.prbs import permutation, random_signs

__all__ = [
    "MCS",
    "ChannelCode",
    "Mcs",
    "decode_digital",
    "digital_symbol_count",
    "encode_digital",
    "max_digital_bytes",
    "prepare_digital",
]

_LENGTH_BYTES = 2
_CRC_BYTES = 4


class ChannelCode(Protocol):
    """A code with its interleaver, for messages of any length on a constellation of `bits_per_symbol` bits.

    Example:
        >>> code = MCS[1].code
        >>> coded = code.coded_bits(100)
        >>> sent = code.encode(np.ones(100, np.uint8), coded, bits_per_symbol=2)
        >>> llr = (1 - 2.0 * sent).astype(np.float32)
        >>> coded, int(code.decode(llr, 100, bits_per_symbol=2).sum())
        (212, 100)
    """

    rate: Fraction

    def coded_bits(self, message: int) -> int:
        """The fewest coded bits for a message of so many bits."""

    def message_bits(self, coded: int) -> int:
        """The most message bits for so many coded bits; below zero when there is no room for the code itself."""

    def encode(self, bits: np.ndarray, coded: int, bits_per_symbol: int) -> np.ndarray:
        """Message bits, uint8[n], as uint8[coded] in the order of sending."""

    def decode(self, llr: np.ndarray, message: int, bits_per_symbol: int) -> np.ndarray:
        """The likeliest uint8[message], from float32[coded] log P(0)/P(1) in the order of sending."""


class _Convolutional:
    """Terminated, of constraint length 7; interleaved bit by bit."""

    def __init__(self, inverse_rate: int) -> None:
        self.rate = Fraction(1, inverse_rate)
        self._inverse_rate = inverse_rate

    def coded_bits(self, message: int) -> int:
        return (message + TAIL_BITS) * self._inverse_rate

    def message_bits(self, coded: int) -> int:
        return coded // self._inverse_rate - TAIL_BITS

    def encode(self, bits: np.ndarray, coded: int, bits_per_symbol: int) -> np.ndarray:
        filled = np.zeros(coded, np.uint8)
        filled[: self.coded_bits(len(bits))] = conv_encode(bits, self._inverse_rate)
        return filled[_order(coded)]

    def decode(self, llr: np.ndarray, message: int, bits_per_symbol: int) -> np.ndarray:
        ordered = np.empty(len(llr), np.float32)
        # The decoder asks for no scale, but for numbers of moderate size.
        ordered[_order(len(llr))] = llr / max(float(np.mean(np.abs(llr))), 1e-30)
        return viterbi_decode(ordered[: self.coded_bits(message)], self._inverse_rate)


class _Ldpc:
    """5G NR; interleaved symbol by symbol, over all code blocks of the message.

    The coded bits are scrambled: whatever the message, the symbols look random and so have a mean power near 1.
    """

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate

    def coded_bits(self, message: int) -> int:
        return -(-message * self.rate.denominator // self.rate.numerator)

    def message_bits(self, coded: int) -> int:
        return coded * self.rate.numerator // self.rate.denominator

    def encode(self, bits: np.ndarray, coded: int, bits_per_symbol: int) -> np.ndarray:
        symbols = encode_segments(bits, coded, bits_per_symbol).reshape(-1, bits_per_symbol)
        return symbols[_order(len(symbols))].reshape(-1) ^ _scrambler(coded)

    def decode(self, llr: np.ndarray, message: int, bits_per_symbol: int) -> np.ndarray:
        symbols = np.where(_scrambler(len(llr)), -llr, llr).reshape(-1, bits_per_symbol)
        ordered = np.empty_like(symbols)
        ordered[_order(len(symbols))] = symbols
        return decode_segments(ordered.reshape(-1), message, bits_per_symbol)[0]


@lru_cache(maxsize=16)
def _order(count: int) -> np.ndarray:
    """The interleaver: what is sent at each place, int64[count]."""
    order = permutation(0xD161, count)
    order.setflags(write=False)
    return order


@lru_cache(maxsize=16)
def _scrambler(count: int) -> np.ndarray:
    """uint8[count] of 0 and 1, as random."""
    bits = (random_signs(0x5C4A, count) < 0).astype(np.uint8)
    bits.setflags(write=False)
    return bits


@dataclass(frozen=True)
class Mcs:
    """A modulation and a code.

    Attributes:
        name: for people.
        bits_per_symbol: coded bits on one complex symbol: 1 BPSK, 2 QPSK, 4 16-QAM, 6 64-QAM (Gray).
        code: the code.

    Example:
        >>> scheme = MCS[7]
        >>> scheme.name, scheme.bits_per_symbol, round(scheme.efficiency, 2)
        ('16-QAM LDPC 2/3', 4, 2.67)
    """

    name: str
    bits_per_symbol: int
    code: ChannelCode

    @property
    def efficiency(self) -> float:
        """Message bits on one symbol, in long blocks."""
        return float(self.bits_per_symbol * self.code.rate)


#: Modulation and coding schemes by the number that a header states.
MCS: dict[int, Mcs] = {
    0: Mcs("BPSK 1/3", 1, _Convolutional(3)),
    1: Mcs("QPSK 1/2", 2, _Convolutional(2)),
    2: Mcs("QPSK LDPC 1/3", 2, _Ldpc(Fraction(1, 3))),
    3: Mcs("QPSK LDPC 1/2", 2, _Ldpc(Fraction(1, 2))),
    4: Mcs("QPSK LDPC 2/3", 2, _Ldpc(Fraction(2, 3))),
    5: Mcs("QPSK LDPC 3/4", 2, _Ldpc(Fraction(3, 4))),
    6: Mcs("16-QAM LDPC 1/2", 4, _Ldpc(Fraction(1, 2))),
    7: Mcs("16-QAM LDPC 2/3", 4, _Ldpc(Fraction(2, 3))),
    8: Mcs("16-QAM LDPC 3/4", 4, _Ldpc(Fraction(3, 4))),
    9: Mcs("16-QAM LDPC 5/6", 4, _Ldpc(Fraction(5, 6))),
    10: Mcs("64-QAM LDPC 2/3", 6, _Ldpc(Fraction(2, 3))),
    11: Mcs("64-QAM LDPC 3/4", 6, _Ldpc(Fraction(3, 4))),
    12: Mcs("64-QAM LDPC 5/6", 6, _Ldpc(Fraction(5, 6))),
}


@lru_cache(maxsize=1)
def prepare_digital() -> None:
    """Have numba compile what it compiles (seconds, once on a machine) before bursts are waiting."""
    for mcs in MCS:
        decode_digital(encode_digital(b"", mcs), 0.1, mcs)


def _scheme(mcs: int) -> Mcs:
    if mcs not in MCS:
        raise ValueError(f"unknown mcs {mcs}; known: {', '.join(map(str, MCS))}")
    return MCS[mcs]


def digital_symbol_count(length: int, mcs: int) -> int:
    """Complex symbols that `length` bytes take under `mcs`. Raises ValueError when `mcs` is not known."""
    scheme = _scheme(mcs)
    return -(-scheme.code.coded_bits(8 * (_LENGTH_BYTES + length + _CRC_BYTES)) // scheme.bits_per_symbol)


def _block_bytes(symbols: int, scheme: Mcs) -> int:
    """Bytes of data and padding that a payload of so many symbols has room for; negative when none."""
    return scheme.code.message_bits(symbols * scheme.bits_per_symbol) // 8 - _LENGTH_BYTES - _CRC_BYTES


def max_digital_bytes(mcs: int, symbols: int = MAX_SYMBOLS) -> int:
    """The most bytes that fit a burst of `symbols` symbols under `mcs`; 0 when not even one does."""
    return max(0, min(_block_bytes(symbols, _scheme(mcs)), 0xFFFF))


def encode_digital(data: bytes, mcs: int = 0) -> np.ndarray:
    """Bytes as complex64[digital_symbol_count(len(data), mcs)] of mean power 1.

    Raises:
        ValueError: `mcs` is not known, or `data` is too long for one burst.
    """
    scheme = _scheme(mcs)
    if len(data) > max_digital_bytes(mcs):
        raise ValueError(f"{len(data)} bytes do not fit one burst: mcs {mcs} takes {max_digital_bytes(mcs)}")
    symbols = digital_symbol_count(len(data), mcs)
    block = len(data).to_bytes(_LENGTH_BYTES, "big") + bytes(data).ljust(_block_bytes(symbols, scheme), b"\0")
    block += crc32(block).to_bytes(_CRC_BYTES, "big")
    bits = np.unpackbits(np.frombuffer(block, np.uint8))
    coded = scheme.code.encode(bits, symbols * scheme.bits_per_symbol, scheme.bits_per_symbol)
    return map_bits(coded, scheme.bits_per_symbol)


def decode_digital(symbols: np.ndarray, noise_var: np.ndarray | float, mcs: int = 0) -> bytes | None:
    """The bytes in equalised symbols, or None where the CRC is wrong.

    Args:
        symbols: complex64[n], the n that the header of the burst states.
        noise_var: float32[n] or one value: variance of the complex noise; inf where a symbol is missing.
        mcs: the scheme that the header of the burst states.

    Raises:
        ValueError: `mcs` is not known.
    """
    scheme = _scheme(mcs)
    symbols = np.asarray(symbols).reshape(-1)
    room = _block_bytes(len(symbols), scheme)
    if room < 0:
        return None
    llr = demap_symbols(symbols, noise_var, scheme.bits_per_symbol)
    bits = scheme.code.decode(llr, 8 * (_LENGTH_BYTES + room + _CRC_BYTES), scheme.bits_per_symbol)
    block = np.packbits(bits).tobytes()
    body, check = block[:-_CRC_BYTES], int.from_bytes(block[-_CRC_BYTES:], "big")
    length = int.from_bytes(body[:_LENGTH_BYTES], "big")
    if crc32(body) != check or length > room or any(body[_LENGTH_BYTES + length :]):
        return None
    return body[_LENGTH_BYTES : _LENGTH_BYTES + length]
