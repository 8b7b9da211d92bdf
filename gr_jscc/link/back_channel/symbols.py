"""Received symbols, fed back to the transmitter."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gr_jscc.link.back_channel.message import Message, MessageError, pack_fields, unpack_head
from gr_jscc.link.back_channel.wire import Kind

MAX_SYMBOLS = 8_000_000
#: Formats: number on the wire and bytes a symbol, by name.
FORMATS = {"complex64": (0, 12), "float16": (1, 6), "int8": (2, 3)}
_NAMES = {number: name for name, (number, _) in FORMATS.items()}
_REALS = {"complex64": np.dtype(">f4"), "float16": np.dtype(">f2")}
_HEAD = struct.Struct(">IBBI")
_HALF = np.finfo(np.float16)
# Steps of an int8 format are powers of two, so that what has crossed crosses again unchanged; symbols have power 1.
_LARGEST_STEP = -4  # exponents of two: values to ±7.9,
_LEAST_STEP = -24
_LOST = 255  # code of an infinite noise variance; 0 is that of 0
_OCTAVE = 8  # codes of noise variances, 0.38 dB apart
_ONE = 160  # code of a noise variance of 1


@dataclass(frozen=True, eq=False)
class Symbols(Message):
    """A round's symbols as they arrived.

    Attributes:
        transfer, round: which round.
        symbols: complex64[k], finite; k up to `MAX_SYMBOLS`.
        noise_var: float32[k], of each symbol, at least 0; inf where the symbol was lost.
        format: ``complex64`` (12 bytes a symbol, exact), ``float16`` (6 bytes) or ``int8`` (3 bytes), see `quantise`.

    Example:
        >>> import numpy as np
        >>> sent = Symbols(7, 0, np.ones(5, np.complex64), np.full(5, 0.1, np.float32), format="float16")
        >>> Symbols.unpack(sent.pack()).symbols.shape
        (5,)
    """

    kind: ClassVar[Kind] = Kind.SYMBOLS
    limit: ClassVar[int] = _HEAD.size + FORMATS["complex64"][1] * MAX_SYMBOLS

    transfer: int
    round: int
    symbols: np.ndarray
    noise_var: np.ndarray
    format: str = "complex64"

    def pack(self) -> bytes:
        symbols, noise_var = _checked(self.symbols, self.noise_var, self.format)
        head = pack_fields(_HEAD, self.transfer, self.round, FORMATS[self.format][0], len(symbols))
        return head + _written(symbols, noise_var, self.format)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Symbols:
        (transfer, round_, number, count), rest = unpack_head(_HEAD, data)
        if number not in _NAMES or count > MAX_SYMBOLS:
            raise MessageError(f"{count} symbols in format {number}")
        format = _NAMES[number]
        if len(rest) != FORMATS[format][1] * count + (format == "int8"):
            raise MessageError(f"{len(rest)} bytes for {count} symbols")
        symbols, noise_var = _read(rest, count, format)
        _check(symbols, noise_var)
        return cls(transfer, round_, symbols, noise_var, format)


def quantise(symbols: np.ndarray, noise_var: np.ndarray, format: str) -> tuple[np.ndarray, np.ndarray]:
    """What the other end will hold after unpacking.

    In ``float16`` finite values beyond ±65504 are clipped, and a noise variance that is neither 0 nor inf stays so:
    it is at least 2⁻²⁴. In ``int8`` real and imaginary parts are rounded to multiples of the least power of two that
    brings all of them within ±127, at most 1/16, and clipped to that; noise variances to steps of an eighth octave from
    2⁻¹⁹·⁹ to 2¹¹·⁷.

    Args:
        symbols: complex[k].
        noise_var: real[k].
        format: a name in `FORMATS`.

    Returns:
        complex64[k] and float32[k], copies.

    Raises:
        MessageError: an unknown format, or symbols and variances that `Symbols` cannot carry.
    """
    symbols, noise_var = _checked(symbols, noise_var, format)
    return _read(_written(symbols, noise_var, format), len(symbols), format)


def _checked(symbols: np.ndarray, noise_var: np.ndarray, format: str) -> tuple[np.ndarray, np.ndarray]:
    if format not in FORMATS:
        raise MessageError(f"symbols go as {' or '.join(FORMATS)}, not {format!r}")
    symbols, noise_var = np.array(symbols, np.complex64), np.array(noise_var, np.float32)
    if symbols.ndim != 1 or symbols.shape != noise_var.shape or len(symbols) > MAX_SYMBOLS:
        raise MessageError(f"symbols {symbols.shape} with noise variances {noise_var.shape}")
    _check(symbols, noise_var)
    return symbols, noise_var


def _written(symbols: np.ndarray, noise_var: np.ndarray, format: str) -> bytes:
    """Symbols complex64[k] and noise variances float32[k] as they go on the wire."""
    values = symbols.view(np.float32)
    if format == "int8":
        exponent = _exponent(values)
        steps = np.clip(np.rint(values * np.float32(2.0**-exponent)), -127, 127).astype(np.int8)
        parts = np.array([exponent], np.int8), steps, _codes(noise_var)
    else:
        if format == "float16":
            values = np.clip(values, _HALF.min, _HALF.max)
            special = (noise_var == 0) | np.isinf(noise_var)
            noise_var = np.where(special, noise_var, np.clip(noise_var, _HALF.smallest_subnormal, _HALF.max))
        parts = values.astype(_REALS[format]), noise_var.astype(_REALS[format])
    return b"".join(part.data for part in parts)


def _read(data: bytes | memoryview, count: int, format: str) -> tuple[np.ndarray, np.ndarray]:
    """What `_written` was given, as far as the format tells: complex64[count] and float32[count]."""
    if format == "int8":
        steps = np.frombuffer(data, np.int8, 1 + 2 * count)
        with np.errstate(over="ignore"):  # a step that nobody writes; the check refuses what comes of it
            values = steps[1:] * np.float32(2.0 ** int(steps[0]))
        return values.view(np.complex64), _variances(np.frombuffer(data, np.uint8)[1 + 2 * count :])
    values = np.frombuffer(data, _REALS[format]).astype(np.float32)
    return values[: 2 * count].view(np.complex64), values[2 * count :]


def _exponent(values: np.ndarray) -> int:
    """Of the step in which float32 values fit ±127, as far as steps go."""
    peak = float(np.abs(values).max(initial=0))
    return int(np.clip(math.ceil(math.log2(max(peak, 1e-30) / 127)), _LEAST_STEP, _LARGEST_STEP))


def _codes(noise_var: np.ndarray) -> np.ndarray:
    """uint8 codes of noise variances float32."""
    with np.errstate(divide="ignore"):
        codes = np.clip(np.rint(_OCTAVE * np.log2(noise_var)) + _ONE, 1, _LOST - 1)
    return np.where(noise_var == 0, 0, np.where(np.isinf(noise_var), _LOST, codes)).astype(np.uint8)


def _variances(codes: np.ndarray) -> np.ndarray:
    """float32 noise variances behind uint8 codes."""
    table = np.exp2((np.arange(256) - _ONE) / _OCTAVE).astype(np.float32)
    table[0], table[_LOST] = 0, np.inf
    return table[codes]


def _check(symbols: np.ndarray, noise_var: np.ndarray) -> None:
    if not np.isfinite(symbols.view(np.float32)).all() or not (noise_var >= 0).all():
        raise MessageError("symbols must be finite and noise variances at least 0")
