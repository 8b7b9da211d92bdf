"""The side information of a round of HJSCC over hyperlatents: what follows from nothing that both ends have.

    CRC-24 | round, kind | power scale | threshold | hash of what arrived | hash of what is sent | quality

The check covers the picture's size too. The quality is in the first round, and in one that is sent without knowing what
arrived.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.side_info_check import protect, unprotect

_FIXED = struct.Struct(">BBHHB")
_BLIND = 0x80
THRESHOLD_STEPS, THRESHOLD_CODES = 1024, 1 << 16  # codes per octave, from 2^-32 to 2^32


@dataclass(frozen=True)
class RoundSideInfo:
    """What a receiver must know of a round.

    Attributes:
        number: of the round, from 0, the hyperlatents'.
        blind: whether it was sent without knowing what had arrived of those before.
        scale: code of the power scale, 0 to 255.
        threshold: code, see `threshold_of`; of no meaning in the first round.
        state: hash, 0 to 65535, of what the transmitter takes the receiver to have heard.
        mask: hash, 0 to 255, of what is sent.
        quality: code, 0 to 255, in the first round and in blind ones.

    Example:
        >>> side = RoundSideInfo(1, False, scale=120, threshold=32_000, state=7, mask=9)
        >>> unpack(pack(side, 32, 32), 32, 32) == side
        True
    """

    number: int
    blind: bool
    scale: int
    threshold: int
    state: int
    mask: int
    quality: int = 0


def threshold_code(threshold: float) -> int:
    """The code of the least threshold that can be told and is no lower."""
    code = np.ceil((np.log2(max(threshold, 1e-9)) + THRESHOLD_CODES / THRESHOLD_STEPS / 2) * THRESHOLD_STEPS)
    return int(np.clip(code, 0, THRESHOLD_CODES - 1))


def threshold_of(code: int) -> float:
    """The threshold behind a code."""
    return 2.0 ** ((code - THRESHOLD_CODES // 2) / THRESHOLD_STEPS)


def pack(side: RoundSideInfo, height: int, width: int) -> bytes:
    """Bytes for a picture of height × width pixels."""
    kind = side.number | (_BLIND if side.blind else 0)
    fixed = _FIXED.pack(kind, side.scale, side.threshold, side.state, side.mask)
    return protect(fixed + (bytes([side.quality]) if _has_quality(side.number, side.blind) else b""), height, width)


def unpack(data: bytes, height: int, width: int) -> RoundSideInfo:
    """What `pack` was given.

    Args:
        data: the bytes.
        height, width: of the picture, pixels.

    Raises:
        CodingError: damaged, or of another picture.
    """
    body = unprotect(data, height, width, at_least=_FIXED.size)
    kind, *others = _FIXED.unpack(body[: _FIXED.size])
    number, blind, rest = kind & ~_BLIND, bool(kind & _BLIND), body[_FIXED.size :]
    if len(rest) != _has_quality(number, blind):
        raise CodingError("side information of another kind")
    return RoundSideInfo(number, blind, *others, *rest)


def _has_quality(number: int, blind: bool) -> bool:
    return blind or not number
