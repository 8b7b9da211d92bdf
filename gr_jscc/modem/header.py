"""The header of a burst: what it holds. How it is protected on the air is in `header_code`.

The place of the version stays as it is in later versions, so that each end can tell when it hears bursts of another
one.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit

from gr_jscc.modem.constellation import demap_symbols
from gr_jscc.modem.header_code import FIELD_BYTES, HEADER_SYMBOLS, coded_symbols, decoded_words, with_check
from gr_jscc.modem.version import VERSION

__all__ = [
    "HEADER_SYMBOLS",
    "MAX_BURSTS",
    "MAX_ROUND",
    "MAX_SYMBOLS",
    "MAX_TRANSFER",
    "BurstHeader",
    "BurstHeaders",
    "BurstKind",
    "HeaderError",
    "decode_header",
    "decode_header_llr",
    "header_symbols",
    "headers_as_sent",
]

# The version's last two bits; 0 for analog symbols, else 1 + mcs; and what there is at least one of, less 1.
_WIDTHS = {"version": 2, "scheme": 4, "transfer": 18, "round": 6, "index": 14, "count": 14, "symbols": 14}
# Name, bits to its right, and mask of each field.
_PLACES = tuple(
    (name, sum(list(_WIDTHS.values())[place + 1 :]), (1 << width) - 1)
    for place, (name, width) in enumerate(_WIDTHS.items())
)
_SCHEME = ((1 << _WIDTHS["scheme"]) - 1) << (8 - _WIDTHS["version"] - _WIDTHS["scheme"])  # its bits of the first byte
_INDEX, _COUNT, _SYMBOLS = (place[1:] for place in _PLACES[-3:])
_VERSION_FIELD = VERSION % (1 << _WIDTHS["version"])
_VERSION_SHIFT = 8 - _WIDTHS["version"]  # of the first byte

#: The largest values that the fields can state.
MAX_TRANSFER = (1 << _WIDTHS["transfer"]) - 1
MAX_ROUND = (1 << _WIDTHS["round"]) - 1
MAX_BURSTS = 1 << _WIDTHS["count"]
MAX_SYMBOLS = 1 << _WIDTHS["symbols"]
_MAX_MCS = (1 << _WIDTHS["scheme"]) - 2
# Least and largest value of each of a header's attributes but the version.
_RANGES = {
    "mcs": (0, _MAX_MCS),
    "transfer": (0, MAX_TRANSFER),
    "round": (0, MAX_ROUND),
    "index": (0, MAX_BURSTS - 1),
    "count": (1, MAX_BURSTS),
    "symbols": (1, MAX_SYMBOLS),
}


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
        count: bursts of the round, 1 to 16384.
        symbols: complex payload symbols of this burst, 1 to 16384.
        mcs: modulation and coding of a digital payload, 0 to 14; 0 for analog.

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

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or not least <= value <= most:
                raise HeaderError(f"header field {name} must be a whole number from {least} to {most}, not {value!r}")
            object.__setattr__(self, name, int(value))
        if self.kind not in _KINDS:
            raise HeaderError(f"header kind {self.kind} is not known")
        object.__setattr__(self, "kind", _KINDS[self.kind])
        if self.kind == BurstKind.ANALOG and self.mcs != 0:
            raise HeaderError(f"an analog burst has mcs 0, not {self.mcs}")
        self._check()

    def _check(self) -> None:
        """What the widths of the fields do not ensure."""
        if self.index >= self.count:
            raise HeaderError(f"burst {self.index} of {self.count} is impossible")

    def pack(self) -> bytes:
        """The fields as 9 bytes, big-endian; without the CRC."""
        if (packed := vars(self).get("_packed")) is not None:
            return packed
        scheme = 0 if self.kind == BurstKind.ANALOG else 1 + self.mcs
        fields = _VERSION_FIELD, scheme, self.transfer, self.round, self.index, self.count - 1, self.symbols - 1
        value = 0
        for (_, shift, _), field in zip(_PLACES, fields):
            value |= field << shift
        return value.to_bytes(FIELD_BYTES, "big")

    @classmethod
    def unpack(cls, data: bytes) -> "BurstHeader":
        """The header in 9 bytes from `pack`.

        Raises:
            HeaderError: the length is wrong, it is of another version, or a field is out of its range.
        """
        if len(data) != FIELD_BYTES:
            raise HeaderError(f"a header has {FIELD_BYTES} bytes, not {len(data)}")
        if data[0] >> _VERSION_SHIFT != _VERSION_FIELD:  # in whose terms alone the fields mean anything
            raise HeaderError(f"a header of another version than {VERSION}")
        value = int.from_bytes(data, "big")
        fields = {name: value >> shift & mask for name, shift, mask in _PLACES}
        scheme = fields.pop("scheme")
        del fields["version"]
        fields["kind"], fields["mcs"] = (BurstKind.DIGITAL, scheme - 1) if scheme else (BurstKind.ANALOG, 0)
        fields["count"], fields["symbols"] = fields["count"] + 1, fields["symbols"] + 1
        # Past the constructor, which would ask again whether each value is in its range.
        header = object.__new__(cls)
        vars(header).update(fields, _packed=bytes(data))
        header._check()
        return header


@dataclass(frozen=True)
class BurstHeaders:
    """Headers of many bursts as arrays, for where an object for each would take longer than its burst.

    Attributes:
        packed: uint8[n, 9], each as from `BurstHeader.pack`.
        symbols: int64[n], payload symbols.
        analog: bool[n], the kind.

    Example:
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=5, round=0, index=1, count=4, symbols=2400)
        >>> headers = BurstHeaders.unpack(header.pack() * 2)
        >>> headers.symbols.tolist(), headers.analog.tolist(), headers.last == header
        ([2400, 2400], [True, True], True)
    """

    packed: np.ndarray
    symbols: np.ndarray
    analog: np.ndarray

    @classmethod
    def unpack(cls, data: bytes) -> "BurstHeaders":
        """Headers of 9 bytes each, one after the other.

        Raises:
            HeaderError: as `BurstHeader.unpack`, of any of them.
        """
        if len(data) % FIELD_BYTES:
            raise HeaderError(f"headers have {FIELD_BYTES} bytes each, not {len(data)} in all")
        packed = np.frombuffer(data, np.uint8).reshape(-1, FIELD_BYTES)
        symbols, analog, wrong = _fields(packed, _VERSION_FIELD)
        if wrong.any():
            BurstHeader.unpack(packed[wrong][0].tobytes())  # says what is wrong
        return cls(packed, symbols, analog)

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, part: slice) -> "BurstHeaders":
        return BurstHeaders(self.packed[part], self.symbols[part], self.analog[part])

    @property
    def last(self) -> BurstHeader:
        """The last of them."""
        return BurstHeader.unpack(self.packed[-1].tobytes())


@njit(cache=True, nogil=True)
def _fields(packed, ours):
    """Payload symbols of headers uint8[n, 9], int64[n]; which are analog, bool[n]; and which no transmitter of the
    version `ours` can have sent, bool[n]."""
    symbols, analog = np.empty(len(packed), np.int64), np.empty(len(packed), np.bool_)
    wrong = np.empty(len(packed), np.bool_)
    for number in range(len(packed)):
        value = 0
        for byte in packed[number, 1:]:
            value = value << 8 | byte
        symbols[number] = (value >> _SYMBOLS[0] & _SYMBOLS[1]) + 1
        analog[number] = packed[number, 0] & _SCHEME == 0
        late = value >> _INDEX[0] & _INDEX[1] > value >> _COUNT[0] & _COUNT[1]  # the field of the count is 1 less
        wrong[number] = late or packed[number, 0] >> _VERSION_SHIFT != ours
    return symbols, analog, wrong


def header_symbols(header: BurstHeader) -> np.ndarray:
    """The header as sent: complex64[240], QPSK of power 1."""
    return headers_as_sent(BurstHeaders.unpack(header.pack()))[0]


def headers_as_sent(headers: BurstHeaders) -> np.ndarray:
    """Headers as sent: complex64[n, 240], QPSK of power 1."""
    return coded_symbols(with_check(headers.packed))


def decode_header(symbols: np.ndarray, noise_var: np.ndarray | float) -> BurstHeader | None:
    """The header in equalised symbols, or None where its CRC or a field is wrong.

    Args:
        symbols: complex64[240], as from `header_symbols` plus noise.
        noise_var: float[240] or one value, the variance of that noise (complex).

    Raises:
        ValueError: `symbols` is not of that length.
    """
    symbols = np.asarray(symbols)
    if symbols.shape != (HEADER_SYMBOLS,):
        raise ValueError(f"a header has {HEADER_SYMBOLS} symbols, not {symbols.shape}")
    llr = demap_symbols(symbols, noise_var, 2)
    return decode_header_llr(llr[None])[0][0]


def decode_header_llr(llr: np.ndarray) -> tuple[list[BurstHeader | None], np.ndarray, np.ndarray]:
    """Headers of many bursts at once.

    Args:
        llr: float[bursts, 480] log-likelihood ratios log P(0)/P(1), in order of sending: of each symbol's real part,
            then of its imaginary part. Values that are not finite count as erased.

    Returns:
        the headers, None where the CRC or a field is wrong; what was sent, if it was this: complex64[bursts, 240]; and
        which are sound but of another version: bool[bursts].
    """
    words, sound = decoded_words(llr)
    headers: list[BurstHeader | None] = [None] * len(words)
    foreign = sound & (words[:, 0] >> _VERSION_SHIFT != _VERSION_FIELD)
    fields = words[:, :FIELD_BYTES].tobytes()
    for row in np.flatnonzero(sound).tolist():
        try:
            headers[row] = BurstHeader.unpack(fields[row * FIELD_BYTES : (row + 1) * FIELD_BYTES])
        except HeaderError:
            continue
    return headers, coded_symbols(words), foreign
