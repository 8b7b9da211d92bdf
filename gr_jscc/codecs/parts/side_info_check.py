"""The check of side information whose every bit decides what the rest means: CRC-24, the picture's size with it."""

from __future__ import annotations

import struct
import zlib

from gr_jscc.codecs.parts.entropy_coding import CodingError

CHECK_BYTES = 3


def protect(body: bytes, height: int, width: int) -> bytes:
    """The bytes with their check in front, for a picture of height × width pixels."""
    return _check(body, height, width) + body


def unprotect(data: bytes, height: int, width: int, at_least: int) -> bytes:
    """What `protect` was given.

    Args:
        data: the bytes.
        height, width: of the picture, pixels.
        at_least: bytes without which what was given means nothing.

    Raises:
        CodingError: damaged, too short, or of another picture.
    """
    check, body = data[:CHECK_BYTES], data[CHECK_BYTES:]
    if len(body) < at_least or check != _check(body, height, width):
        raise CodingError("side information is damaged")
    return body


def _check(body: bytes, height: int, width: int) -> bytes:
    return (zlib.crc32(struct.pack(">HH", height, width) + body) & 0xFFFFFF).to_bytes(CHECK_BYTES, "big")
