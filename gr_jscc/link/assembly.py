"""Puts received bursts back together into the rounds that were sent, whatever is missing."""

from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.bounds import can_be_sent
from gr_jscc.link.incoming import SYMBOL_BYTES, IncomingRound
from gr_jscc.link.manifest import Manifest, ManifestError
from gr_jscc.link.session import Session, sender_of
from gr_jscc.modem import ReceivedBurst

MEMORY = 1 << 30  # bytes that open rounds may take
PEAK = 4  # times what its symbols take, while a round is put together
SENDERS = 8  # whose rounds may be open at a time where there is no back-channel
REMEMBERED = 64  # rounds that are done, at least
LASTING_BYTES = 8  # of side information that may hold for another picture, a scale or a rate; more tells of its content
STRANGERS = 64  # that are told apart


@dataclass(frozen=True)
class Progress:
    """What has come of a round so far.

    Attributes:
        manifest: whether it is known.
        received: bool[n], for each analog burst; empty while none was heard, and when the round has none.

    Example:
        >>> assembler = Assembler(most_open=2)
        >>> assembler.set_manifest(7, 0, Manifest(b"jpeg", 32, 48, symbols=600, side_info=b"").pack())
        []
        >>> assembler.progress(7, 0).manifest, len(assembler.progress(7, 0).received)
        (True, 0)
    """

    manifest: bool
    received: np.ndarray


class Assembler:
    """Collects bursts into rounds.

    A round is handed over once: when its manifest and all of its analog bursts are there, when `end` says that
    nothing more of it will come, or when more rounds are open than may be. The rounds of a transfer are handed
    over in their order.

    Args:
        most_open: rounds that may wait for bursts at a time. With 1 a burst of another round ends its sender's round
            before, as it should be where nothing is ever repeated.
        codec: whose rounds are wanted; None takes those of any.
        memory: bytes that the bursts of open rounds may take; beyond it rounds end, those that nobody announced first.

    Attributes:
        session: whose rounds alone are taken; None: everybody's, each sender's for itself.
        is_stream: whether a sender's manifest stands for its transfers that follow without one, if it fits them.
        waits: whether rounds of transfers that their sender did not announce wait until it does.
        strangers: bursts of others than ``session``, by sender.
        forged: manifests that ``session`` did not make, or that no sender can have made.
        too_large: those of rounds that would take more than ``memory``, which are left out as well.

    Example:
        >>> from gr_jscc.modem import BurstHeader, BurstKind
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=7, round=0, index=0, count=1, symbols=3)
        >>> burst = ReceivedBurst(header, np.ones(3, np.complex64), np.full(3, 0.1, np.float32), 0, 0.0, 10.0, -10.0)
        >>> assembler = Assembler()
        >>> assembler.push(burst)  # nobody knows yet what it is of
        []
        >>> manifest = Manifest(b"jpeg", height=32, width=48, symbols=3, side_info=b"")
        >>> [arrival.reception.symbols.shape for arrival in assembler.set_manifest(7, 0, manifest.pack())]
        [(3,)]
    """

    def __init__(self, most_open: int = 1, codec: Codec | None = None, memory: int = MEMORY) -> None:
        self.most_open, self._codec, self._memory = most_open, codec, memory
        self.session: Session | None = None
        self.waits = self.is_stream = False
        self._standing: dict[tuple[int, int], Manifest] = {}  # by sender and round
        self.strangers: collections.Counter[int] = collections.Counter()
        self.forged = self.too_large = 0
        self._announced: set[int] = set()
        self._open: dict[tuple[int, int], IncomingRound] = {}  # oldest first
        # Late copies of a manifest and needless repeats are not to open a round that was handed over. A transfer
        # number comes round again after so many others that its key is forgotten by then.
        self._done: dict[tuple[int, int], Manifest | None] = {}
        self._echoes: dict[tuple[int, int], IncomingRound] = {}  # of such a number, that may be another sender's

    def push(self, burst: ReceivedBurst) -> list[Arrival]:
        """Takes the next burst of the stream; returns the rounds that it ends, oldest first."""
        key = (burst.header.transfer, burst.header.round)
        if self.is_strangers(key[0]):
            sender = sender_of(key[0])
            if sender in self.strangers or len(self.strangers) < STRANGERS:
                self.strangers[sender] += 1
            return []
        if key in self._done:
            return self._echo(key, burst) if self.session is None else []
        ended = self._make_room(key)
        current = self._open.setdefault(key, IncomingRound(*key, self.most_open > 1))
        if self.is_stream:
            current.standing = self._standing.get((sender_of(key[0]), key[1]))
        self._read(current, current.add(burst))
        return ended + self._free_memory(key) + self._hand_over_complete(key[0])

    def set_manifest(self, transfer: int, round_: int, data: bytes) -> list[Arrival]:
        """Takes a packed manifest that came another way than over the air; returns the rounds that it ends."""
        key = (transfer, round_)
        if key in self._done:
            return []
        ended = self._make_room(key)
        current = self._open.setdefault(key, IncomingRound(*key, self.most_open > 1))
        if current.manifest is None:
            self._read(current, data, sealed=False)
        return ended + self._hand_over_complete(transfer)

    def progress(self, transfer: int, round_: int) -> Progress | None:
        """What there is of an open round; None when it is not open."""
        current = self._open.get((transfer, round_))
        if current is None:
            return None
        return Progress(current.manifest is not None, current.received())

    def is_strangers(self, transfer: int) -> bool:
        """Whether a transfer is another sender's than `session`."""
        return self.session is not None and sender_of(transfer) != self.session.sender

    def is_done(self, transfer: int, round_: int) -> bool:
        """Whether a round was handed over lately."""
        return (transfer, round_) in self._done

    @property
    def size(self) -> int:
        """Bytes that the bursts of open rounds take."""
        return sum(current.size for rounds in (self._open, self._echoes) for current in rounds.values())

    def open_rounds(self) -> list[tuple[int, int]]:
        """(transfer, round) of all rounds that are waiting, oldest first."""
        return list(self._open)

    def announce(self, transfer: int) -> list[Arrival]:
        """The sender told of a transfer; returns rounds that waited for it."""
        if self.session is not None and not self.is_strangers(transfer):  # so many numbers are there, and no more
            self._announced.add(transfer)
        return self._hand_over_complete(transfer)

    def end(self, transfer: int, round_: int) -> list[Arrival]:
        """Hands over a round as it stands, and whatever of its transfer had to wait for it."""
        older = [key for key in self._open if key[0] == transfer and key[1] <= round_]
        return [self._close(key) for key in sorted(older)] + self._hand_over_complete(transfer)

    def drop(self, transfer: int) -> None:
        """Forgets all that came of a transfer that its sender gave up."""
        for key in [key for key in self._open if key[0] == transfer]:
            self._remember(key, self._open.pop(key))

    def belong_to(self, session: Session) -> None:
        """From now on only the rounds of one session are taken; what came of others is forgotten."""
        self.session = session
        for key in [key for key in self._open if sender_of(key[0]) != session.sender]:
            del self._open[key]
        # What it sent before it was known need not be asked for again.
        own = {key: manifest for key, manifest in self._done.items() if not self.is_strangers(key[0])}
        self._done = {key: m for key, m in own.items() if m is not None and m.session == session.rest}
        self._echoes.clear()
        self._announced.clear()

    def set_waits(self, waits: bool) -> list[Arrival]:
        """Sets `waits`; returns rounds that need not wait any more."""
        self.waits = waits
        transfers = dict.fromkeys(transfer for transfer, _ in self._open)
        return [arrival for transfer in transfers for arrival in self._hand_over_complete(transfer)]

    def flush(self) -> list[Arrival]:
        """Hands over all open rounds as they stand; call it at the end of the stream."""
        arrivals = []
        while self._open:
            arrivals += self.end(*next(iter(self._open)))
        return arrivals

    def _read(self, current: IncomingRound, data: bytes | None, sealed: bool = True) -> None:
        """Takes a manifest's bytes to a round, if a sender can have made them."""
        if data is None:
            return
        session = self.session
        if session is not None and not sealed:
            session = Session(session.word)
        try:
            manifest = Manifest.unpack(data, session, current.transfer, current.number)
        except ManifestError:
            self.forged += 1
            return
        if not can_be_sent(manifest, self._codec):
            self.forged += 1
        elif PEAK * SYMBOL_BYTES * manifest.symbols > self._memory:
            self.too_large += 1
        else:
            current.manifest = manifest
            current.forget_undecoded()
            if self._lasts(manifest):
                self._standing[sender_of(current.transfer), current.number] = manifest

    def _lasts(self, manifest: Manifest) -> bool:
        """Whether it may stand for the transfers that follow."""
        lasts = self._codec is None or self._codec.side_info_lasts
        return self.is_stream and lasts and len(manifest.side_info) <= LASTING_BYTES

    def _echo(self, key: tuple[int, int], burst: ReceivedBurst) -> list[Arrival]:
        """A burst with the number of a round that is done: late, or another sender's, as its manifest tells."""
        echo = self._echoes.setdefault(key, IncomingRound(*key, self.most_open > 1))
        self._read(echo, echo.add(burst))
        if echo.manifest is None:
            if len(self._echoes) > STRANGERS:
                del self._echoes[next(iter(self._echoes))]
            return self._free_memory(key)
        del self._echoes[key]
        if self._done[key] == echo.manifest:
            return []
        for other in [other for other in self._done if sender_of(other[0]) == sender_of(key[0])]:
            del self._done[other]
        ended = self._make_room(key)
        self._open[key] = echo
        return ended + self._hand_over_complete(key[0])

    def _make_room(self, key: tuple[int, int]) -> list[Arrival]:
        """Ends rounds that a burst of a new one leaves no room for."""
        if key in self._open:
            return []
        ended: list[Arrival] = []
        if self.most_open == 1:
            for other in [other for other in self._open if sender_of(other[0]) == sender_of(key[0])]:
                ended += self.end(*other)
        while len(self._open) >= max(self.most_open, SENDERS):
            ended += self.end(*self._least_wanted(key))
        return ended

    def _free_memory(self, key: tuple[int, int]) -> list[Arrival]:
        ended: list[Arrival] = []
        while self.size > self._memory:
            if self._echoes:
                del self._echoes[next(iter(self._echoes))]
                continue
            ended += self.end(*self._least_wanted(key))
        return ended

    def _least_wanted(self, key: tuple[int, int]) -> tuple[int, int]:
        """The round to end first: the oldest of those that nobody announced, else of all but ``key``."""
        unknown = (other for other in self._open if self.waits and other[0] not in self._announced)
        others = (other for other in self._open if other != key)
        return next(unknown, None) or next(others, key)

    def _hand_over_complete(self, transfer: int) -> list[Arrival]:
        """Complete rounds of a transfer, up to the first that is not: a codec wants them in order."""
        if self.waits and transfer not in self._announced:
            return []
        ready = []
        for key in sorted(key for key in self._open if key[0] == transfer):
            if not self._open[key].complete:
                break
            ready.append(self._close(key))
        return ready

    def _close(self, key: tuple[int, int]) -> Arrival:
        current = self._open.pop(key)
        self._remember(key, current)
        return current.arrival(self._codec)

    def _remember(self, key: tuple[int, int], current: IncomingRound) -> None:
        self._done.pop(key, None)
        self._done[key] = current.described
        while len(self._done) > max(4 * self.most_open, REMEMBERED):
            del self._done[next(iter(self._done))]
