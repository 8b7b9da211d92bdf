"""Received symbols, fed back to the transmitter."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .message import Message, MessageError, pack_fields, unpack_head
from .wire import Kind

MAX_SYMBOLS = 8_000_000
#: Formats: type of a real number on the wire, by number and name.
_FORMATS = {"complex64": (0, np.dtype(">f4")), "float16": (1, np.dtype(">f2"))}
_NAMES = {number: name for name, (number, _) in _FORMATS.items()}
_HEAD = struct.Struct(">HBBI")
_HALF = np.finfo(np.float16)


@dataclass(frozen=True, eq=False)
class Symbols(Message):
    """A round's symbols as they arrived.

    Attributes:
        transfer, round: which round.
        symbols: complex64[k], finite; k up to `MAX_SYMBOLS`.
        noise_var: float32[k], of each symbol, at least 0; inf where the symbol was lost.
        format: ``complex64`` (12 bytes a symbol, exact) or ``float16`` (6 bytes, see `quantise`).
    """

    kind: ClassVar[Kind] = Kind.SYMBOLS
    limit: ClassVar[int] = _HEAD.size + 12 * MAX_SYMBOLS

    transfer: int
    round: int
    symbols: np.ndarray
    noise_var: np.ndarray
    format: str = "complex64"

    def pack(self) -> bytes:
        symbols, noise_var = quantise(self.symbols, self.noise_var, self.format)
        number, real = _FORMATS[self.format]
        head = pack_fields(_HEAD, self.transfer, self.round, number, len(symbols))
        return b"".join((head, symbols.view(np.float32).astype(real).data, noise_var.astype(real).data))

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Symbols:
        (transfer, round_, number, count), rest = unpack_head(_HEAD, data)
        if number not in _NAMES or count > MAX_SYMBOLS:
            raise MessageError(f"{count} symbols in format {number}")
        real = _FORMATS[_NAMES[number]][1]
        if len(rest) != 3 * count * real.itemsize:
            raise MessageError(f"{len(rest)} bytes for {count} symbols")
        values = np.frombuffer(rest, real).astype(np.float32)
        symbols, noise_var = values[: 2 * count].view(np.complex64), values[2 * count :]
        _check(symbols, noise_var)
        return cls(transfer, round_, symbols, noise_var, _NAMES[number])


def quantise(symbols: np.ndarray, noise_var: np.ndarray, format: str) -> tuple[np.ndarray, np.ndarray]:
    """What the other end will hold after unpacking.

    In ``float16`` finite values beyond ±65504 are clipped, and a noise variance that is neither 0 nor inf stays so:
    it is at least 2⁻²⁴.

    Args:
        symbols: complex[k].
        noise_var: real[k].
        format: ``complex64`` or ``float16``.

    Returns:
        complex64[k] and float32[k], copies.

    Raises:
        MessageError: an unknown format, or symbols and variances that `Symbols` cannot carry.
    """
    if format not in _FORMATS:
        raise MessageError(f"symbols go as {' or '.join(_FORMATS)}, not {format!r}")
    symbols, noise_var = np.array(symbols, np.complex64), np.array(noise_var, np.float32)
    if symbols.ndim != 1 or symbols.shape != noise_var.shape or len(symbols) > MAX_SYMBOLS:
        raise MessageError(f"symbols {symbols.shape} with noise variances {noise_var.shape}")
    _check(symbols, noise_var)
    if format == "complex64":
        return symbols, noise_var
    parts = np.clip(symbols.view(np.float32), _HALF.min, _HALF.max).astype(np.float16)
    special = (noise_var == 0) | np.isinf(noise_var)
    clipped = np.clip(noise_var, _HALF.smallest_subnormal, _HALF.max)
    halves = np.where(special, noise_var, clipped).astype(np.float16)
    return parts.astype(np.float32).view(np.complex64), halves.astype(np.float32)


def _check(symbols: np.ndarray, noise_var: np.ndarray) -> None:
    if not np.isfinite(symbols.view(np.float32)).all() or not (noise_var >= 0).all():
        raise MessageError("symbols must be finite and noise variances at least 0")
