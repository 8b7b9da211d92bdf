"""The side information of a round of NTSCC with feedback: what follows from nothing that both ends have.

    CRC-24 | round, kind | power scale | threshold | hash of what arrived | hash of what is sent | quality, hyperlatents

The check covers the picture's size too. Quality and hyperlatents are in the first round, and in one that is sent
without knowing what arrived.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.ntscc.hyper_context_coding import HyperContextCoder
from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder
from gr_jscc.codecs.parts.side_info_check import protect, unprotect
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES

_FIXED = struct.Struct(">BBHHB")
_BLIND = 0x80
THRESHOLD_STEPS, THRESHOLD_CODES = 1024, 1 << 16  # codes per octave, from 2^-32 to 2^32


@dataclass(frozen=True)
class FeedbackSideInfo:
    """What a receiver must know of a round.

    Attributes:
        number: of the round, from 0.
        blind: whether it was sent without knowing what had arrived of those before.
        scale: code of the power scale, 0 to 255.
        threshold: code, see `threshold_of`.
        state: hash, 0 to 65535, of what the transmitter takes the receiver to have heard.
        mask: hash, 0 to 255, of which latents are sent.
        quality: code, 0 to 255, in a round with hyperlatents.
        hyper: int64[Z, h', w'] hyperlatents; None in rounds that need none.

    Example:
        >>> from gr_jscc.codecs.ntscc.hyper_context import HyperContext
        >>> side = FeedbackSideInfo(1, False, scale=120, threshold=32_000, state=7, mask=9)
        >>> coder = HyperContextCoder(HyperContext(channels=1, width=4, inner=4, groups=1))
        >>> unpack(pack(side, coder, 32, 32), coder, 32, 32, hyper_size=(1, 1)) == side
        True
    """

    number: int
    blind: bool
    scale: int
    threshold: int
    state: int
    mask: int
    quality: int = 0
    hyper: np.ndarray | None = None


def threshold_code(threshold: float) -> int:
    """The code of the least threshold that can be told and is no lower."""
    code = np.ceil((np.log2(max(threshold, 1e-9)) + THRESHOLD_CODES / THRESHOLD_STEPS / 2) * THRESHOLD_STEPS)
    return int(np.clip(code, 0, THRESHOLD_CODES - 1))


def threshold_of(code: int) -> float:
    """The threshold behind a code."""
    return 2.0 ** ((code - THRESHOLD_CODES // 2) / THRESHOLD_STEPS)


def pack(side: FeedbackSideInfo, coder: HyperContextCoder, height: int, width: int) -> bytes:
    """Bytes for a picture of height × width pixels."""
    kind = side.number | (_BLIND if side.blind else 0)
    fixed = _FIXED.pack(kind, side.scale, side.threshold, side.state, side.mask)
    if side.hyper is not None:
        encoder = Encoder()
        coder.encode(side.hyper, side.quality / QUALITY_CODES, encoder)
        fixed += bytes([side.quality]) + encoder.bytes()
    return protect(fixed, height, width)


def unpack(
    data: bytes, coder: HyperContextCoder, height: int, width: int, hyper_size: tuple[int, int]
) -> FeedbackSideInfo:
    """What `pack` was given.

    Args:
        data: the bytes.
        coder: of the model.
        height, width: of the picture, pixels.
        hyper_size: rows and columns of the hyperlatents.

    Raises:
        CodingError: damaged, or of another picture.
    """
    body = unprotect(data, height, width, at_least=_FIXED.size)
    kind, scale, threshold, state, mask = _FIXED.unpack(body[: _FIXED.size])
    number, blind, rest = kind & ~_BLIND, bool(kind & _BLIND), body[_FIXED.size :]
    if number and not blind:
        return FeedbackSideInfo(number, blind, scale, threshold, state, mask)
    if len(rest) < 1:
        raise CodingError("side information of another kind")
    hyper = coder.decode(*hyper_size, rest[0] / QUALITY_CODES, Decoder(rest[1:]))
    return FeedbackSideInfo(number, blind, scale, threshold, state, mask, rest[0], hyper)
