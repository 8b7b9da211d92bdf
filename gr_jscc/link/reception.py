"""The receiving end of the link: bursts and messages in, rounds and pictures out.

With a back-channel it says what arrived, waits for repeats of what did not, and feeds rounds back to codecs that want
them. Without one it hands over what came.

How long it waits for a burst is a matter of samples, see `AirClock`: of how many must pass before it cannot come any
more. Seconds count where none pass.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec, Insight, Receiver, Reception
from gr_jscc.link import told
from gr_jscc.link.air_clock import AirClock
from gr_jscc.link.assembly import MEMORY, Arrival, Assembler, nothing
from gr_jscc.link.back_channel import (
    BurstMap,
    ChannelState,
    Report,
    RoundSent,
    SideInfo,
    Stop,
    Symbols,
    quantise,
)
from gr_jscc.link.journal import Journal
from gr_jscc.link.session import Session
from gr_jscc.modem import ReceivedBurst
from gr_jscc.telling import one_line

MOST_OPEN = 64  # rounds that wait for repeats
MOST_ANNOUNCED = 512  # rounds that are waited for: a transmitter of ours keeps 64 pictures
QUIET_SAMPLES = 1 << 17  # without a burst, some 25 long: the train that was on the air has ended
QUIET_SECONDS = 0.3  # that they take at least: a transmitter may falter
PIPE_SAMPLES = 1 << 20  # more than all buffers between the two ends hold: what had been sent before them has come
LOST_SAMPLES = 1 << 23  # the same, where the count of samples says otherwise: then some were lost
PIPE_SECONDS = 1.0  # that they take at least: so long a radio's driver may hold samples
STILL_SECONDS = 0.3  # without a sample when all that was sent must have come
ENDED_SECONDS = 2.0  # without a sample when nothing tells what was sent: there was no more
LOST_SECONDS = 10.0  # without a sample though some must be under way: a channel that ended took them with it
TELLING_SECONDS = 1.0  # between two signs to the transmitter that a round is still coming in
PICTURES_AT_ONCE = 64  # codec receivers kept for transfers whose rounds interleave


@dataclass
class _Announced:
    """A round that the transmitter says has left."""

    attempt: int
    last: bool
    since: float
    settled: int  # of the `AirClock`, then
    told: float  # when the transmitter was last told that it is still coming in
    heard: bool = False  # a burst of it since then
    again: bool = False  # nothing was sent since it was answered: only ``last`` is new


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
        tell: is told in one line of a picture that the codec fails with.
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
        self.codec = codec
        self.refused = 0  # rounds of another codec or other weights
        self._send, self._format, self._patience, self._clock = send, feedback_format, patience, clock
        self._rounds = rounds
        self._feedback_snr_db = feedback_snr_db
        self._noise = np.random.default_rng(1)
        self.journal = Journal()
        self.tell: Callable[[str], object] = lambda line: None
        self._assembler = Assembler(MOST_OPEN if send else 1, codec, memory)
        self._announced: dict[tuple[int, int], _Announced] = {}
        self._first_heard: dict[tuple[int, int], int] = {}  # of open rounds, in the order of the air
        self._heard = 0
        self._air = AirClock(clock)
        self._last_burst = clock()
        self._last_of: dict[tuple[int, int], float] = {}
        self._answered: dict[tuple[int, int], int] = {}  # rounds with holes: the attempt that they were asked for after
        self._connected = False
        self._lost_at = clock()
        self._receivers: collections.OrderedDict[int, Receiver] = collections.OrderedDict()

    def burst(self, burst: ReceivedBurst) -> list[Arrival]:
        """Takes the next burst of the stream; returns the rounds that it ends."""
        key, now = (burst.header.transfer, burst.header.round), self._clock()
        if self._assembler.is_strangers(key[0]):
            self.journal.burst(burst, False)
            return self._assembler.push(burst)  # which counts it
        self._last_burst = now
        self._air.heard(key, burst.start)
        was_done = self._assembler.is_done(*key)
        arrivals = self._assembler.push(burst)
        needed = not was_done or not self._assembler.is_done(*key)
        self.journal.burst(burst, needed)
        if not needed:
            return self._ended(arrivals) + self._answer()  # a repeat
        self._last_of[key] = now
        if key not in self._first_heard:
            self._first_heard[key] = self._heard
            self._heard += 1
        if key in self._announced:
            self._announced[key].heard = True
        place = self._first_heard[key]
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
            key, now = (message.transfer, message.round), self._clock()
            again = self._answered.get(key) == message.attempt
            self._announced[key] = _Announced(message.attempt, message.last, now, self._air.settled, now, again=again)
            arrivals = self._ended(self._assembler.announce(message.transfer))
            # Of the other rounds nothing is new: looking at all for each would take quadratic time.
            if key in self._announced and self._is_over(key):
                arrivals += self._answer_to(key)
            while len(self._announced) > MOST_ANNOUNCED:
                arrivals += self._answer_to(next(iter(self._announced)))
            return arrivals
        if isinstance(message, Report) and message.content.get("event") == "air":
            self._take_place(message.transfer, message.content)
        elif isinstance(message, Report) and message.content.get("event") == "sent":
            return self._ended(self._assembler.announce(message.transfer))
        return []

    def samples(self, arrived: int, settled: int, busy: bool) -> None:
        """Samples have come, or were searched for bursts; see `AirClock.progress`."""
        self._air.progress(arrived, settled, busy)

    @property
    def quiet(self) -> bool:
        """Whether nothing is on the air any more, as far as can be told."""
        return not self._assembler.open_rounds() and self._is_quiet(self._last_burst, self._air.last_start)

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
            for of_the_old in (self._announced, self._answered, self._first_heard, self._last_of):
                of_the_old.clear()
            self._air.forget()
        if session is not None and session != self._assembler.session:
            self.journal.session(session)
            self._assembler.belong_to(session)
        # While no announcement can come none is waited for.
        return self._ended(self._assembler.set_waits(connected and self._assembler.session is not None))

    def tick(self) -> list[Arrival]:
        """Looks at the clock; returns the rounds that are over. Call it several times a second."""
        self._air.tick()
        if self._send is None:
            quiet = self._is_quiet(self._last_burst, self._air.last_start)
            waiting = self._assembler.open_rounds() if quiet else []
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

    def decode(self, arrival: Arrival) -> np.ndarray | None:
        """The picture so far, uint8[H, W, 3].

        None when the manifest is lost or names another codec's weights, or the codec or the memory failed.
        """
        manifest = arrival.manifest
        if manifest is None:
            return None
        if manifest.weights_hash != self.codec.weights_hash:
            self.refused += 1
            return None
        if arrival.reception is None:
            return None
        try:
            return self._receiver(arrival).push(arrival.reception)
        except Exception as error:  # of every kind: whatever it is, it is not to cost more than this picture
            self._receivers.pop(arrival.transfer, None)
            self.tell(f"a picture of {manifest.width}x{manifest.height} could not be decoded: {one_line(error)}")
            return None

    def _receiver(self, arrival: Arrival) -> Receiver:
        """The codec's receiving half for a round's picture."""
        if arrival.round == 0 or arrival.transfer not in self._receivers:
            manifest = arrival.manifest
            self._receivers[arrival.transfer] = self.codec.receiver(manifest.height, manifest.width)
            self._receivers.move_to_end(arrival.transfer)
            while len(self._receivers) > PICTURES_AT_ONCE:
                self._receivers.popitem(last=False)
        return self._receivers[arrival.transfer]

    def insight(self, transfer: int) -> Insight | None:
        """What the codec's receiving half knows of its transmitter, after what was decoded of a transfer so far."""
        receiver = self._receivers.get(transfer)
        return receiver and receiver.insight

    def shows_grey(self, transfer: int) -> bool:
        """Whether what was decoded last of a transfer is the codec's plain grey picture, as nothing was usable."""
        receiver = self._receivers.get(transfer)
        return receiver is not None and receiver.shows_grey

    # --- answers -------------------------------------------------------------------------------------------------

    def _answer(self, latest: tuple[int, int] | None = None, place: int = -1) -> list[Arrival]:
        """Acknowledges announced rounds of which all that was sent must have come.

        Args:
            latest: the round of the burst that just came: those before it on the air are over.
            place: of that round among all, by their first bursts.
        """
        arrivals = []
        for key in [key for key in self._announced if self._is_over(key, latest, place)]:
            arrivals += self._answer_to(key)
        return arrivals

    def _answer_to(self, key: tuple[int, int]) -> list[Arrival]:
        """Acknowledges an announced round as it stands."""
        arrivals = []
        announced = self._announced.pop(key)
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

    def _is_over(self, key: tuple[int, int], latest: tuple[int, int] | None = None, place: int = -1) -> bool:
        """Whether nothing more of what was sent of a round can come."""
        announced = self._announced[key]
        if self._assembler.is_done(*key) or announced.again:
            return True
        if latest not in (None, key):
            if announced.attempt > 0 and announced.heard or self._air.is_after(latest, key):
                return True
            # First sendings keep their order on the air.
            if announced.attempt == 0 and key in self._first_heard and place > self._first_heard[key]:
                return True
        elapsed, passed = self._clock() - announced.since, self._air.settled - announced.settled
        sure = self._air.has_come(key) or not self._air.knows(key)
        if passed >= (PIPE_SAMPLES if sure else LOST_SAMPLES) and elapsed >= PIPE_SECONDS:
            return True
        if key in self._first_heard and (announced.attempt == 0 or announced.heard):
            since = max(self._last_burst, announced.since)
            quiet = self._air.settled - self._air.last_start >= QUIET_SAMPLES
            if quiet and self._clock() - since >= QUIET_SECONDS:
                return True
        if self._air.has_come(key):
            longest = STILL_SECONDS
        else:
            longest = LOST_SECONDS if self._air.knows(key) else ENDED_SECONDS
        return min(self._air.still_seconds, elapsed) > longest

    def _is_quiet(self, since: float, start: int) -> bool:
        """Whether the air has been quiet since a burst.

        Args:
            since: when it came, seconds.
            start: at which sample it began.
        """
        if self._air.settled - start >= QUIET_SAMPLES and self._clock() - since >= QUIET_SECONDS:
            return True
        # A round with holes may have the rest of its bursts in a buffer.
        sure = self._air.counted and not self._assembler.open_rounds()
        return self._air.still_seconds > (ENDED_SECONDS if sure else LOST_SECONDS)

    def _take_place(self, transfer: int, content: dict) -> None:
        """The transmitter tells where in its stream of samples a train's last burst began; not taken on trust."""
        round_, attempt, start = (told.whole(content, name, -1) for name in ("round", "attempt", "start"))
        if min(round_, attempt, start) >= 0:
            self._air.sent((transfer, round_), start, attempt == 0)

    def _tell_what_is_awaited(self) -> None:
        """Tells the transmitter which rounds are still coming in."""
        now = self._clock()
        for (transfer, round_), announced in self._announced.items():
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
                over = self._has_passed(key)
            else:
                over = now - max(self._last_of.get(key, self._lost_at), self._last_burst) > self._patience
            if over and key in self._assembler.open_rounds():
                arrivals += self._assembler.end(*key)
        return self._ended(arrivals)

    def _has_passed(self, key: tuple[int, int]) -> bool:
        """Whether an open round has left the air: it is quiet, or long busy with others."""
        since, start = self._last_of.get(key, self._lost_at), self._air.start_of(key)
        passed = start is not None and self._air.settled - start >= QUIET_SAMPLES
        if passed and self._clock() - since >= ENDED_SECONDS:
            return True
        return self._is_quiet(self._last_burst, self._air.last_start)

    def _ended(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Reports rounds that are handed over, and feeds them back."""
        handed = []
        for arrival in arrivals:
            key = (arrival.transfer, arrival.round)
            self._first_heard.pop(key, None)
            self._last_of.pop(key, None)
            if self._answered.pop(key, None) is not None and key not in self._announced:
                self._tell(BurstMap(*key, True, np.zeros(0, bool)))  # bursts that came late: no repeat is needed
            self.journal.handed_over(arrival)
            if self._send is not None:
                arrival = self._feed_back(arrival)
            handed.append(arrival)
        return handed

    def _feed_back(self, arrival: Arrival) -> Arrival:
        """Sends a round back as it arrived, to codecs that want it, and the state of the channel."""
        key = (arrival.transfer, arrival.round)
        if self._rounds is not None and arrival.round + 1 >= self._rounds:
            self._tell(Stop(arrival.transfer))  # before anything that makes the transmitter go on
        if self.codec.uses_feedback and arrival.reception is not None:
            symbols, noise_var = quantise(arrival.reception.symbols, arrival.reception.noise_var, self._format)
            self._tell(Symbols(*key, self._disturbed(symbols), noise_var, self._format))
            reception = Reception(symbols, noise_var, arrival.reception.side_info)
            arrival = dataclasses.replace(arrival, reception=reception)
        state = ChannelState(
            *key, arrival.snr_db, arrival.cfo, arrival.evm_db, arrival.bursts_received, arrival.bursts_sent
        )
        self._tell(state)
        return arrival

    def _disturbed(self, symbols: np.ndarray) -> np.ndarray:
        """Symbols as an imitated feedback channel delivers them; their power counts as that of a round, 1."""
        if self._feedback_snr_db is None:
            return symbols
        noise = self._noise.standard_normal((len(symbols), 2), np.float32).view(np.complex64)[:, 0]
        return symbols + noise * np.float32(np.sqrt(0.5 * 10 ** (-self._feedback_snr_db / 10)))

    def _tell(self, message: object) -> None:
        if self._send is not None:
            self._send(message)
