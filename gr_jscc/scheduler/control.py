"""What the encoder, the decoder and the sinks exchange with `back_channel`.

Pairs (name . u8vector): a message of `gr_jscc.link.back_channel` by its kind, with its packed body; or an `Opening` or
a `Connection`, with a dictionary instead of a name.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import pmt

from gr_jscc.link.back_channel import Message, Report
from gr_jscc.link.back_channel.messages import DELIVERED
from gr_jscc.link.back_channel.wire import Kind
from gr_jscc.scheduler.tags import bytes_of_u8vector, message_fields, notice, u8vector_of_bytes


@dataclass(frozen=True)
class Opening:
    """What an end of the link says of itself when it starts.

    Attributes:
        role: ``transmitter`` or ``receiver``.
        codec, weights: names.
        weights_hash: four bytes.
        run: eight bytes.
        session: the transmitter's on the air, see `gr_jscc.link.session.Session.word`.
        air_key: its key, sixteen bytes.
        is_stream: whether it sends or shows frames, of which none is waited for, instead of storing pictures.

    Example:
        >>> opening = Opening("receiver", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> read_control(control_message(opening)) == opening
        True
    """

    role: str
    codec: str
    weights: str
    weights_hash: bytes
    run: bytes = bytes(8)
    session: int = 0
    air_key: bytes = bytes(16)
    is_stream: bool = False


@dataclass(frozen=True)
class Connection:
    """The back-channel came or went.

    Attributes:
        connected: whether it is there.
        restarted: whether the peer is another process than before, which knows nothing.
        run: the peer's, eight bytes; zeros when it has none.
        session: a transmitter's on the air, see `gr_jscc.link.session.Session.word`.
        air_key: its key, sixteen bytes; zeros where nothing is encrypted.
        encrypted: whether the back-channel is.

    Example:
        >>> read_control(control_message(Connection(connected=True, restarted=True))).restarted
        True
    """

    connected: bool
    restarted: bool = False
    run: bytes = bytes(8)
    session: int = 0
    air_key: bytes = bytes(16)
    encrypted: bool = False


_CLASSES = {cls.__name__: cls for cls in (Opening, Connection)}


def control_message(content: Message | Opening | Connection) -> pmt.pmt_base:
    """The content as a GNU Radio message."""
    if isinstance(content, Message):
        return pmt.cons(pmt.intern(content.kind.name), u8vector_of_bytes(content.pack()))
    fields = {key: v.hex() if isinstance(v, bytes) else v for key, v in dataclasses.asdict(content).items()}
    return notice(**{"class": type(content).__name__, **fields})


def read_control(message: pmt.pmt_base) -> Message | Opening | Connection:
    """Undoes `control_message`.

    Raises:
        ValueError: anything else.
    """
    if not pmt.is_pair(message):
        raise ValueError("a back-channel's message must be a pair")
    head, data = pmt.car(message), pmt.cdr(message)
    if pmt.is_symbol(head):
        try:
            cls = DELIVERED[Kind[pmt.symbol_to_string(head)]]
        except KeyError:
            raise ValueError(f"unknown message {pmt.symbol_to_string(head)}") from None
        return cls.unpack(bytes_of_u8vector(data))
    fields = message_fields(message)
    cls = _CLASSES[fields.pop("class")]
    binary = {"weights_hash", "run", "air_key"}
    return cls(**{key: bytes.fromhex(v) if key in binary else v for key, v in fields.items()})


class SignsOfLife:
    """Reports to the transmitter, every now and then, that what it sent is being worked on, however long that takes.

    Args:
        send: hands a message to the back-channel.
        clock: seconds.

    Example:
        >>> now, sent = 0.0, []
        >>> signs = SignsOfLife(sent.append, clock=lambda: now)
        >>> now = 3.0
        >>> signs.give(transfer=7)
        >>> signs.give(transfer=7)  # too soon after the other
        >>> [report.content for report in sent]
        [{'event': 'working'}]
    """

    SECONDS = 2.0  # between two of them

    def __init__(self, send: Callable[[Message], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._send, self._clock = send, clock
        self._told_at = clock()

    def give(self, transfer: int) -> None:
        """Reports that there is work on a transfer, unless that was said lately."""
        if self._clock() - self._told_at > self.SECONDS:
            self._told_at = self._clock()
            self._send(Report(transfer, {"event": "working"}))
