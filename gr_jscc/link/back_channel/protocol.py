"""How the two ends find, keep and refuse each other, without sockets: frames in, frames and events out."""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from gr_jscc.link.back_channel.delivery import Inbox, Outbox
from gr_jscc.link.back_channel.hello import Hello, mismatch
from gr_jscc.link.back_channel.message import Message, MessageError
from gr_jscc.link.back_channel.messages import DELIVERED, Refused
from gr_jscc.link.back_channel.state import Connected, Disconnected, RefusedPeer, State, Statistics
from gr_jscc.link.back_channel.wire import VERSION, Frame, Kind, OtherVersionError, WireError, decode, encode

HEARTBEAT = 1.0  # seconds from one to the next, and between attempts to be heard
SILENCE = 3.0  # seconds without a sign of life after which a peer counts as gone
PAST_SESSIONS = 1024
TOLD_LINES = 16

_COUNT = struct.Struct(">I")
_ACK = struct.Struct(">QI")
_LIMITS = {kind: cls.limit for kind, cls in DELIVERED.items()}

#: A connection, as the socket names it: a ROUTER's routing id, or empty at the end that connects.
Connection = bytes


@dataclass
class _Link:
    """The peer's connection."""

    connection: Connection
    session: int
    hello: Hello
    heard: float


class Protocol:
    """One end. Not safe for threads.

    A peer is adopted by its hello. A connection takes another's place only when the other is closed or silent, and a
    session that was replaced never returns, so that replays of a dead process change nothing.

    Args:
        hello: what to say of this end; the receiver listens, the transmitter connects. May be replaced later.
        transmit: sends a frame to a connection; False when that connection is no more.
        clock: seconds, monotonic.
        session: random number of this process.

    Attributes:
        events: messages and states to hand on, in order.
        connected: whether there is a peer, heard within the last `SILENCE` seconds.

    Example:
        >>> hello = Hello("transmitter", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> Protocol(hello, transmit=lambda connection, data: print(decode(data).kind.name) is None).tick()
        HELLO
    """

    def __init__(
        self,
        hello: Hello,
        transmit: Callable[[Connection, bytes], bool],
        clock: Callable[[], float] = time.monotonic,
        session: int | None = None,
    ) -> None:
        hello.pack()  # raises now what it would raise later
        self.hello = hello
        self.events: deque[Message | State] = deque()
        self.connected = False
        self._listens = hello.role == "receiver"
        self._transmit = transmit
        self._clock = clock
        self._session = secrets.randbits(64) if session is None else session
        self._statistics = Statistics()
        self._outbox = Outbox(self._session, clock)
        self._inbox = Inbox(_LIMITS)
        self._link: _Link | None = None
        self._peer_session: int | None = None
        self._peer_restarted = False  # since it was last told of
        self._peer_beats = 0  # number of its last heartbeat
        self._past: deque[int] = deque(maxlen=PAST_SESSIONS)
        self._told: set[str] = set()
        self._heard = clock()  # last sign of life, or the start
        self._missed = False  # whether the peer's absence was told
        self._beats = 0
        self._next_beat = 0.0

    @property
    def peer(self) -> Hello | None:
        """What the peer says of itself; None when there is none."""
        return self._link.hello if self._link is not None and self.connected else None

    @property
    def waiting(self) -> int:
        """Messages that the peer has not acknowledged."""
        return len(self._outbox)

    def statistics(self) -> Statistics:
        """A copy of the counters."""
        return replace(
            self._statistics,
            retransmissions=self._outbox.retransmissions,
            duplicates=self._inbox.duplicates,
            gaps=self._inbox.gaps,
            malformed=self._statistics.malformed + self._inbox.malformed,
        )

    def send(self, message: Message) -> bool:
        """Queues a message; False when the queue is full.

        Raises:
            MessageError: a message that cannot be packed.
        """
        taken = self._outbox.add(message.kind, message.pack())
        self._statistics.messages_sent += taken
        self._statistics.dropped += not taken
        return taken

    def opened(self) -> None:
        """The connecting end has a new connection."""
        self._unlink()
        self._greet(b"")

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        if self._link is not None and self._link.connection == connection:
            self._unlink()

    def turned_away(self, line: str, sure: bool = True) -> None:
        """The socket refused a stranger, or was refused; or it seems so."""
        self._statistics.refused += 1
        self._tell(line, sure)

    def received(self, connection: Connection, data: bytes) -> None:
        """Takes one ZMQ message, whatever it is."""
        self._statistics.bytes_received += len(data)
        try:
            frame = decode(data)
            if frame.kind == Kind.HELLO:
                self._take_hello(connection, frame)
            elif frame.kind == Kind.REFUSED and not self._listens:
                self._take_refusal(frame)
            elif not self._is_peer(connection, frame):
                self._statistics.foreign += 1
            elif frame.kind == Kind.REFUSED:
                self._take_refusal(frame)
            elif frame.kind == Kind.HEARTBEAT:
                self._take_heartbeat(frame)
            elif frame.kind == Kind.ACK:
                self._take_ack(frame)
            else:
                self._take_message(frame)
        except OtherVersionError as error:
            self._take_other_version(connection, error.version)
        except (WireError, MessageError):
            self._statistics.malformed += 1

    def tick(self) -> None:
        """Sends what is due: greetings, heartbeats, messages, acknowledgements; notices silence."""
        now = self._clock()
        if now - self._heard >= SILENCE:
            self._miss(now)
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            if self._link is not None:
                self._beat(self._link.connection)
            if not self.connected and not self._listens:
                self._greet(b"")
        if self.connected:
            for data in self._outbox.due():
                if self._link is None or not self._pass_on(self._link.connection, data):
                    break
        if self._link is not None and self._inbox.owes_ack:  # after the answer, which is waited for
            self._inbox.owes_ack = False
            self._send(self._link.connection, Kind.ACK, _ACK.pack(self._link.session, self._inbox.expected))

    def idle_seconds(self) -> float:
        """How long nothing needs to be done, unless something arrives or is sent."""
        times = [self._next_beat]
        if self.connected:
            times.append(self._outbox.expires())
        if not self._missed:
            times.append(self._heard + SILENCE)
        return max(0.0, min(times) - self._clock())

    # ------------------------------------------------------------------------------------------------- what arrives

    def _is_peer(self, connection: Connection, frame: Frame) -> bool:
        link = self._link
        return link is not None and link.connection == connection and link.session == frame.session

    def _take_hello(self, connection: Connection, frame: Frame) -> None:
        hello = Hello.unpack(frame.body)
        if line := mismatch(self.hello, hello):
            if self._is_peer(connection, frame):
                self._unlink()
            self._refuse(connection, line)
        elif frame.session in self._past:
            self._statistics.foreign += 1
            if self._listens:
                self._refuse(connection, f"another {hello.role} replaced this one; restart it")
        elif self._is_peer(connection, frame):
            self._link.hello = hello
            if self._listens:
                self._greet(connection)
        elif self._link is None or not self._lives(self._link):
            self._adopt(connection, frame, hello)
        elif frame.session != self._link.session and connection != self._link.connection:
            self._refuse(connection, f"the {self.hello.role} is busy with another {hello.role}")
        else:  # nobody's, or the same process on a new connection while the first seems to live: it will ask again
            self._statistics.foreign += 1

    def _lives(self, link: _Link) -> bool:
        """Whether a connection was heard of lately and still stands."""
        return self._clock() - link.heard < SILENCE and self._beat(link.connection)

    def _adopt(self, connection: Connection, frame: Frame, hello: Hello) -> None:
        self._unlink()
        if frame.session == self._peer_session:
            self._outbox.resume()
        else:
            if self._peer_session is not None:
                self._past.append(self._peer_session)
                self._peer_restarted = True
            self._peer_beats = 0
            self._inbox.restart(frame.sequence)
            self._outbox.restart()
        self._statistics.reconnections += self._peer_session is not None
        self._peer_session = frame.session
        self._link = _Link(connection, frame.session, hello, self._clock())
        self._told.clear()
        if self._listens:
            self._greet(connection)
        if self._link is not None:  # else the connection ended before it was answered
            self._live()

    def _take_other_version(self, connection: Connection, version: int) -> None:
        mine, theirs = self.hello.role, _other(self.hello.role)
        line = f"the {theirs} speaks version {version} of the back-channel, the {mine} version {VERSION}"
        if self._listens:
            self._refuse(connection, line)
        else:  # no answer to what may be an answer
            self.turned_away(line)

    def _take_refusal(self, frame: Frame) -> None:
        refused = Refused.unpack(frame.body)
        self._unlink()
        self.turned_away(refused.text)

    def _take_heartbeat(self, frame: Frame) -> None:
        if len(frame.body) != _COUNT.size:
            raise MessageError("no heartbeat")
        (beats,) = _COUNT.unpack(frame.body)
        if beats > self._peer_beats:
            self._peer_beats = beats
            self._live()

    def _take_ack(self, frame: Frame) -> None:
        if len(frame.body) != _ACK.size:
            raise MessageError("no acknowledgement")
        session, next_ = _ACK.unpack(frame.body)
        if session == self._session and self._outbox.acknowledge(next_):
            self._live()

    def _take_message(self, frame: Frame) -> None:
        expected = self._inbox.expected
        whole = self._inbox.take(frame)
        if self._inbox.expected != expected:
            self._live()
        if whole is not None:
            kind, body = whole
            self.events.append(DELIVERED[kind].unpack(body))
            self._statistics.messages_received += 1

    # --------------------------------------------------------------------------------------------------- the peer

    def _live(self) -> None:
        """The peer gave a sign of life that cannot be a replay."""
        self._link.heard = self._heard = self._clock()
        if not self.connected:
            self.connected, self._missed = True, False
            self._outbox.resume()
            self._next_beat = self._heard  # a hello may be a replay: the peer waits for more than that
            self.events.append(Connected(self._link.hello, self._peer_restarted))
            self._peer_restarted = False

    def _unlink(self) -> None:
        self._link = None
        if self.connected:
            self._miss(self._clock())

    def _miss(self, now: float) -> None:
        self.connected = False
        if not self._missed:
            self._missed = True
            self.events.append(Disconnected(now - self._heard))

    def _refuse(self, connection: Connection, line: str) -> None:
        self._send(connection, Kind.REFUSED, Refused(line).pack())
        self.turned_away(line)

    def _tell(self, line: str, sure: bool = True) -> None:
        # Attempts are repeated every second and a stranger can make up as many lines as he likes.
        if line not in self._told and len(self._told) < TOLD_LINES:
            self._told.add(line)
            self.events.append(RefusedPeer(line, sure))

    # ----------------------------------------------------------------------------------------------- what is sent

    def _greet(self, connection: Connection) -> None:
        self._send(connection, Kind.HELLO, self.hello.pack(), self._outbox.base)

    def _beat(self, connection: Connection) -> bool:
        self._beats += 1
        return self._send(connection, Kind.HEARTBEAT, _COUNT.pack(self._beats))

    def _send(self, connection: Connection, kind: Kind, body: bytes, sequence: int = 0) -> bool:
        return self._pass_on(connection, encode(kind, self._session, sequence, body))

    def _pass_on(self, connection: Connection, data: bytes) -> bool:
        sent = self._transmit(connection, data)
        if sent:
            self._statistics.bytes_sent += len(data)
        else:
            self.closed(connection)
        return sent


def _other(role: str) -> str:
    return "transmitter" if role == "receiver" else "receiver"
