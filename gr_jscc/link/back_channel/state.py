"""What a back-channel tells of its peer, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from gr_jscc.link.back_channel.hello import Hello


@dataclass(frozen=True)
class Connected:
    """The peer is there, for the first time or again.

    Attributes:
        peer: what it says of itself.
        restarted: whether it is another process than before.

    Example:
        >>> peer = Hello("receiver", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> Connected(peer).restarted
        False
    """

    peer: Hello
    restarted: bool = False


@dataclass(frozen=True)
class Disconnected:
    """Nothing has been heard of the peer for so many seconds, or its connection has ended.

    Example:
        >>> Disconnected(seconds=3.0)
        Disconnected(seconds=3.0)
    """

    seconds: float


@dataclass(frozen=True)
class RefusedPeer:
    """The two ends do not fit, or a stranger was turned away.

    Attributes:
        line: why, for a person.
        sure: whether it is known; else it is tried again, and may be nothing worse than a tunnel without a far end.

    Example:
        >>> from gr_jscc.link.back_channel.protocol import Protocol
        >>> hello = Hello("receiver", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> end = Protocol(hello, transmit=lambda connection, data: True)
        >>> end.turned_away("another key than the transmitter's")
        >>> end.events[0]
        RefusedPeer(line="another key than the transmitter's", sure=True)
    """

    line: str
    sure: bool = True


State = Connected | Disconnected | RefusedPeer


@dataclass
class Statistics:
    """What crossed the back-channel since its start.

    Attributes:
        messages_sent, messages_received: accepted by `send`, and delivered.
        bytes_sent, bytes_received: in all frames, with headers, acknowledgements and repeats.
        retransmissions: frames sent more than once to the same peer.
        duplicates: frames that had arrived before.
        gaps: frames that came before one they follow, and are awaited again.
        foreign: frames of a connection or session that is not the peer's, such as replays of one that has ended.
        malformed: frames and messages that are none.
        refused: attempts that ended in a refusal, by either end.
        dropped: messages that `send` did not take.
        reconnections: times the peer came back.

    Example:
        >>> from gr_jscc.link.back_channel.protocol import Protocol
        >>> hello = Hello("receiver", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> end = Protocol(hello, transmit=lambda connection, data: True)
        >>> end.received(b"somebody", b"noise")
        >>> end.statistics().malformed, end.statistics().bytes_received
        (1, 5)
    """

    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    retransmissions: int = 0
    duplicates: int = 0
    gaps: int = 0
    foreign: int = 0
    malformed: int = 0
    refused: int = 0
    dropped: int = 0
    reconnections: int = 0
