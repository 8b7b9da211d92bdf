"""The messages of the back-channel, apart from `Symbols` and `Report`."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gr_jscc.link.back_channel.hello import ID_BYTES, check_bytes
from gr_jscc.link.back_channel.message import (
    Message,
    MessageError,
    check_text,
    pack_fields,
    read_text,
    unpack_bool,
    unpack_fields,
    unpack_head,
)
from gr_jscc.link.back_channel.report import Report
from gr_jscc.link.back_channel.symbols import Symbols
from gr_jscc.link.back_channel.wire import Kind

MAX_BURSTS = 16384
MAX_SIDE_INFO = 1 << 20
MAX_IMAGES = 100_000


@dataclass(frozen=True)
class ChannelState(Message):
    """The channel as the receiver saw it in a round.

    Attributes:
        transfer, round: which round.
        snr_db: Es/N0 per data subcarrier, dB; NaN when unknown.
        cfo: carrier frequency offset, cycles per sample; NaN when unknown.
        evm_db: error vector magnitude, dB; NaN when unknown.
        bursts_received, bursts_sent: of the round, as far as the receiver knows.

    Example:
        >>> state = ChannelState(7, 0, snr_db=12.5, cfo=0.0, evm_db=-20.0, bursts_received=9, bursts_sent=10)
        >>> ChannelState.unpack(state.pack()).snr_db
        12.5
    """

    kind: ClassVar[Kind] = Kind.CHANNEL_STATE
    _layout: ClassVar[struct.Struct] = struct.Struct(">IBfffHH")
    limit: ClassVar[int] = _layout.size

    transfer: int
    round: int
    snr_db: float
    cfo: float
    evm_db: float
    bursts_received: int
    bursts_sent: int

    def pack(self) -> bytes:
        self._check()
        levels = self.snr_db, self.cfo, self.evm_db
        return pack_fields(self._layout, self.transfer, self.round, *levels, self.bursts_received, self.bursts_sent)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> ChannelState:
        state = cls(*unpack_fields(cls._layout, data))
        state._check()
        return state

    def _check(self) -> None:
        if any(math.isinf(value) for value in (self.snr_db, self.cfo, self.evm_db)):
            raise MessageError("an infinite channel state")


@dataclass(frozen=True, eq=False)
class BurstMap(Message):
    """Which bursts of a round arrived.

    Attributes:
        transfer, round: which round.
        manifest: whether the manifest did.
        received: bool[count], count up to `MAX_BURSTS`; of the analog bursts, by index.

    Example:
        >>> import numpy as np
        >>> message = BurstMap(transfer=7, round=0, manifest=True, received=np.array([True, False, True]))
        >>> BurstMap.unpack(message.pack()).received.tolist()
        [True, False, True]
    """

    kind: ClassVar[Kind] = Kind.BURST_MAP
    _head: ClassVar[struct.Struct] = struct.Struct(">IBBH")
    limit: ClassVar[int] = _head.size + MAX_BURSTS // 8

    transfer: int
    round: int
    manifest: bool
    received: np.ndarray

    @property
    def count(self) -> int:
        """Bursts that the map speaks of."""
        return len(self.received)

    def pack(self) -> bytes:
        received = np.asarray(self.received)
        if received.ndim != 1 or received.dtype != bool or len(received) > MAX_BURSTS:
            raise MessageError(f"a burst map must be bool[up to {MAX_BURSTS}]")
        head = pack_fields(self._head, self.transfer, self.round, bool(self.manifest), len(received))
        return head + np.packbits(received).tobytes()

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> BurstMap:
        (transfer, round_, manifest, count), rest = unpack_head(cls._head, data)
        if count > MAX_BURSTS or len(rest) != (count + 7) // 8:
            raise MessageError(f"a map of {count} bursts in {len(rest)} bytes")
        bits = np.unpackbits(np.frombuffer(rest, np.uint8)).astype(bool)
        if bits[count:].any():
            raise MessageError("a burst map with bits beyond its count")
        return cls(transfer, round_, unpack_bool(manifest), bits[:count])


@dataclass(frozen=True)
class SideInfo(Message):
    """A round's manifest, when it does not go over the air; from the transmitter.

    Attributes:
        transfer, round: which round.
        data: up to `MAX_SIDE_INFO` bytes.

    Example:
        >>> SideInfo.unpack(SideInfo(transfer=7, round=0, data=b"size").pack()).data
        b'size'
    """

    kind: ClassVar[Kind] = Kind.SIDE_INFO
    _head: ClassVar[struct.Struct] = struct.Struct(">IB")
    limit: ClassVar[int] = _head.size + MAX_SIDE_INFO

    transfer: int
    round: int
    data: bytes

    def pack(self) -> bytes:
        if len(self.data) > MAX_SIDE_INFO:
            raise MessageError(f"{len(self.data)} bytes of side information; the maximum is {MAX_SIDE_INFO}")
        return pack_fields(self._head, self.transfer, self.round) + self.data

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> SideInfo:
        (transfer, round_), rest = unpack_head(cls._head, data)
        if len(rest) > MAX_SIDE_INFO:
            raise MessageError(f"{len(rest)} bytes of side information; the maximum is {MAX_SIDE_INFO}")
        return cls(transfer, round_, bytes(rest))


@dataclass(frozen=True)
class RoundSent(Message):
    """All bursts of a round have left; from the transmitter.

    Attributes:
        transfer, round: which round.
        attempt: 0 for the round itself, then the number of the repeat.
        last: whether nothing of the round will be sent again, whatever is missing.

    Example:
        >>> RoundSent.unpack(RoundSent(transfer=7, round=0, attempt=1, last=False).pack()).attempt
        1
    """

    kind: ClassVar[Kind] = Kind.ROUND_SENT
    _layout: ClassVar[struct.Struct] = struct.Struct(">IBBB")
    limit: ClassVar[int] = _layout.size

    transfer: int
    round: int
    attempt: int
    last: bool

    def pack(self) -> bytes:
        return pack_fields(self._layout, self.transfer, self.round, self.attempt, bool(self.last))

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> RoundSent:
        transfer, round_, attempt, last = unpack_fields(cls._layout, data)
        return cls(transfer, round_, attempt, unpack_bool(last))


@dataclass(frozen=True)
class Stop(Message):
    """Good enough, no further rounds of this transfer; from the receiver.

    Example:
        >>> Stop.unpack(Stop(transfer=7).pack()).transfer
        7
    """

    kind: ClassVar[Kind] = Kind.STOP
    _layout: ClassVar[struct.Struct] = struct.Struct(">I")
    limit: ClassVar[int] = _layout.size

    transfer: int

    def pack(self) -> bytes:
        return pack_fields(self._layout, self.transfer)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Stop:
        return cls(*unpack_fields(cls._layout, data))


@dataclass(frozen=True)
class Have(Message):
    """The pictures of a run that the receiver already holds, or the next part of them.

    Attributes:
        run: eight bytes, as in `Hello`.
        images: eight bytes each, up to `MAX_IMAGES`; after so many another part follows.

    Example:
        >>> (part,) = Have.parts(run=bytes(8), images=[b"picture1", b"picture2"])
        >>> len(Have.unpack(part.pack()).images), part.is_last
        (2, True)
    """

    kind: ClassVar[Kind] = Kind.HAVE
    _head: ClassVar[struct.Struct] = struct.Struct(">8sI")
    limit: ClassVar[int] = _head.size + ID_BYTES * MAX_IMAGES

    run: bytes
    images: tuple[bytes, ...]

    @classmethod
    def parts(cls, run: bytes, images: Sequence[bytes]) -> list[Have]:
        """As many messages as so many pictures take."""
        return [cls(run, tuple(images[i : i + MAX_IMAGES])) for i in range(0, len(images) + 1, MAX_IMAGES)]

    @property
    def is_last(self) -> bool:
        """Whether no further part follows."""
        return len(self.images) < MAX_IMAGES

    def pack(self) -> bytes:
        if len(self.images) > MAX_IMAGES:
            raise MessageError(f"{len(self.images)} images; the maximum is {MAX_IMAGES}")
        ids = b"".join(check_bytes("an image's name", name, ID_BYTES) for name in self.images)
        return pack_fields(self._head, check_bytes("run", self.run, 8), len(self.images)) + ids

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Have:
        (run, count), rest = unpack_head(cls._head, data)
        if count > MAX_IMAGES or len(rest) != ID_BYTES * count:
            raise MessageError(f"{count} images in {len(rest)} bytes")
        return cls(run, tuple(bytes(rest[i : i + ID_BYTES]) for i in range(0, len(rest), ID_BYTES)))


@dataclass(frozen=True)
class Bye(Message):
    """The orderly end of a run.

    Example:
        >>> Bye.unpack(Bye().pack())
        Bye()
    """

    kind: ClassVar[Kind] = Kind.BYE
    limit: ClassVar[int] = 0

    def pack(self) -> bytes:
        return b""

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Bye:
        if len(data):
            raise MessageError("a farewell must be empty")
        return cls()


@dataclass(frozen=True)
class Refused(Message):
    """Why the sender will not talk to its peer: one line of up to 512 bytes.

    Example:
        >>> Refused.unpack(Refused("both ends are receivers").pack()).text
        'both ends are receivers'
    """

    kind: ClassVar[Kind] = Kind.REFUSED
    limit: ClassVar[int] = 512

    text: str

    def pack(self) -> bytes:
        return check_text("text", self.text, self.limit)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Refused:
        return cls(read_text("text", data, cls.limit))


#: What `delivery` carries, by kind.
DELIVERED: dict[Kind, type[Message]] = {
    cls.kind: cls for cls in (Symbols, ChannelState, BurstMap, SideInfo, RoundSent, Stop, Report, Have, Bye)
}
