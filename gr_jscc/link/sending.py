"""The sending end of the link: pictures in, trains of bursts out, and what the back-channel says of them.

Rounds that arrived with holes are repeated on request, feedback goes to the codec, and pictures that the receiver
has stored are forgotten. Without a back-channel every round leaves once and nothing is waited for.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Reception
from gr_jscc.link import told
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.back_channel import BurstMap, Bye, ChannelState, Have, Report, Stop, Symbols
from gr_jscc.link.burst_length import BurstLength
from gr_jscc.link.bursts import Burst, LinkSettings, settings_of
from gr_jscc.link.encoding import adapt_codec, further_rounds
from gr_jscc.link.flights import Flights
from gr_jscc.link.outgoing import Outgoing, adapted_settings
from gr_jscc.link.picture_queue import PictureQueue, WaitingPicture
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.presence import Presence
from gr_jscc.link.sending_rate import SendingRate
from gr_jscc.link.session import Session, sender_of

QUEUED_TRAINS = 2  # rounds encoded and waiting for the modulator
MOST_HAVE = 1 << 22  # pictures of a run that a receiver may say it has
MOST_TRIES = 3  # of a picture that does not arrive, each with all its repeats


class SendingEnd:
    """The state of all pictures on their way out.

    What runs the codec is handed to ``defer``, for a thread of its own; all else returns at once, in any thread.

    Args:
        codec: the codec.
        cbr: most complex symbols per colour value; may be changed, and holds for the pictures to come.
        defer: called with (function, arguments…) for what belongs in the codec's thread.
        on_event: told (fields, picture or None). ``event`` is ``sent`` (the picture went to the link), ``left_out``
            (the codec cannot send it, for a ``reason``), ``done`` (nothing of it will be sent again), ``stored``,
            ``skipped`` (the receiver has it from an earlier start), ``decoding`` (the receiver works on it), ``again``,
            ``failed``, ``state`` (of the channel, as reported) or ``late`` (feedback that came too late, or never).
        settings: how rounds become bursts; None: as the codec asks. While a receiver reports its SNR, manifests and
            side information are coded for that. Their session is this start of the sender: it numbers transfers,
            and authenticates manifests once a receiver on an encrypted back-channel was told its key.
        policy: how the back-channel is used.
        send: hands a message to the back-channel, false when it is refused; None without a back-channel.
        clock: seconds.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> SendingEnd(Separation("jpeg:ldpc-2/3:16qam"), 1 / 6, defer=print, on_event=print).requests()  # pictures
        2
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.codec, self.cbr = codec, cbr
        settings = settings or LinkSettings()
        self._session = settings.session
        settings = dataclasses.replace(settings, session=Session(self._session.word))
        self.settings, self.policy = settings_of(codec, settings), policy or SendingPolicy()
        self._defer, self._on_event, self._send, self._clock = defer, on_event, send, clock
        self.rate = SendingRate(codec, self.policy, clock)
        self._lock = threading.RLock()
        self._count = 0  # of transfers
        self._queue = PictureQueue(endless=send is None)
        self._presence = Presence(send is not None, self.policy.patience, clock)
        self._burst_length = BurstLength(self.settings.numerology) if self.policy.fit_bursts else None
        self._flights = Flights(codec, self.policy, self._presence, self._tell, on_event, self._burst_length, clock)
        self._encoding = 0  # pictures handed to the codec's thread and not yet in a train
        self._ending = self._cancelled = False
        self._have: set[bytes] = set()

    @property
    def uses_back_channel(self) -> bool:
        """Whether there is one, connected or not."""
        return self._send is not None

    def cancel(self) -> None:
        """Forgets all; what the codec's thread still does has no consequence."""
        with self._lock:
            self._queue.clear()
            self._flights.clear()
            self._ending = self._cancelled = True

    # --- pictures in ---------------------------------------------------------------------------------------------

    def requests(self) -> int:
        """How many pictures to ask of the source now; it is taken that they are asked for."""
        with self._lock:
            return self._queue.requests()

    def submit(self, name: str, image: np.ndarray) -> None:
        """Queues a picture uint8[H, W, 3]."""
        with self._lock:
            self._queue.add(name, image, self.cbr)
        self._begin_waiting()

    def finish(self) -> None:
        """No more pictures will come."""
        with self._lock:
            self._ending = True

    @property
    def finished(self) -> bool:
        """Whether all has left, and all that is still expected of the receiver has come."""
        with self._lock:
            if not self._ending or self._queue or self._encoding or self._flights.trains:
                return False
            return not self._flights or (self._flights.have_left and self._presence.is_over)

    @property
    def unconfirmed(self) -> int:
        """Pictures that left and that the receiver has not said to have."""
        with self._lock:
            return self._flights.unconfirmed(self._have)

    def say_bye(self) -> None:
        """Tells the receiver that the run is complete."""
        with self._lock:
            self._tell(Bye())

    # --- bursts out ----------------------------------------------------------------------------------------------

    def next_train(self) -> list[Burst] | None:
        """The bursts to send next, repeats first; None when there are none now."""
        with self._lock:
            train = self._flights.trains.next()
            if train is not None:
                self._presence.moved()
        self._begin_waiting()
        return train

    def train_sent(
        self, transfer: int, round_: int, uses: ChannelUses, papr_db: float, start: int | None = None
    ) -> None:
        """A train has left the modulator: charges it, and tells the receiver that it may look for holes.

        Args:
            transfer, round_, uses: whose it is, and what it cost.
            papr_db: its peak over its mean power.
            start: sample, of all that the modulator made, at which its last burst begins; None where nobody counts.
        """
        with self._lock:
            self._presence.moved()
            self._flights.given_up.charge(transfer, uses)
            if (flight := self._flights.get(transfer)) is not None and round_ in flight.rounds:
                self._flights.left(flight, round_, uses, papr_db, start, self._clock())

    # --- the back-channel ----------------------------------------------------------------------------------------

    def connection(self, connected: bool, restarted: bool = False, encrypted: bool = False) -> None:
        """The back-channel came or went.

        Args:
            connected: whether it is there.
            restarted: the receiver is a new process that knows nothing.
            encrypted: nobody else was told the session's key.
        """
        with self._lock:
            if self.policy.listens_only:
                return self.rate.forget()
            if encrypted and self.settings.session != self._session:
                self.settings = dataclasses.replace(self.settings, session=self._session)
                for flight in reversed(self._flights.all()):
                    self._again(flight, "sent before the receiver had the session's key")
            self._presence.connection(connected)
            if connected and restarted:
                for flight in reversed(self._flights.all()):  # each goes before those that wait
                    self._again(flight, "the receiver was restarted")
            if not connected:
                # Codecs go on waiting for feedback: most cuts are short, and lose nothing.
                for flight in self._flights.all():
                    self._flights.release(flight)
        self._begin_waiting()

    def message(self, message: object) -> None:
        """Takes a message from the back-channel."""
        with self._lock:
            self._presence.heard()
            if isinstance(message, Have):
                self._take_have(message)
            elif (flight := self._flights.get(getattr(message, "transfer", -1))) is None:
                if self.policy.listens_only and isinstance(message, ChannelState):
                    self._take_state(message)
            elif isinstance(message, BurstMap):
                self._flights.take_burst_map(flight, message)
            elif isinstance(message, Symbols):
                if (feedback := flight.take_feedback(message)) is not None:
                    self._defer(self.proceed, flight, feedback)
            elif isinstance(message, ChannelState):
                self._take_state(message)
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
            self._presence.look(bool(self._flights))
            for flight in self._flights.all():
                sent_at = None if flight.awaiting is None else flight.rounds[flight.awaiting].sent_at
                if sent_at is not None and now - sent_at > self.policy.feedback_seconds:
                    self._proceed_without_feedback(flight)
        self._begin_waiting()

    # --- in the codec's thread -----------------------------------------------------------------------------------

    def encode(self, picture: WaitingPicture) -> None:
        """Runs the codec on a picture as far as it goes without feedback."""
        if self._cancelled:
            return
        started = time.monotonic()
        cbr, settings = self.rate.now(self.cbr), self._settings_now()
        adapt_codec(self.codec, settings, self.rate.snr_db)
        transmitter = self.codec.transmitter(cbr)
        try:
            payloads = [transmitter.start(picture.image)]
        except CodecError as error:  # of this picture, such as that it is too small: the others go on
            with self._lock:
                self._encoding -= 1
                self._on_event({"event": "left_out", "name": picture.name, "reason": str(error)}, None)
            return
        feedback = self.codec.uses_feedback and self._presence.connected
        if not feedback:
            payloads += further_rounds(transmitter, None, lambda count: self.policy.wants_round(1 + count))
        with self._lock:
            number = self._session.transfer(self._count)
            self._count += 1
            self._flights.given_up.number_again(number)
            self._presence.moved()
            settings = dataclasses.replace(settings, session=self.settings.session)  # which may have got its key
            flight = Outgoing(
                number, picture.name, picture.key, picture.image, cbr, transmitter, settings, started, picture.tries
            )
            flight.encode_seconds = time.monotonic() - started
            flight.complete = not feedback or not self.policy.wants_round(1)
            self._flights.begin(flight, payloads, layered=feedback or len(payloads) > 1)
            flight.awaiting = None if flight.complete else 0
            self._encoding -= 1
        self.codec.sent(payloads[0])

    def proceed(self, flight: Outgoing, feedback: Reception | None) -> None:
        """Runs the codec on to its next round or, when there is no feedback, to its last."""
        before = time.monotonic()
        done = len(flight.rounds)
        payloads = further_rounds(
            flight.transmitter, feedback, lambda count: not flight.stopped and self.policy.wants_round(done + count)
        )
        with self._lock:
            if self._flights.get(flight.number) is not flight:
                return  # given up meanwhile
            flight.encode_seconds += time.monotonic() - before
            flight.complete = feedback is None or not payloads or not self.policy.wants_round(done + 1)
            flight.pending.extend(payloads)
            self._flights.release(flight)
            if not flight.complete:
                flight.awaiting = len(flight.rounds) - 1
            self._flights.settle(flight)

    # --- inside --------------------------------------------------------------------------------------------------

    def _begin_waiting(self) -> None:
        """Hands pictures to the codec while there is room for what it makes of them."""
        with self._lock:
            while self._queue and self._presence.knows and self._has_room():
                picture = self._queue.next()
                if picture.key in self._have:
                    self._on_event({"event": "skipped", "name": picture.name}, None)
                    continue
                self._encoding += 1
                self._defer(self.encode, picture)

    def _has_room(self) -> bool:
        flying = len(self._flights) + self._encoding if self._presence.answers else 0
        return self._flights.trains.new + self._encoding < QUEUED_TRAINS and flying < self.policy.in_flight

    def _settings_now(self) -> LinkSettings:
        snr_db = self.rate.snr_db if self._presence.connected else None
        return adapted_settings(self.settings, snr_db, self._burst_length)

    def _tell(self, message: object) -> None:
        if self._send is not None:
            self._send(message)

    def _take_state(self, message: ChannelState) -> None:
        if sender_of(message.transfer) == self._session.sender:  # and not somebody else on the same air
            self.rate.heard(message.snr_db)
            self._on_event({"event": "state", **dataclasses.asdict(message)}, None)

    def _take_have(self, message: Have) -> None:
        self._presence.knows = self._presence.knows or message.is_last
        if len(self._have) < MOST_HAVE:
            self._have.update(message.images)
        for flight in [f for f in self._flights.all() if f.key in self._have]:
            self._stored(flight)

    def _proceed_without_feedback(self, flight: Outgoing) -> None:
        flight.feedback_missed, flight.awaiting = flight.feedback_missed + 1, None
        self._say("late", flight, reason="no feedback arrived in time")
        self._defer(self.proceed, flight, None)

    def _take_report(self, flight: Outgoing, content: dict) -> None:
        if content.get("event") == "stored":
            self._stored(flight, psnr_db=told.number(content, "psnr_db"))
        elif content.get("event") == "decoding":
            self._say("decoding", flight)
        elif content.get("event") == "receiving":
            sent = flight.rounds.get(told.whole(content, "round", -1))
            if sent is not None and sent.sent_at is not None:
                sent.sent_at = self._clock()
        elif content.get("event") == "failed" and flight.tries < MOST_TRIES:
            self._again(flight, "nothing of it could be decoded")
        elif content.get("event") == "failed":
            self._flights.forget(flight)
            self._say("failed", flight)

    def _stored(self, flight: Outgoing, **figures: float | None) -> None:
        self._flights.forget(flight)
        self._have.add(flight.key)
        self._say("stored", flight, seconds=time.monotonic() - flight.started, **figures)

    def _again(self, flight: Outgoing, reason: str) -> None:
        """Sends a picture from the beginning, as a new transfer, which is charged with what the old one cost."""
        self._flights.give_up(flight)
        self._queue.add_first(WaitingPicture(flight.name, flight.image, flight.key, flight.tries + 1))
        self._say("again", flight, reason=reason)

    def _say(self, event: str, flight: Outgoing, **more: object) -> None:
        self._on_event({"event": event, "transfer": flight.number, "name": flight.name, **more}, None)
