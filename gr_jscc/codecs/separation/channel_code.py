"""The channel codes of the separation codec: 5G NR LDPC of a rate, on QPSK, 16-QAM or 64-QAM.

A message of any length becomes as many code blocks as it needs (`gr_jscc.modem.ldpc`). The coded bits are scrambled, so
that the symbols look random whatever the message; the link interleaves them over bursts and subcarriers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from gr_jscc.modem import decode_segments, demap_symbols, encode_segments, map_bits
from gr_jscc.modem.prbs import random_signs

__all__ = ["CHANNEL_CODES", "MODULATIONS", "RATES", "ChannelCode"]

#: Bits on a symbol, by the modulation's name.
MODULATIONS = {"qpsk": 2, "16qam": 4, "64qam": 6}
RATES = tuple(Fraction(text) for text in ("1/3", "1/2", "2/3", "3/4", "5/6"))

_SCRAMBLER_SEED = 0x5E9A


@dataclass(frozen=True)
class ChannelCode:
    """An LDPC code rate and a modulation.

    Attributes:
        rate: message bits over coded bits, one of `RATES`.
        modulation: one of `MODULATIONS`.

    Example:
        >>> CHANNEL_CODES["ldpc-2/3:16qam"].bits_per_use
        Fraction(8, 3)
    """

    rate: Fraction
    modulation: str

    @property
    def name(self) -> str:
        """As a person writes it, such as ``ldpc-2/3:16qam``."""
        return f"ldpc-{self.rate}:{self.modulation}"

    @property
    def bits_per_symbol(self) -> int:
        """Coded bits on a complex symbol."""
        return MODULATIONS[self.modulation]

    @property
    def bits_per_use(self) -> Fraction:
        """Message bits on a complex symbol."""
        return self.rate * self.bits_per_symbol

    def message_bytes(self, symbols: int) -> int:
        """Whole bytes that so many complex symbols carry."""
        return int(symbols * self.bits_per_use) // 8

    def symbols(self, message_bytes: int) -> int:
        """The fewest complex symbols that carry so many bytes."""
        return int(-(-8 * message_bytes // self.bits_per_use))

    def encode(self, message: bytes) -> np.ndarray:
        """A message of one byte or more as complex64[symbols(its length)] of mean power 1 on average."""
        symbols = self.symbols(len(message))
        bits = np.unpackbits(np.frombuffer(message, np.uint8))
        coded = encode_segments(bits, symbols * self.bits_per_symbol, self.bits_per_symbol)
        return map_bits(coded ^ _scrambler(len(coded)), self.bits_per_symbol)

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes:
        """The likeliest message of `message_bytes(n)` bytes; whether it is right is for its own check to say.

        Args:
            symbols: complex64[n], equalised.
            noise_var: float32[n], variance of the complex noise; inf where a symbol is missing.

        Raises:
            ValueError: too few symbols for a single byte.
        """
        length = self.message_bytes(len(symbols))
        if length < 1:
            raise ValueError(f"{len(symbols)} symbols of {self.name} cannot carry any data")
        ratios = demap_symbols(symbols, noise_var, self.bits_per_symbol)
        ratios = np.where(_scrambler(len(ratios)), -ratios, ratios)
        bits, _ = decode_segments(ratios, 8 * length, self.bits_per_symbol)
        return np.packbits(bits).tobytes()


#: Every combination by its name, the fewest bits a use first.
CHANNEL_CODES: dict[str, ChannelCode] = {
    code.name: code
    for code in sorted(
        (ChannelCode(rate, modulation) for modulation in MODULATIONS for rate in RATES),
        key=lambda code: (code.bits_per_use, code.bits_per_symbol),
    )
}


@lru_cache(maxsize=4)
def _scrambler(count: int) -> np.ndarray:
    """uint8[count] of 0 and 1, as random."""
    bits = (random_signs(_SCRAMBLER_SEED, count) < 0).astype(np.uint8)
    bits.setflags(write=False)
    return bits
