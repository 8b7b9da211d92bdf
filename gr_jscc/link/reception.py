"""The receiving end of the link: bursts and messages in, rounds and pictures out.

With a back-channel it says what arrived, waits for repeats of what did not, and feeds rounds back to codecs that want
them. Without one it hands over what came.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec, Insight, Receiver, Reception
from gr_jscc.link.assembly import Arrival, Assembler, nothing
from gr_jscc.link.back_channel import (
    BurstMap,
    ChannelState,
    RoundSent,
    SideInfo,
    Stop,
    Symbols,
    quantise,
)
from gr_jscc.link.journal import Journal
from gr_jscc.modem import ReceivedBurst

MOST_OPEN = 64  # rounds that wait for repeats
QUIET_SECONDS = 0.3  # without a burst: what had been sent has come, or will not
LONGEST_WAIT_SECONDS = 1.0  # for bursts of a round that was announced, while others arrive
UNHEARD_SECONDS = 2.0  # for the first burst of one: the air, and a receiver that has just started, may lag behind
ENDED_SECONDS = 2.0  # without a burst and without a back-channel: the round is over
PICTURES_AT_ONCE = 64  # codec receivers kept for transfers whose rounds interleave


@dataclass
class _Announced:
    """A round that the transmitter says has left."""

    attempt: int
    last: bool
    since: float
    heard: bool = False  # a burst of it since then


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
        clock: seconds.

    Attributes:
        journal: is told what comes and what is decided.
    """

    def __init__(
        self,
        codec: Codec,
        send: Callable[[object], object] | None = None,
        feedback_format: str = "complex64",
        patience: float = 60.0,
        rounds: int | None = None,
        feedback_snr_db: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.codec = codec
        self.refused = 0  # rounds of another codec or other weights
        self._send, self._format, self._patience, self._clock = send, feedback_format, patience, clock
        self._rounds = rounds
        self._feedback_snr_db = feedback_snr_db
        self._noise = np.random.default_rng(1)
        self.journal = Journal()
        self._assembler = Assembler(MOST_OPEN if send else 1)
        self._announced: dict[tuple[int, int], _Announced] = {}
        self._first_heard: dict[tuple[int, int], int] = {}  # of open rounds, in the order of the air
        self._heard = 0
        self._last_burst = clock()
        self._last_of: dict[tuple[int, int], float] = {}
        self._connected = False
        self._lost_at = clock()
        self._receivers: collections.OrderedDict[int, Receiver] = collections.OrderedDict()

    def burst(self, burst: ReceivedBurst) -> list[Arrival]:
        """Takes the next burst of the stream; returns the rounds that it ends."""
        key, now = (burst.header.transfer, burst.header.round), self._clock()
        self._last_burst = now
        needed = not self._assembler.is_done(*key)
        self.journal.burst(burst, needed)
        if not needed:
            return self._answer()  # a repeat
        self._last_of[key] = now
        if key not in self._first_heard:
            self._first_heard[key] = self._heard
            self._heard += 1
        if key in self._announced:
            self._announced[key].heard = True
        place = self._first_heard[key]
        return self._ended(self._assembler.push(burst)) + self._answer(key, place)

    def message(self, message: object) -> list[Arrival]:
        """Takes a message from the back-channel; returns the rounds that it ends."""
        if isinstance(message, SideInfo):
            self.journal.manifest(message.transfer, message.round, message.data)
            return self._ended(self._assembler.set_manifest(message.transfer, message.round, message.data))
        if isinstance(message, RoundSent):
            key = (message.transfer, message.round)
            self._announced[key] = _Announced(message.attempt, message.last, self._clock())
            return self._answer()
        return []

    def connection(self, connected: bool, restarted: bool = False) -> None:
        """The back-channel came or went; ``restarted`` when the transmitter is a new process.

        What the old one had begun, the new one sends from the beginning as other transfers.
        """
        if connected != self._connected:
            self._connected, self._lost_at = connected, self._clock()
        if restarted:
            self.journal.restarted()
            for transfer in {transfer for transfer, _ in self._assembler.open_rounds()}:
                self._assembler.drop(transfer)
            self._announced.clear()

    def tick(self) -> list[Arrival]:
        """Looks at the clock; returns the rounds that are over. Call it several times a second."""
        if self._send is None:
            quiet = self._clock() - self._last_burst > ENDED_SECONDS
            return self._ended(self._assembler.flush()) if quiet else []
        return self._answer() + self._give_up()

    def end(self, transfer: int, round_: int) -> list[Arrival]:
        """Hands over a round as it stands, or that nothing of it came."""
        if self._assembler.progress(transfer, round_) is None:
            return self._ended([nothing(transfer, round_)])
        return self._ended(self._assembler.end(transfer, round_))

    def flush(self) -> list[Arrival]:
        """Hands over all that is open; at the end of the stream."""
        return self._ended(self._assembler.flush())

    def decode(self, arrival: Arrival) -> np.ndarray | None:
        """The picture so far, uint8[H, W, 3]; None when the manifest is lost or names another codec's weights."""
        manifest = arrival.manifest
        if manifest is None or arrival.reception is None:
            return None
        if manifest.weights_hash != self.codec.weights_hash:
            self.refused += 1
            return None
        if arrival.round == 0 or arrival.transfer not in self._receivers:
            self._receivers[arrival.transfer] = self.codec.receiver(manifest.height, manifest.width)
            self._receivers.move_to_end(arrival.transfer)
            while len(self._receivers) > PICTURES_AT_ONCE:
                self._receivers.popitem(last=False)
        return self._receivers[arrival.transfer].push(arrival.reception)

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
        return arrivals

    def _is_over(self, key: tuple[int, int], latest: tuple[int, int] | None, place: int) -> bool:
        if self._assembler.is_done(*key):
            return True
        announced, now = self._announced[key], self._clock()
        if key not in self._first_heard:
            return now - announced.since > UNHEARD_SECONDS
        if now - max(self._last_burst, announced.since) > QUIET_SECONDS:
            return True
        if now - max(self._last_of.get(key, 0.0), announced.since) > LONGEST_WAIT_SECONDS:
            return True
        if latest is None or latest == key:
            return False
        if announced.attempt == 0:  # first sendings keep their order on the air
            return place > self._first_heard[key]
        return announced.heard

    def _give_up(self) -> list[Arrival]:
        """Ends rounds that nobody will complete: after a moment when the back-channel has been away for long.

        While it is there, or may come back, only rounds of which nothing was heard for long: of a transmitter that
        is no more.
        """
        now, arrivals = self._clock(), []
        hopeless = not self._connected and now - self._lost_at > self._patience
        longest = ENDED_SECONDS if hopeless else self._patience
        for key in self._assembler.open_rounds():
            if now - self._last_of.get(key, self._lost_at) > longest:
                arrivals += self._assembler.end(*key)
        return self._ended(arrivals)

    def _ended(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Reports rounds that are handed over, and feeds them back."""
        told = []
        for arrival in arrivals:
            key = (arrival.transfer, arrival.round)
            self._first_heard.pop(key, None)
            self._last_of.pop(key, None)
            self.journal.handed_over(arrival)
            if self._send is not None:
                arrival = self._feed_back(arrival)
            told.append(arrival)
        return told

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
