"""Digital payloads: bytes as coded symbols, for manifests and side information.

A block is a 16-bit length, the bytes, zero padding where the symbols leave room, and a CRC-32 over all of it; coded,
interleaved and mapped. How much room there is follows from the number of symbols, which the burst's header states.
"""

from dataclasses import dataclass

import numpy as np

from .convolutional import TAIL_BITS, conv_encode, viterbi_decode
from .crc import crc32
from .header import MAX_SYMBOLS
from .prbs import permutation

__all__ = ["MCS", "Mcs", "decode_digital", "digital_symbol_count", "encode_digital", "max_digital_bytes"]

_LENGTH_BYTES = 2
_CRC_BYTES = 4


@dataclass(frozen=True)
class Mcs:
    """A modulation and a code.

    Attributes:
        name: for people.
        bits_per_symbol: coded bits on one complex symbol: 1 BPSK, 2 QPSK (Gray).
        inverse_rate: coded bits per bit of the convolutional code.
    """

    name: str
    bits_per_symbol: int
    inverse_rate: int


#: Modulation and coding schemes by the number that a header states, most robust first.
MCS: dict[int, Mcs] = {
    0: Mcs("BPSK 1/3", 1, 3),
    1: Mcs("QPSK 1/2", 2, 2),
}


def _scheme(mcs: int) -> Mcs:
    if mcs not in MCS:
        raise ValueError(f"no mcs {mcs}: known are {', '.join(map(str, MCS))}")
    return MCS[mcs]


def digital_symbol_count(length: int, mcs: int) -> int:
    """Complex symbols that `length` bytes take under `mcs`. Raises ValueError when `mcs` is not known."""
    scheme = _scheme(mcs)
    bits = 8 * (_LENGTH_BYTES + length + _CRC_BYTES) + TAIL_BITS
    return -(-bits * scheme.inverse_rate // scheme.bits_per_symbol)


def _block_bytes(symbols: int, scheme: Mcs) -> int:
    """Bytes of data and padding that a payload of so many symbols has room for; negative when none."""
    coded = symbols * scheme.bits_per_symbol
    return (coded // scheme.inverse_rate - TAIL_BITS) // 8 - _LENGTH_BYTES - _CRC_BYTES


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
    block = len(data).to_bytes(_LENGTH_BYTES, "big") + bytes(data)
    block += crc32(block).to_bytes(_CRC_BYTES, "big")
    coded = conv_encode(np.unpackbits(np.frombuffer(block, np.uint8)), scheme.inverse_rate)
    filled = np.zeros(digital_symbol_count(len(data), mcs) * scheme.bits_per_symbol, np.uint8)
    filled[: len(coded)] = coded
    signs = 1.0 - 2.0 * filled[permutation(0xD161, len(filled))].astype(np.float32)
    if scheme.bits_per_symbol == 1:
        return signs.astype(np.complex64)
    return ((signs[0::2] + 1j * signs[1::2]) * np.sqrt(0.5)).astype(np.complex64)


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
    weight = 1.0 / np.maximum(np.broadcast_to(np.asarray(noise_var, np.float64), symbols.shape), 1e-12)
    values = np.where(weight > 0, symbols, 0) * weight
    if scheme.bits_per_symbol == 1:
        llr = values.real
    else:
        llr = np.stack([values.real, values.imag], axis=1).reshape(-1)
    llr = llr / max(float(np.mean(np.abs(llr))), 1e-30)
    ordered = np.empty(len(llr), np.float32)
    ordered[permutation(0xD161, len(llr))] = llr
    bits = 8 * (_LENGTH_BYTES + room + _CRC_BYTES)
    decoded = viterbi_decode(ordered[: (bits + TAIL_BITS) * scheme.inverse_rate], scheme.inverse_rate)
    block = np.packbits(decoded).tobytes()
    body, check = block[:-_CRC_BYTES], int.from_bytes(block[-_CRC_BYTES:], "big")
    length = int.from_bytes(body[:_LENGTH_BYTES], "big")
    if crc32(body) != check or length > room or any(body[_LENGTH_BYTES + length :]):
        return None
    return body[_LENGTH_BYTES : _LENGTH_BYTES + length]
