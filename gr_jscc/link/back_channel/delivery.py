"""At-least-once delivery in order, without sockets.

`Outbox` numbers frames and keeps them until they are acknowledged; `Inbox` takes each of them once and in order, and
puts messages together. Acknowledgements are cumulative, and what is lost is sent again from the first frame that was
not acknowledged on (go-back-N): within one connection TCP loses nothing, so that this happens after reconnections only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from gr_jscc.link.back_channel.wire import HEADER_SIZE, MAX_BODY, SEQUENCES, Frame, Kind, encode

QUEUE_MESSAGES = 4096
QUEUE_BYTES = 256 << 20
WINDOW_FRAMES = 256
WINDOW_BYTES = 4 << 20
FIRST_BACKOFF = 0.2  # seconds
LAST_BACKOFF = 2.0
#: Bytes a second of the slowest network at which a frame still under way is not mistaken for a lost one.
SLOWEST = 100e3


class Outbox:
    """What is to be sent, and what was sent but not yet acknowledged.

    Args:
        session: of this process, in all its frames.
        clock: seconds, monotonic.
        first: sequence number of the first frame.

    Example:
        >>> outbox = Outbox(session=1)
        >>> outbox.add(Kind.STOP, b"body"), len(outbox)
        (True, 1)
        >>> len(list(outbox.due()))  # frames; they stay until they are acknowledged
        1
        >>> outbox.acknowledge(1), len(outbox)
        (True, 0)
    """

    def __init__(self, session: int, clock: Callable[[], float] = time.monotonic, first: int = 0) -> None:
        self.retransmissions = 0
        self.base = first  # sequence of the first frame that is kept
        self._next = first
        self._session = session
        self._clock = clock
        self._frames: deque[tuple[bytes, bool]] = deque()  # from base on, with whether a message ends
        self._messages = 0
        self._bytes = 0
        # Counted from base: acknowledged, sent in this pass, and ever sent to this peer.
        self._acked = self._sent = self._reached = 0
        self._flying = 0  # bytes sent and not acknowledged
        self._backoff = FIRST_BACKOFF
        self._since = 0.0  # last progress, or when the first of those flying left

    def __len__(self) -> int:
        """Messages kept."""
        return self._messages

    def add(self, kind: Kind, body: bytes) -> bool:
        """Queues a message; False, and nothing is queued, when it does not fit."""
        count = max(1, -(-len(body) // MAX_BODY))
        size = len(body) + count * HEADER_SIZE
        if self._messages >= QUEUE_MESSAGES or self._bytes + size > QUEUE_BYTES:
            return False
        view = memoryview(body)
        for i in range(count):
            last = i == count - 1
            part = view[i * MAX_BODY : (i + 1) * MAX_BODY]
            self._frames.append((encode(kind, self._session, self._next, part, not last), last))
            self._next = (self._next + 1) % SEQUENCES
        self._messages += 1
        self._bytes += size
        return True

    def due(self) -> Iterator[bytes]:
        """Frames to send now, within the window; all in flight again once the wait for them is over."""
        now = self._clock()
        if self._flying and now >= self.expires():
            self._backoff = min(2 * self._backoff, LAST_BACKOFF)
            self._go_back()
        while self._sent < len(self._frames) and self._sent - self._acked < WINDOW_FRAMES:
            data, _ = self._frames[self._sent]
            if self._flying and self._flying + len(data) > WINDOW_BYTES:
                break
            if not self._flying:
                self._since = now
            self._flying += len(data)
            self._sent += 1
            self.retransmissions += self._sent <= self._reached
            self._reached = max(self._reached, self._sent)
            yield data

    def expires(self) -> float:
        """Time by which an acknowledgement should have come; inf when none is awaited."""
        if not self._flying:
            return float("inf")
        return self._since + self._backoff + self._flying / SLOWEST

    def acknowledge(self, next_: int) -> bool:
        """Takes the peer's acknowledgement of all frames before ``next_``; whether it says anything new."""
        count = (next_ - self.base) % SEQUENCES
        if not self._acked < count <= self._reached:
            return False
        self._acked, self._sent = count, max(self._sent, count)
        # A message that is acknowledged in part is kept whole: a peer that starts anew needs all of it.
        whole = max((i + 1 for i in range(count) if self._frames[i][1]), default=0)
        for _ in range(whole):
            data, last = self._frames.popleft()
            self._bytes -= len(data)
            self._messages -= last
        self.base = (self.base + whole) % SEQUENCES
        self._acked, self._sent, self._reached = self._acked - whole, self._sent - whole, self._reached - whole
        self._flying = sum(len(self._frames[i][0]) for i in range(self._acked, self._sent))
        self._backoff, self._since = FIRST_BACKOFF, self._clock()
        return True

    def resume(self) -> None:
        """The same peer is back: what it did not acknowledge is sent again at once."""
        self._backoff = FIRST_BACKOFF
        self._go_back()

    def restart(self) -> None:
        """Another process took the peer's place: it knows nothing of what is kept here."""
        self._acked = self._reached = 0
        self.resume()

    def _go_back(self) -> None:
        self._sent, self._flying = self._acked, 0


class Inbox:
    """What arrives of one peer's outbox.

    Args:
        limits: largest body of each kind of message, bytes; others are not taken.

    Example:
        >>> from gr_jscc.link.back_channel.wire import decode
        >>> inbox, frame = Inbox({Kind.STOP: 4}), decode(encode(Kind.STOP, session=1, sequence=0, body=b"body"))
        >>> kind, body = inbox.take(frame)
        >>> kind.name, bytes(body)
        ('STOP', b'body')
        >>> inbox.take(frame), inbox.duplicates  # it may come again
        (None, 1)
    """

    def __init__(self, limits: dict[Kind, int]) -> None:
        self.duplicates = self.gaps = self.malformed = 0
        self.expected = 0
        self.owes_ack = False
        self._limits = limits
        self._parts: list[memoryview] = []
        self._size = 0
        self._kind: Kind | None = None

    def restart(self, expected: int) -> None:
        """A new peer, whose first frame will be number ``expected``."""
        self.expected = expected
        self.owes_ack = False
        self._drop()

    def take(self, frame: Frame) -> tuple[Kind, bytes | memoryview] | None:
        """Takes a frame; the kind and body of the message that it completes, None otherwise."""
        ahead = (frame.sequence - self.expected) % SEQUENCES
        self.owes_ack = True  # for what was received before, too: its acknowledgement may be lost
        if ahead:
            if ahead < SEQUENCES // 2:
                self.gaps += 1
            else:
                self.duplicates += 1
            return None
        self.expected = (self.expected + 1) % SEQUENCES
        if not self._fits(frame):
            self.malformed += 1
            self._drop()
            return None
        self._kind = frame.kind
        self._size += len(frame.body)
        self._parts.append(frame.body)
        if frame.more:
            return None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._drop()
        return frame.kind, body

    def _fits(self, frame: Frame) -> bool:
        if self._kind is not None and frame.kind != self._kind:
            return False
        if frame.more and len(frame.body) != MAX_BODY:  # so that a message cannot have endless parts
            return False
        return self._size + len(frame.body) <= self._limits.get(frame.kind, -1)

    def _drop(self) -> None:
        self._parts, self._size, self._kind = [], 0, None
