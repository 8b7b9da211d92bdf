"""The sending end of the link: pictures in, trains of bursts out, and what the back-channel says of them.

Rounds that arrived with holes are repeated on request, feedback goes to the codec, and pictures that the receiver
has stored are forgotten. Without a back-channel every round leaves once and nothing is waited for.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Payload, Reception
from gr_jscc.codecs.refined import Refined
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.link import told
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.back_channel import (
    BurstMap,
    Bye,
    ChannelState,
    Have,
    Report,
    RoundSent,
    SideInfo,
    Stop,
    Symbols,
)
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import (
    Burst,
    LinkSettings,
    analog_bursts,
    manifest_of,
    round_bursts,
    settings_of,
)
from gr_jscc.link.outgoing import Outgoing, OutgoingRound, adapted_cbr, picture_key
from gr_jscc.link.policy import MANIFEST_REPEATS, REMEMBERED, SendingPolicy
from gr_jscc.link.session import Session
from gr_jscc.modem.header import BurstKind

QUEUED_TRAINS = 2  # rounds encoded and waiting for the modulator
QUEUED_IMAGES = 2  # asked of the source ahead of need, so that the network is never idle
MOST_SNR_DB = 100.0  # that is believed of a receiver's report, to either side
MOST_HAVE = 1 << 22  # pictures of a run that a receiver may say it has
MOST_TRIES = 3  # of a picture that does not arrive, each with all its repeats


@dataclass(frozen=True)
class _Picture:
    """One that waits for the codec."""

    name: str
    image: np.ndarray
    key: bytes
    tries: int = 1


class SendingEnd:
    """The state of all pictures on their way out.

    What runs the codec is handed to ``defer`` and belongs in a thread of its own; all else returns at once. Safe to
    call from several threads.

    Args:
        codec: the codec.
        cbr: most complex symbols per colour value; may be changed, and holds for the pictures to come.
        defer: called with (function, arguments…) for what belongs in the codec's thread.
        on_event: told (fields, picture or None) of what a person or a sink may want to know. ``event`` is ``sent``
            (the picture went to the link), ``left_out`` (the codec cannot send it, for a ``reason``), ``done`` (nothing
            of it will be sent again), ``stored``, ``skipped`` (the receiver has it from an earlier start), ``decoding``
            (the receiver works on it), ``again``, ``failed``, ``state`` (of the channel, as reported) or ``late``
            (feedback that came too late, or never).
        settings: how rounds become bursts; None: as the codec asks. While a receiver reports its SNR, manifests and
            side information are coded for that.
        policy: how the back-channel is used.
        send: hands a message to the back-channel, false when it is refused; None without a back-channel.
        session: this start of the sender; transfers are numbered in it. Manifests are authenticated once a receiver on
            an encrypted back-channel was told its key.
        clock: seconds.
    """

    def __init__(
        self,
        codec: Codec,
        cbr: float,
        defer: Callable[..., None],
        on_event: Callable[[dict, np.ndarray | None], None],
        settings: LinkSettings | None = None,
        policy: SendingPolicy | None = None,
        send: Callable[[object], object] | None = None,
        session: Session | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.codec, self.cbr = codec, cbr
        self._session = session or Session()
        settings = dataclasses.replace(settings or LinkSettings(), session=Session(self._session.word))
        self.settings, self.policy = settings_of(codec, settings), policy or SendingPolicy()
        self.snr_db: float | None = None  # as the receiver last reported it
        self._defer, self._on_event, self._send, self._clock = defer, on_event, send, clock
        self._lock = threading.RLock()
        self._count = 0  # of transfers
        self._waiting: collections.deque[_Picture] = collections.deque()
        self._asked = 0
        self._occurrences: collections.Counter[bytes] = collections.Counter()
        self._transfers: dict[int, Outgoing] = {}  # oldest first
        self._let_go: set[bytes] = set()  # keys of pictures that are not kept any more, unconfirmed
        self._former: dict[int, bytes] = {}  # transfers that were given up, and the pictures that are sent anew
        self._spent: dict[bytes, ChannelUses] = {}  # by those pictures, on what was given up
        self._trains: collections.deque[list[Burst]] = collections.deque()
        self._repeats: collections.deque[list[Burst]] = collections.deque()
        self._encoding = 0  # pictures handed to the codec's thread and not yet in a train
        self._ending = False
        self._cancelled = False
        self._have: set[bytes] = set()
        self._connected = False
        self._lost_at = clock()
        self._moved = clock()  # when the receiver was last heard, or bursts left
        self._mute = False  # the receiver is there, and says nothing for longer than is waited for
        # Whether the receiver has said which pictures it has, or need not be waited for any longer.
        self._knows = send is None

    @property
    def uses_back_channel(self) -> bool:
        """Whether there is one, connected or not."""
        return self._send is not None

    def cancel(self) -> None:
        """Forgets all; what the codec's thread still does has no consequence."""
        with self._lock:
            self._waiting.clear()
            self._trains.clear()
            self._repeats.clear()
            self._transfers.clear()
            self._ending = self._cancelled = True

    # --- pictures in ---------------------------------------------------------------------------------------------

    def requests(self) -> int:
        """How many pictures to ask of the source now; it is taken that they are asked for."""
        with self._lock:
            count = max(0, QUEUED_IMAGES - len(self._waiting) - self._asked)
            self._asked += count
            return count

    def submit(self, name: str, image: np.ndarray) -> None:
        """Queues a picture uint8[H, W, 3]."""
        with self._lock:
            self._asked = max(0, self._asked - 1)
            first = picture_key(name, 0, image, self.cbr)
            number = self._occurrences[first]
            self._occurrences[first] += 1
            key = picture_key(name, number, image, self.cbr) if number else first
            self._waiting.append(_Picture(name, image, key))
        self._begin_waiting()

    def finish(self) -> None:
        """No more pictures will come."""
        with self._lock:
            self._ending = True

    @property
    def finished(self) -> bool:
        """Whether all has left, and all that is still expected of the receiver has come."""
        with self._lock:
            if not self._ending or self._waiting or self._encoding or self._trains or self._repeats:
                return False
            return not self._transfers or self._gave_up_hope()

    @property
    def unconfirmed(self) -> int:
        """Pictures that left and that the receiver has not said to have."""
        with self._lock:
            return len(self._transfers) + len(self._let_go - self._have)

    def say_bye(self) -> None:
        """Tells the receiver that the run is complete."""
        with self._lock:
            self._tell(Bye())

    # --- bursts out ----------------------------------------------------------------------------------------------

    def next_train(self) -> list[Burst] | None:
        """The bursts to send next, repeats first; None when there are none now."""
        with self._lock:
            train = None
            for queue in (self._repeats, self._trains):
                if queue:
                    train = list(queue.popleft())  # the round keeps its own
                    self._moved = self._clock()
                    break
        self._begin_waiting()
        return train

    def train_sent(
        self, transfer: int, round_: int, uses: ChannelUses, papr_db: float, start: int | None = None
    ) -> None:
        """A train has left the modulator: charges it, and tells the receiver that it may look for holes.

        Args:
            transfer, round_: whose it is.
            uses: what it cost.
            papr_db: its peak over its mean power.
            start: sample, of all that the modulator made, at which its last burst begins; None where nobody counts.
        """
        with self._lock:
            self._moved = self._clock()
            flight = self._transfers.get(transfer)
            if transfer in self._former:
                self._spend(self._former[transfer], uses)
            if flight is None or round_ not in flight.rounds:
                return
            sent = flight.rounds[round_]
            flight.uses = flight.uses + uses
            flight.papr_db = papr_db if flight.papr_db is None else max(flight.papr_db, papr_db)
            flight.repeated_bursts += sent.repeating
            sent.repeating = 0
            sent.sent_at = self._clock()
            if start is not None:
                place = {"event": "air", "round": round_, "attempt": sent.attempt, "start": start}
                self._tell(Report(transfer, place))
            self._tell(RoundSent(transfer, round_, sent.attempt, sent.attempt >= self._most_repeats))

    # --- the back-channel ----------------------------------------------------------------------------------------

    def connection(self, connected: bool, restarted: bool = False, encrypted: bool = False) -> None:
        """The back-channel came or went.

        Args:
            connected: whether it is there.
            restarted: the receiver is a new process that knows nothing.
            encrypted: nobody else was told the session's key.
        """
        with self._lock:
            if encrypted and self.settings.session != self._session:
                self.settings = dataclasses.replace(self.settings, session=self._session)
                for flight in reversed(list(self._transfers.values())):
                    self._again(flight, "the receiver cannot know who made what was sent before it had a key")
            if connected != self._connected:
                self._connected, self._lost_at = connected, self._clock()
                self._moved, self._mute = self._clock(), False
            if connected and restarted:
                for flight in reversed(list(self._transfers.values())):  # each goes before those that wait
                    self._again(flight, "the receiver was started again")
            if not connected:
                # Codecs go on waiting for feedback: most cuts are short, and lose nothing.
                for flight in list(self._transfers.values()):
                    self._release(flight)
        self._begin_waiting()

    def message(self, message: object) -> None:
        """Takes a message from the back-channel."""
        with self._lock:
            self._moved, self._mute = self._clock(), False
            if isinstance(message, Have):
                self._take_have(message)
            elif (flight := self._transfers.get(getattr(message, "transfer", -1))) is None:
                pass  # of a picture that was settled or given up
            elif isinstance(message, BurstMap):
                self._take_burst_map(flight, message)
            elif isinstance(message, Symbols):
                self._take_feedback(flight, message)
            elif isinstance(message, ChannelState):
                if np.isfinite(message.snr_db):
                    self.snr_db = float(np.clip(message.snr_db, -MOST_SNR_DB, MOST_SNR_DB))
                self._on_event({"event": "state", **dataclasses.asdict(message)}, None)
            elif isinstance(message, Stop):
                flight.stopped = True
                flight.pending.clear()
            elif isinstance(message, Report):
                self._take_report(flight, message.content)
        self._begin_waiting()

    def tick(self) -> None:
        """Looks at the clock; call it several times a second."""
        now = self._clock()
        with self._lock:
            is_awaited = bool(self._transfers) or not self._knows
            self._mute = self._connected and is_awaited and self._gave_up_hope()
            if not self._knows and self._gave_up_hope():
                self._knows = True  # nobody there: start without
            for flight in list(self._transfers.values()):
                sent_at = None if flight.awaiting is None else flight.rounds[flight.awaiting].sent_at
                if sent_at is not None and now - sent_at > self.policy.feedback_seconds:
                    self._proceed_without_feedback(flight)
        self._begin_waiting()

    # --- in the codec's thread -----------------------------------------------------------------------------------

    def encode(self, picture: _Picture) -> None:
        """Runs the codec on a picture as far as it goes without feedback."""
        if self._cancelled:
            return
        started = time.monotonic()
        cbr, settings = self._cbr_now(), self._settings_now()
        self._adapt_codec(settings)
        transmitter = self.codec.transmitter(cbr)
        try:
            payloads = [transmitter.start(picture.image)]
        except CodecError as error:  # of this picture, such as that it is too small: the others go on
            with self._lock:
                self._encoding -= 1
                self._on_event({"event": "left_out", "name": picture.name, "reason": str(error)}, None)
            return
        feedback = self.codec.uses_feedback and self._connected
        while not feedback and self._wants_round(len(payloads)) and (payload := transmitter.next(None)) is not None:
            payloads.append(payload)
        with self._lock:
            number = self._session.transfer(self._count)
            self._count += 1
            self._former.pop(number, None)
            self._moved = self._clock()
            settings = dataclasses.replace(settings, session=self.settings.session)  # which may have got its key
            flight = Outgoing(
                number, picture.name, picture.key, picture.image, cbr, transmitter, settings, started, picture.tries
            )
            flight.encode_seconds = time.monotonic() - started
            flight.complete = not feedback or not self._wants_round(1)
            if self._send is not None:
                self._transfers[number] = flight
                self._forget_oldest()
            fields = self._description(flight) | {"event": "sent", "layered": feedback or len(payloads) > 1}
            fields["rounds"] = len(payloads)
            self._on_event(fields | {"started": started}, picture.image)
            self._tell(Report(number, fields))
            flight.pending.extend(payloads)
            self._release(flight)
            flight.awaiting = None if flight.complete else 0
            self._encoding -= 1

    def _adapt_codec(self, settings: LinkSettings) -> None:
        """Tells what is around the codec how rounds are sent now, and how they arrive."""
        codec = self.codec
        while isinstance(codec, Wrapped):
            if isinstance(codec, WithinTotal):
                codec.settings = settings
            elif isinstance(codec, Refined) and self.snr_db is not None:
                codec.snr_db = self.snr_db
            codec = codec.codec

    def proceed(self, flight: Outgoing, feedback: Reception | None) -> None:
        """Runs the codec on to its next round or, when there is no feedback, to its last."""
        before = time.monotonic()
        payloads = []
        done = len(flight.rounds)
        while not flight.stopped and self._wants_round(done + len(payloads)):
            payload = flight.transmitter.next(feedback)
            if payload is None:
                break
            payloads.append(payload)
            if feedback is not None:
                break
        with self._lock:
            if self._transfers.get(flight.number) is not flight:
                return  # given up meanwhile
            flight.encode_seconds += time.monotonic() - before
            flight.complete = feedback is None or not payloads or not self._wants_round(done + 1)
            flight.pending.extend(payloads)
            self._release(flight)
            if not flight.complete:
                flight.awaiting = len(flight.rounds) - 1
            self._settle(flight)

    # --- inside --------------------------------------------------------------------------------------------------

    def _begin_waiting(self) -> None:
        """Hands pictures to the codec while there is room for what it makes of them."""
        with self._lock:
            while self._waiting and self._knows and self._has_room():
                picture = self._waiting.popleft()
                if picture.key in self._have:
                    self._on_event({"event": "skipped", "name": picture.name}, None)
                    continue
                self._encoding += 1
                self._defer(self.encode, picture)

    def _has_room(self) -> bool:
        flying = len(self._transfers) + self._encoding if self._connected and not self._gave_up_hope() else 0
        return len(self._trains) + self._encoding < QUEUED_TRAINS and flying < self.policy.in_flight

    def _gave_up_hope(self) -> bool:
        """Whether no receiver is there, or one that lives and says nothing of what it was sent."""
        if self._connected and self._mute:
            return True
        since = self._moved if self._connected else self._lost_at
        return self._clock() - since > self.policy.patience

    def _forget_oldest(self) -> None:
        while len(self._transfers) > REMEMBERED:
            self._let_go.add(self._transfers.pop(next(iter(self._transfers))).key)

    def _cbr_now(self) -> float:
        if not self.policy.adapt or self.snr_db is None:
            return self.cbr
        return adapted_cbr(self.cbr, self.snr_db, *self.codec.cbr_range)

    def _settings_now(self) -> LinkSettings:
        if not self._connected or self.snr_db is None:
            return self.settings
        return dataclasses.replace(self.settings, control_snr_db=self.snr_db)

    def _description(self, flight: Outgoing) -> dict:
        return {
            "transfer": flight.number, "name": flight.name, "key": flight.key.hex(), "codec": self.codec.name,
            "weights": self.codec.weights_name, "cbr": flight.cbr, "encode_seconds": flight.encode_seconds,
        }  # fmt: skip

    def _tell(self, message: object) -> None:
        if self._send is not None:
            self._send(message)

    def _wants_round(self, number: int) -> bool:
        """Whether a picture may have a round of this number."""
        return self.policy.rounds is None or number < self.policy.rounds

    def _release(self, flight: Outgoing) -> None:
        """Puts the next round on its way; without a receiver that may want no more, all."""
        if flight.stopped:
            flight.pending.clear()
        while flight.pending:
            self._add_round(flight, len(flight.rounds), flight.pending.popleft())
            if self._connected:
                break

    def _add_round(self, flight: Outgoing, round_: int, payload: Payload) -> None:
        height, width = flight.image.shape[:2]
        if self.policy.side_info == "back-channel" and self._connected and len(payload.symbols):
            session = flight.settings.session
            manifest = manifest_of(payload, height, width, self.codec.weights_hash, session).pack()
            self._tell(SideInfo(flight.number, round_, manifest))
            flight.side_info_bytes += len(manifest)
            bursts = analog_bursts(payload.symbols, flight.number, round_, flight.settings)
        else:
            weights = self.codec.weights_hash
            bursts = round_bursts(payload, height, width, weights, flight.number, round_, flight.settings)
        flight.analog_bursts += sum(burst.header.kind == BurstKind.ANALOG for burst in bursts)
        flight.rounds[round_] = OutgoingRound(bursts, payload.side_info)
        self._trains.append(bursts)

    def _take_have(self, message: Have) -> None:
        self._knows = self._knows or message.is_last
        if len(self._have) < MOST_HAVE:
            self._have.update(message.images)
        for flight in [f for f in self._transfers.values() if f.key in self._have]:
            self._stored(flight, {})

    @property
    def _most_repeats(self) -> int:
        """Of a round, those of a lost manifest included."""
        return self.policy.repeats + (MANIFEST_REPEATS if self.codec.uses_feedback else 0)

    def _take_burst_map(self, flight: Outgoing, message: BurstMap) -> None:
        sent = flight.rounds.get(message.round)
        if sent is None or sent.settled:
            return
        missing = sent.missing(message.manifest, message.received)
        whole = not missing or (message.manifest and len(message.received) == 0)
        if sent.sent_at is None and not (whole and self._withdraw(flight.number, message.round)):
            return  # of an attempt before the one that is on its way now
        if whole:
            sent.settled = True
        elif sent.attempt < self.policy.repeats:
            self._repeat(sent, missing)
        elif not message.manifest and sent.manifest and sent.attempt < self._most_repeats:
            self._repeat(sent, sent.manifest)
        else:
            sent.settled = True
            if sent.attempt < self._most_repeats:  # nor was the receiver told that no more would come
                self._tell(RoundSent(flight.number, message.round, sent.attempt, True))
        if sent.settled:
            self._release(flight)
        self._settle(flight)

    def _repeat(self, sent: OutgoingRound, bursts: list[Burst]) -> None:
        sent.attempt += 1
        sent.sent_at = None
        sent.repeating = len(bursts)
        self._repeats.append(bursts)

    def _withdraw(self, transfer: int, round_: int) -> bool:
        """Takes back the repeat of a round that has arrived meanwhile; false when it is on its way already."""
        for train in self._repeats:
            if (train[0].header.transfer, train[0].header.round) == (transfer, round_):
                self._repeats.remove(train)
                return True
        return False

    def _settle(self, flight: Outgoing) -> None:
        """Tells the receiver what the picture cost, once nothing of it will be sent again."""
        if flight.done or not flight.settled:
            return
        flight.done = True
        flight.uses = flight.uses + self._spent.pop(flight.key, ChannelUses(0, 0, 0, 0))
        fields = self._description(flight) | {
            "event": "done",
            **dataclasses.asdict(flight.uses),
            "rounds": len(flight.rounds),
            "bursts": flight.analog_bursts,
            "repeated": flight.repeated_bursts,
            "papr_db": flight.papr_db,
            "side_info_bytes": flight.side_info_bytes,
            "feedback_rounds": flight.feedback_rounds,
            "feedback_bytes": flight.feedback_bytes,
            "feedback_missed": flight.feedback_missed,
            "tries": flight.tries,
        }
        self._tell(Report(flight.number, fields))
        self._on_event(fields, None)

    def _take_feedback(self, flight: Outgoing, message: Symbols) -> None:
        if message.round != flight.awaiting:
            return  # counted when it was missed; or of a round after that, which nobody waits for
        flight.awaiting = None
        flight.feedback_rounds += 1
        flight.feedback_bytes += len(message.pack())
        side_info = flight.rounds[message.round].side_info
        self._defer(self.proceed, flight, Reception(message.symbols, message.noise_var, side_info))

    def _proceed_without_feedback(self, flight: Outgoing) -> None:
        flight.feedback_missed += 1
        flight.awaiting = None
        event = {"event": "late", "transfer": flight.number, "name": flight.name}
        self._on_event(event | {"reason": "no feedback came in time"}, None)
        self._defer(self.proceed, flight, None)

    def _take_report(self, flight: Outgoing, content: dict) -> None:
        if content.get("event") == "stored":
            self._stored(flight, {"psnr_db": told.number(content, "psnr_db")})
        elif content.get("event") == "decoding":
            self._on_event({"event": "decoding", "transfer": flight.number, "name": flight.name}, None)
        elif content.get("event") == "receiving":
            sent = flight.rounds.get(told.whole(content, "round", -1))
            if sent is not None and sent.sent_at is not None:
                sent.sent_at = self._clock()
        elif content.get("event") == "failed" and flight.tries < MOST_TRIES:
            self._again(flight, "nothing of it could be decoded")
        elif content.get("event") == "failed":
            self._forget(flight)
            self._on_event({"event": "failed", "transfer": flight.number, "name": flight.name}, None)

    def _stored(self, flight: Outgoing, figures: dict) -> None:
        self._forget(flight)
        self._have.add(flight.key)
        seconds = time.monotonic() - flight.started
        fields = {"event": "stored", "transfer": flight.number, "name": flight.name, "seconds": seconds}
        self._on_event(fields | figures, None)

    def _again(self, flight: Outgoing, reason: str) -> None:
        """Sends a picture from the beginning, as a new transfer, which is charged with what the old one cost."""
        self._forget(flight)
        self._former[flight.number] = flight.key
        self._spend(flight.key, flight.uses)
        self._waiting.appendleft(_Picture(flight.name, flight.image, flight.key, flight.tries + 1))
        self._on_event({"event": "again", "transfer": flight.number, "name": flight.name, "reason": reason}, None)

    def _spend(self, key: bytes, uses: ChannelUses) -> None:
        self._spent[key] = self._spent.get(key, ChannelUses(0, 0, 0, 0)) + uses

    def _forget(self, flight: Outgoing) -> None:
        """Drops a transfer and what is queued of it."""
        self._transfers.pop(flight.number, None)
        for queue in (self._trains, self._repeats):
            for train in [train for train in queue if train[0].header.transfer == flight.number]:
                queue.remove(train)
