"""The frame that crosses the back-channel: one ZMQ message, a fixed header and part of a message's body.

Big-endian: magic, version, kind, more, session, sequence, length, CRC-32 (27 bytes in all). Later versions keep this
layout of the header, so that any two versions can tell each other apart.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"JSCB"
VERSION = 4
#: Largest body of one frame; longer messages take several, so that heartbeats pass between them and no stranger can
#: make this end allocate more.
MAX_BODY = 128 * 1024
SEQUENCES = 1 << 32  # sequence numbers wrap round here

_HEADER = struct.Struct(">4sBBBQII")
_CRC = struct.Struct(">I")
HEADER_SIZE = _HEADER.size + _CRC.size
MAX_FRAME = HEADER_SIZE + MAX_BODY


class Kind(IntEnum):
    """What a frame carries. Those below 16 keep the channel going and are not numbered by `sequence`.

    Example:
        >>> decode(encode(Kind.HEARTBEAT, session=1, sequence=0)).kind
        <Kind.HEARTBEAT: 3>
    """

    HELLO = 1
    REFUSED = 2
    HEARTBEAT = 3
    ACK = 4
    SYMBOLS = 16
    CHANNEL_STATE = 17
    BURST_MAP = 18
    SIDE_INFO = 19
    ROUND_SENT = 20
    STOP = 21
    REPORT = 22
    HAVE = 23
    BYE = 24


_KINDS = {int(kind): kind for kind in Kind}


class WireError(ValueError):
    """Bytes that are no frame of this version.

    Example:
        >>> decode(b"noise")
        Traceback (most recent call last):
            ...
        gr_jscc.link.back_channel.wire.WireError: 5 bytes are not a frame
    """


class OtherVersionError(WireError):
    """A whole frame of another version of the protocol.

    Example:
        >>> head = _HEADER.pack(MAGIC, 9, Kind.HELLO, False, 1, 0, 0)
        >>> decode(head + _CRC.pack(zlib.crc32(head)))
        Traceback (most recent call last):
            ...
        gr_jscc.link.back_channel.wire.OtherVersionError: a frame of version 9
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"a frame of version {version}")
        self.version = version


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        kind: of message.
        more: whether the message goes on in the next frame.
        session: random number of the process that sent it.
        sequence: place among the sender's delivered frames; see `Kind` and `Hello` for the others.
        body: at most `MAX_BODY` bytes.

    Example:
        >>> frame = decode(encode(Kind.STOP, session=1, sequence=5, body=b"body"))
        >>> frame.sequence, frame.more, bytes(frame.body)
        (5, False, b'body')
    """

    kind: Kind
    more: bool
    session: int
    sequence: int
    body: memoryview


def encode(kind: Kind, session: int, sequence: int, body: bytes | memoryview = b"", more: bool = False) -> bytes:
    """One frame as bytes."""
    header = _HEADER.pack(MAGIC, VERSION, kind, more, session, sequence, len(body))
    return b"".join((header, _CRC.pack(zlib.crc32(body, zlib.crc32(header))), body))


def decode(data: bytes) -> Frame:
    """Reads `encode`'s bytes.

    Raises:
        WireError: not exactly one intact frame.
        OtherVersionError: an intact frame of another version.
    """
    if not HEADER_SIZE <= len(data) <= MAX_FRAME:
        raise WireError(f"{len(data)} bytes are not a frame")
    magic, version, kind, more, session, sequence, length = _HEADER.unpack_from(data)
    if magic != MAGIC or length != len(data) - HEADER_SIZE:
        raise WireError("not a back-channel frame")
    view = memoryview(data)
    if zlib.crc32(view[HEADER_SIZE:], zlib.crc32(view[: _HEADER.size])) != _CRC.unpack_from(data, _HEADER.size)[0]:
        raise WireError("damaged")
    if version != VERSION:
        raise OtherVersionError(version)
    if kind not in _KINDS or more > 1:
        raise WireError(f"unknown kind of frame {kind}")
    return Frame(_KINDS[kind], bool(more), session, sequence, view[HEADER_SIZE:])
