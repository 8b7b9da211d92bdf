"""How the header of a burst is protected on the air.

72 bits of fields and a CRC-24 over them, 96 bits, as one code block of the LDPC code of 5G NR: 480 coded bits,
interleaved, as 240 QPSK symbols. That fills five OFDM symbols of the default numerology exactly, and one of `256-wide`;
others repeat the 240 cyclically to fill their last symbol. 96 bits are the most that the code carries with a lifting
size of 16 and without filler bits.

Code and CRC stay as they are in later versions, so that each end can tell when it hears bursts of another one.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.crc import REMAINDERS
from gr_jscc.modem.ldpc import LdpcCode, ldpc_code
from gr_jscc.modem.prbs import permutation

__all__ = ["FIELD_BYTES", "HEADER_SYMBOLS", "coded_symbols", "decoded_words", "with_check"]

#: QPSK symbols of one header on the air.
HEADER_SYMBOLS = 240
#: Bytes of its fields.
FIELD_BYTES = 9

_WORD_BYTES = FIELD_BYTES + 3  # with their CRC
_WORD_BITS = 8 * _WORD_BYTES
_REMAINDERS = np.array(REMAINDERS)
_CODE = ldpc_code(_WORD_BITS, 2 * HEADER_SYMBOLS)
_ITERATIONS = 20
# The first half of the coded bits is a word of a shorter code, whose decoder takes half the time. It suffices from some
# 5 dB on, so most headers need no more.
_HALF_CODE = ldpc_code(_WORD_BITS, HEADER_SYMBOLS)
_HALF_ITERATIONS = 4
# The decoder's offset is for longer blocks: this one does best with ratios so many times their size.
_STRESS = np.float32(1.5)
_INTERLEAVER = permutation(0x4EAD, 2 * HEADER_SYMBOLS)
# Most fields are mostly zeros, and cells that are mostly one value are a poor reference for the channel.
_WHITENING = np.packbits((permutation(0x5C4A, _WORD_BITS) % 2).astype(np.uint8))


def coded_symbols(words: np.ndarray) -> np.ndarray:
    """Words, uint8[n, 12] of fields and CRC, as sent: complex64[n, 240], QPSK of power 1."""
    return _sums(words, *_generator())


@lru_cache(maxsize=1)
def _generator() -> tuple[np.ndarray, np.ndarray]:
    """What is sent of the word that is all zeros, and how each bit of a word changes it: uint32[15], uint32[96, 15].

    The code is linear, so that a sum of these takes the place of its encoder, in a third of the time.
    """
    words = np.vstack([np.zeros((1, _WORD_BITS), np.uint8), np.eye(_WORD_BITS, dtype=np.uint8)])
    bits = np.packbits(_CODE.encode(words ^ np.unpackbits(_WHITENING))[:, _INTERLEAVER], axis=1)
    sent = np.ascontiguousarray(bits).view(">u4").astype(np.uint32)
    return sent[0], sent[1:] ^ sent[0]


@njit(cache=True, nogil=True)
def _sums(words, zero, rows):
    """`coded_symbols` by `_generator`."""
    amplitude = np.float32(0.5**0.5)
    symbols = np.empty((len(words), 16 * len(zero)), np.complex64)
    for number in range(len(words)):
        total = zero.copy()
        for bit in range(len(rows)):
            if words[number, bit // 8] >> (7 - bit % 8) & 1:
                for i in range(len(total)):
                    total[i] ^= rows[bit, i]
        for i in range(symbols.shape[1]):
            pair = total[i // 16] >> np.uint32(30 - 2 * (i % 16)) & np.uint32(3)
            real = -amplitude if pair & 2 else amplitude
            imag = -amplitude if pair & 1 else amplitude
            symbols[number, i] = complex(real, imag)
    return symbols


def decoded_words(llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest words.

    Args:
        llr: float[n, 480] log-likelihood ratios log P(0)/P(1), in order of sending: of each symbol's real part, then of
            its imaginary part. Values that are not finite count as erased.

    Returns:
        uint8[n, 12], fields and CRC; and whether their CRC is right, bool[n].
    """
    ratios = _in_order(llr, _INTERLEAVER)
    words = _decoded(_HALF_CODE, ratios[:, :HEADER_SYMBOLS], _HALF_ITERATIONS)
    sound = _are_sound(words, _REMAINDERS)
    if not sound.all():
        words[~sound] = _decoded(_CODE, ratios[~sound], _ITERATIONS)
        sound = _are_sound(words, _REMAINDERS)
    return words, sound


def _decoded(code: LdpcCode, ratios: np.ndarray, iterations: int) -> np.ndarray:
    """The likeliest words of a code, uint8[n, 12]."""
    return np.packbits(code.decode(ratios, iterations)[0], axis=1) ^ _WHITENING


@njit(cache=True, nogil=True)
def _in_order(llr, interleaver):
    """Ratios in the order of the code, float32[n, 480], as its decoder likes them."""
    ratios = np.empty(llr.shape, np.float32)
    for word in range(len(llr)):
        for i in range(len(interleaver)):
            value = llr[word, i]
            ratios[word, interleaver[i]] = _STRESS * np.float32(value) if np.isfinite(value) else np.float32(0)
    return ratios


def with_check(fields: np.ndarray) -> np.ndarray:
    """Fields, uint8[n, 9], and after them their CRC: uint8[n, 12]."""
    return _checked(fields, _REMAINDERS)


@njit(cache=True, nogil=True)
def _checked(fields, remainders):
    """`with_check`, given `REMAINDERS` as int64[256]."""
    words = np.empty((len(fields), _WORD_BYTES), np.uint8)
    for number in range(len(fields)):
        words[number, :FIELD_BYTES] = fields[number]
        check = _crc24(fields[number], remainders)
        for i in range(_WORD_BYTES - FIELD_BYTES):
            words[number, _WORD_BYTES - 1 - i] = check >> 8 * i & 0xFF
    return words


@njit(cache=True, nogil=True)
def _are_sound(words, remainders):
    """Whether the CRC of each word, uint8[n, 12], is right: bool[n]."""
    sound = np.empty(len(words), np.bool_)
    for number in range(len(words)):
        # What a CRC leaves of a message with that CRC behind it is nothing.
        sound[number] = _crc24(words[number], remainders) == 0
    return sound


@njit(cache=True, nogil=True)
def _crc24(row, remainders):
    """`gr_jscc.modem.crc.crc24` of uint8[bytes]."""
    value = 0xFFFFFF
    for byte in row:
        value = value << 8 & 0xFFFFFF ^ remainders[value >> 16 ^ byte]
    return value
