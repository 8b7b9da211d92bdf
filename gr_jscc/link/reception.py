"""The receiving end of the link: bursts and messages in, rounds and pictures out.

With a back-channel it says what arrived, waits for repeats of what did not, and feeds rounds back to codecs that want
them. Without one it hands over what came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.link import told
from gr_jscc.link.arrival import Arrival, nothing
from gr_jscc.link.assembly import MEMORY, Assembler
from gr_jscc.link.back_channel import BurstMap, Report, RoundSent, SideInfo
from gr_jscc.link.decoding import Pictures
from gr_jscc.link.feedback import Feedback
from gr_jscc.link.journal import Journal
from gr_jscc.link.on_the_air import OnTheAir
from gr_jscc.link.session import Session
from gr_jscc.modem import ReceivedBurst

MOST_OPEN = 64  # rounds that wait for repeats
MOST_ANNOUNCED = 512  # rounds that are waited for: a transmitter of ours keeps 64 pictures
TELLING_SECONDS = 1.0  # between two signs to the transmitter that a round is still coming in


class ReceivingEnd:
    """What the receiving side knows of the rounds on their way.

    Args:
        codec: the codec that the transmitter is believed to use.
        send: hands a message to the back-channel; None without one.
        feedback_format: how symbols are fed back, ``complex64``, ``float16`` or ``int8``. The codec here is given what
            the other side will hold, so that both compute from the same values.
        patience: seconds without a back-channel after which rounds with holes are handed over.
        rounds: of a picture that are good enough; the transmitter is told to send no more. None wants all.
        feedback_snr_db: Es/N0 of a feedback channel to imitate, whose white noise only the transmitter's copy has; None
            for the back-channel as it is.
        memory: bytes that open rounds may take, see `Assembler`.
        clock: seconds.

    Attributes:
        journal: is told what comes and what is decided.
        pictures: what was decoded of what was handed over; may be used in another thread.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> from gr_jscc.link.bursts import round_bursts
        >>> codec, image = Separation("jpeg:ldpc-2/3:16qam"), np.full((64, 96, 3), 90, np.uint8)
        >>> end, payload = ReceivingEnd(codec), codec.transmitter(1 / 6).start(image)
        >>> arrivals = []
        >>> for start, sent in enumerate(round_bursts(payload, 64, 96, codec.weights_hash, transfer=7)):
        ...     noise_var = np.full(len(sent.symbols), 0.01, np.float32)
        ...     arrivals += end.burst(ReceivedBurst(sent.header, sent.symbols, noise_var, start, 0.0, 20.0, -20.0))
        >>> [end.pictures.decode(arrival).shape for arrival in arrivals]
        [(64, 96, 3)]
    """

    def __init__(
        self,
        codec: Codec,
        send: Callable[[object], object] | None = None,
        feedback_format: str = "complex64",
        patience: float = 60.0,
        rounds: int | None = None,
        feedback_snr_db: float | None = None,
        memory: int = MEMORY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._patience, self._clock = send, patience, clock
        self.journal = Journal()
        self.pictures = Pictures(codec)
        self._feedback = Feedback(codec, self._tell, feedback_format, rounds, feedback_snr_db)
        self._assembler = Assembler(MOST_OPEN if send else 1, codec, memory)
        self._air = OnTheAir(self._assembler, clock)
        self._answered: dict[tuple[int, int], int] = {}  # rounds with holes: the attempt that they were asked for after
        self._connected = False
        self._lost_at = clock()

    def expect_stream(self) -> None:
        """From now on a manifest stands for the pictures that follow without one, see `LinkSettings`."""
        self._assembler.is_stream = True

    def burst(self, burst: ReceivedBurst) -> list[Arrival]:
        """Takes the next burst of the stream; returns the rounds that it ends."""
        key = (burst.header.transfer, burst.header.round)
        if self._assembler.is_strangers(key[0]):
            self.journal.burst(burst, False)
            return self._assembler.push(burst)  # which counts it
        self._air.heard(key, burst.start)
        was_done = self._assembler.is_done(*key)
        arrivals = self._assembler.push(burst)
        needed = not was_done or not self._assembler.is_done(*key)
        self.journal.burst(burst, needed)
        if not needed:
            return self._ended(arrivals) + self._answer()  # a repeat
        place = self._air.needed(key)
        return self._ended(arrivals) + self._answer(key, place)

    def message(self, message: object) -> list[Arrival]:
        """Takes a message from the back-channel; returns the rounds that it ends.

        What it says of transfers of another session than the transmitter's own is passed over.
        """
        if self._assembler.is_strangers(getattr(message, "transfer", 0)):
            return []
        if isinstance(message, SideInfo):
            self.journal.manifest(message.transfer, message.round, message.data)
            return self._ended(self._assembler.set_manifest(message.transfer, message.round, message.data))
        if isinstance(message, RoundSent):
            key = (message.transfer, message.round)
            self._air.announce(message, again=self._answered.get(key) == message.attempt)
            arrivals = self._ended(self._assembler.announce(message.transfer))
            # Of the other rounds nothing is new: looking at all for each would take quadratic time.
            if key in self._air.announced and self._air.is_over(key):
                arrivals += self._answer_to(key)
            while len(self._air.announced) > MOST_ANNOUNCED:
                arrivals += self._answer_to(next(iter(self._air.announced)))
            return arrivals
        if isinstance(message, Report) and message.content.get("event") == "air":
            self._take_place(message.transfer, message.content)
        elif isinstance(message, Report) and message.content.get("event") == "sent":
            return self._ended(self._assembler.announce(message.transfer))
        return []

    def samples(self, arrived: int, settled: int, busy: bool) -> None:
        """Samples have come, or were searched for bursts; see `AirClock.progress`."""
        self._air.samples.progress(arrived, settled, busy)

    @property
    def quiet(self) -> bool:
        """Whether nothing is on the air any more, as far as can be told."""
        return not self._assembler.open_rounds() and self._air.is_quiet

    def connection(self, connected: bool, restarted: bool = False, session: Session | None = None) -> list[Arrival]:
        """The back-channel came or went; returns the rounds that this ends.

        Args:
            connected: whether it is there.
            restarted: the transmitter is a new process. What the old one had begun, the new one sends from the
                beginning, as transfers of another session.
            session: the transmitter's; bursts of others are strangers' from then on. None: as before.
        """
        if connected != self._connected:
            self._connected, self._lost_at = connected, self._clock()
        if restarted:
            self.journal.restarted()
            for transfer in {transfer for transfer, _ in self._assembler.open_rounds()}:
                self._assembler.drop(transfer)
            self._answered.clear()
            self._air.forget()
        if session is not None and session != self._assembler.session:
            self.journal.session(session)
            self._assembler.belong_to(session)
        # While no announcement can come none is waited for.
        return self._ended(self._assembler.set_waits(connected and self._assembler.session is not None))

    def tick(self) -> list[Arrival]:
        """Looks at the clock; returns the rounds that are over. Call it several times a second."""
        self._air.samples.tick()
        if self._send is None:
            waiting = self._assembler.open_rounds() if self._air.is_quiet else []
            return self._ended(self._assembler.end(*waiting[0])) if waiting else []  # one a time: they may be large
        arrivals = self._answer() + self._give_up()
        self._tell_what_is_awaited()
        return arrivals

    def end(self, transfer: int, round_: int) -> list[Arrival]:
        """Hands over a round as it stands, or that nothing of it came."""
        if self._assembler.progress(transfer, round_) is None:
            return self._ended([nothing(transfer, round_)])
        return self._ended(self._assembler.end(transfer, round_))

    def flush(self) -> Iterator[Arrival]:
        """Hands over all that is open, one after the other; at the end of the stream."""
        while self._assembler.open_rounds():
            yield from self._ended(self._assembler.end(*self._assembler.open_rounds()[0]))

    @property
    def strangers(self) -> dict[int, int]:
        """Bursts of other senders than the one on the back-channel, by the eight bits that headers say of them."""
        return dict(self._assembler.strangers)

    @property
    def too_large(self) -> int:
        """Manifests of rounds that would take more memory than they may."""
        return self._assembler.too_large

    @property
    def forged(self) -> int:
        """Manifests that the sender on the back-channel did not make, or that no sender can have made."""
        return self._assembler.forged

    # --- answers -------------------------------------------------------------------------------------------------

    def _answer(self, latest: tuple[int, int] | None = None, place: int = -1) -> list[Arrival]:
        """Acknowledges announced rounds of which all that was sent must have come.

        Args:
            latest: the round of the burst that just came: those before it on the air are over.
            place: of that round among all, by their first bursts.
        """
        arrivals = []
        for key in [key for key in self._air.announced if self._air.is_over(key, latest, place)]:
            arrivals += self._answer_to(key)
        return arrivals

    def _answer_to(self, key: tuple[int, int]) -> list[Arrival]:
        """Acknowledges an announced round as it stands."""
        arrivals = []
        announced = self._air.announced.pop(key)
        progress = self._assembler.progress(*key)
        if progress is None and self._assembler.is_done(*key):
            self._tell(BurstMap(*key, True, np.zeros(0, bool)))
        elif progress is None:
            if announced.last:
                arrivals += self._ended([nothing(*key)])
            self._tell(BurstMap(*key, False, np.zeros(0, bool)))
        else:
            if announced.last:
                arrivals += self._ended(self._assembler.end(*key))
            # One burst that is missing, of an unknown number: the transmitter knows better.
            received = progress.received if len(progress.received) else np.zeros(1, bool)
            self._tell(BurstMap(*key, progress.manifest, received))
        if not announced.last and not self._assembler.is_done(*key):
            self._answered[key] = announced.attempt
            while len(self._answered) > MOST_ANNOUNCED:
                del self._answered[next(iter(self._answered))]
        return arrivals

    def _take_place(self, transfer: int, content: dict) -> None:
        """The transmitter tells where in its stream of samples a train's last burst began; not taken on trust."""
        round_, attempt, start = (told.whole(content, name, -1) for name in ("round", "attempt", "start"))
        if min(round_, attempt, start) >= 0:
            self._air.samples.sent((transfer, round_), start, attempt == 0)

    def _tell_what_is_awaited(self) -> None:
        """Tells the transmitter which rounds are still coming in."""
        now = self._clock()
        for (transfer, round_), announced in self._air.announced.items():
            if now - announced.told >= TELLING_SECONDS:
                announced.told = now
                self._tell(Report(transfer, {"event": "receiving", "round": round_}))

    def _give_up(self) -> list[Arrival]:
        """Ends rounds that nobody will complete.

        When the back-channel has been away for long, as soon as the air is quiet; while it is there, or may come back,
        only when it has been for long: of a transmitter that is no more.
        """
        now, arrivals = self._clock(), []
        hopeless = not self._connected and now - self._lost_at > self._patience
        for key in self._assembler.open_rounds():
            if hopeless:
                over = self._air.has_passed(key, self._lost_at)
            else:
                over = now - max(self._air.last_of(key, self._lost_at), self._air.last_burst) > self._patience
            if over and key in self._assembler.open_rounds():
                arrivals += self._assembler.end(*key)
        return self._ended(arrivals)

    def _ended(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Reports rounds that are handed over, and feeds them back."""
        handed = []
        for arrival in arrivals:
            key = (arrival.transfer, arrival.round)
            self._air.handed_over(key)
            if self._answered.pop(key, None) is not None and key not in self._air.announced:
                self._tell(BurstMap(*key, True, np.zeros(0, bool)))  # bursts that came late: no repeat is needed
            self.journal.handed_over(arrival)
            if self._send is not None:
                arrival = self._feedback.send(arrival)
            handed.append(arrival)
        return handed

    def _tell(self, message: object) -> None:
        if self._send is not None:
            self._send(message)
