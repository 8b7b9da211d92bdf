"""The header of a burst: what it holds, and how it is protected on the air.

74 bits of fields and a CRC-16 (over the fields packed into 10 bytes), then the terminated K=7 code of rate 1/3: 288
coded bits, interleaved, as 288 BPSK symbols. That fills six OFDM symbols of the default numerology exactly; larger ones
repeat the 288 cyclically to fill their last symbol.

The CRC is short because the number of the transfer is long: most of it is its sender's, and a header that passes by
chance is nobody's burst.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from gr_jscc.modem.convolutional import conv_encode, viterbi_decode
from gr_jscc.modem.crc import crc16
from gr_jscc.modem.prbs import permutation

__all__ = [
    "HEADER_SYMBOLS",
    "MAX_BURSTS",
    "MAX_ROUND",
    "MAX_SYMBOLS",
    "MAX_TRANSFER",
    "BurstHeader",
    "BurstKind",
    "HeaderError",
    "decode_header",
    "decode_header_llr",
    "header_symbols",
]

VERSION = 3  # pilots of the payload move; 2: they stood still
_WIDTHS = {"version": 2, "kind": 2, "mcs": 4, "transfer": 18, "round": 6, "index": 14, "count": 14, "symbols": 14}
_FIELD_BITS = sum(_WIDTHS.values())
# Name, bits to its right, and mask of each field.
_PLACES = tuple(
    (name, sum(list(_WIDTHS.values())[place + 1 :]), (1 << width) - 1)
    for place, (name, width) in enumerate(_WIDTHS.items())
)
_PACKED_BYTES = (_FIELD_BITS + 7) // 8
_CRC_BITS = 16
_INVERSE_RATE = 3

#: BPSK symbols of one header on the air.
HEADER_SYMBOLS = (_FIELD_BITS + _CRC_BITS + 6) * _INVERSE_RATE
#: The largest values that the fields can state.
MAX_TRANSFER = (1 << _WIDTHS["transfer"]) - 1
MAX_ROUND = (1 << _WIDTHS["round"]) - 1
MAX_BURSTS = (1 << _WIDTHS["count"]) - 1
MAX_SYMBOLS = (1 << _WIDTHS["symbols"]) - 1

_BPSK = np.array([1, -1], np.complex64)
_INTERLEAVER = permutation(0x4EAD, HEADER_SYMBOLS)
# Most fields are mostly zeros, and cells that are mostly one value are a poor reference for the channel.
_WHITENING = (permutation(0x5C4A, _FIELD_BITS + _CRC_BITS) % 2).astype(np.uint8)


class HeaderError(ValueError):
    """A header that no transmitter of this version can have sent.

    Example:
        >>> BurstHeader(BurstKind.ANALOG, transfer=5, round=0, index=4, count=4, symbols=2400)
        Traceback (most recent call last):
            ...
        gr_jscc.modem.header.HeaderError: burst 4 of 4 is impossible
    """


class BurstKind(IntEnum):
    """What a burst carries.

    Example:
        >>> BurstHeader(BurstKind.DIGITAL, transfer=5, round=0, index=0, count=1, symbols=400, mcs=1).kind.name
        'DIGITAL'
    """

    ANALOG = 0
    DIGITAL = 1


_KINDS = {int(kind): kind for kind in BurstKind}


@dataclass(frozen=True)
class BurstHeader:
    """What a receiver must know of a burst.

    Attributes:
        kind: analog symbols, or a coded digital payload.
        transfer: number of the transfer, 0 to 262143.
        round: round of the transfer, 0 to 63.
        index: this burst's place in its round, 0 to count - 1.
        count: bursts of the round, 1 to 16383.
        symbols: complex payload symbols of this burst, 1 to 16383.
        mcs: modulation and coding of a digital payload, 0 to 15; 0 for analog.
        version: of the air interface; always 3 here.

    Raises:
        HeaderError: a value is out of its range.

    Example:
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=5, round=0, index=1, count=4, symbols=2400)
        >>> BurstHeader.unpack(header.pack()) == header
        True
    """

    kind: BurstKind
    transfer: int
    round: int
    index: int
    count: int
    symbols: int
    mcs: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, width in _WIDTHS.items():
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or not 0 <= value < 1 << width:
                most = (1 << width) - 1
                raise HeaderError(f"header field {name} must be a whole number from 0 to {most}, not {value!r}")
        for name in _WIDTHS:
            object.__setattr__(self, name, int(getattr(self, name)))
        self._check()

    def _check(self) -> None:
        """What the widths of the fields do not ensure."""
        if self.version != VERSION:
            raise HeaderError(f"header version {self.version}, but this end uses {VERSION}")
        if self.kind not in _KINDS:
            raise HeaderError(f"header kind {self.kind} is not known")
        if self.count < 1 or self.index >= self.count:
            raise HeaderError(f"burst {self.index} of {self.count} is impossible")
        if self.symbols < 1:
            raise HeaderError("a burst carries at least one symbol")
        if self.kind == BurstKind.ANALOG and self.mcs != 0:
            raise HeaderError(f"an analog burst has mcs 0, not {self.mcs}")
        object.__setattr__(self, "kind", _KINDS[self.kind])

    def pack(self) -> bytes:
        """The fields as 10 bytes, big-endian, six zero bits first; without the CRC."""
        value = 0
        for name, width in _WIDTHS.items():
            value = value << width | getattr(self, name)
        return value.to_bytes(_PACKED_BYTES, "big")

    @classmethod
    def unpack(cls, data: bytes) -> "BurstHeader":
        """The header in 10 bytes from `pack`.

        Raises:
            HeaderError: the length is wrong, a spare bit is set, or a field is out of its range.
        """
        if len(data) != _PACKED_BYTES:
            raise HeaderError(f"a header has {_PACKED_BYTES} bytes, not {len(data)}")
        value = int.from_bytes(data, "big")
        if value >> _FIELD_BITS:
            raise HeaderError("spare bits of the header are set")
        # Past the constructor, which would ask again whether each field fits its width.
        header = object.__new__(cls)
        for name, shift, mask in _PLACES:
            object.__setattr__(header, name, value >> shift & mask)
        header._check()
        return header


def header_symbols(header: BurstHeader) -> np.ndarray:
    """The header as sent: complex64[288], BPSK of power 1."""
    packed = header.pack()
    word = packed + crc16(packed).to_bytes(_CRC_BITS // 8, "big")
    bits = np.unpackbits(np.frombuffer(word, np.uint8))[8 * _PACKED_BYTES - _FIELD_BITS :]
    return _coded_symbols(bits ^ _WHITENING)


def _coded_symbols(bits: np.ndarray) -> np.ndarray:
    coded = conv_encode(bits, _INVERSE_RATE)
    return _BPSK[coded[..., _INTERLEAVER]]


def decode_header(symbols: np.ndarray, noise_var: np.ndarray | float) -> BurstHeader | None:
    """The header in equalised symbols, or None where its CRC or a field is wrong.

    Args:
        symbols: complex64[288], as from `header_symbols` plus noise.
        noise_var: float[288] or one value, the variance of that noise (complex).

    Raises:
        ValueError: `symbols` is not of that length.
    """
    symbols = np.asarray(symbols)
    if symbols.shape != (HEADER_SYMBOLS,):
        raise ValueError(f"a header has {HEADER_SYMBOLS} symbols, not {symbols.shape}")
    llr = 4.0 * symbols.real / np.maximum(noise_var, 1e-12)
    return decode_header_llr(llr[None])[0][0]


def decode_header_llr(llr: np.ndarray) -> tuple[list[BurstHeader | None], np.ndarray]:
    """Headers of many bursts at once.

    Args:
        llr: float[bursts, 288] log-likelihood ratios log P(+1)/P(-1), in order of sending.

    Returns:
        the headers, None where the CRC or a field is wrong; and what was sent, if it was this: complex64[bursts, 288].
    """
    ordered = np.empty(llr.shape, np.float32)
    ordered[:, _INTERLEAVER] = llr
    bits = viterbi_decode(ordered, _INVERSE_RATE)
    spare = np.zeros((len(bits), 8 * _PACKED_BYTES - _FIELD_BITS), np.uint8)
    words = np.packbits(np.concatenate([spare, bits ^ _WHITENING], axis=1), axis=1)
    return [_checked(word.tobytes()) for word in words], _coded_symbols(bits)


def _checked(word: bytes) -> BurstHeader | None:
    packed, check = word[:_PACKED_BYTES], int.from_bytes(word[_PACKED_BYTES:], "big")
    if crc16(packed) != check:
        return None
    try:
        return BurstHeader.unpack(packed)
    except HeaderError:
        return None
