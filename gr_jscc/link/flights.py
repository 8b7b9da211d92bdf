"""The pictures in flight: their rounds are put on their way, and what did not arrive is sent again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec, Payload
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.back_channel import BurstMap, Report, RoundSent, SideInfo
from gr_jscc.link.burst_length import BurstLength
from gr_jscc.link.bursts import Burst, analog_bursts, manifest_of, round_bursts
from gr_jscc.link.given_up import GivenUp
from gr_jscc.link.outgoing import Outgoing, OutgoingRound
from gr_jscc.link.policy import MANIFEST_REPEATS, REMEMBERED, SendingPolicy
from gr_jscc.link.presence import Presence
from gr_jscc.link.standing_manifest import StandingManifests
from gr_jscc.link.trains import Trains
from gr_jscc.modem.header import BurstKind


class Flights:
    """Transfers until the receiver has them, oldest first. Not safe to call from several threads.

    Args:
        codec: whose rounds they are.
        policy: how often what is missing is sent again.
        presence: of the receiver; without one all rounds leave at once.
        tell: hands a message to the receiver, if there is one.
        on_event: told (fields, picture or None) of pictures that went to the link, and of those of which nothing will
            be sent again.
        burst_length: is told which bursts of first sendings arrived; None where nobody asks.
        clock: seconds.

    Attributes:
        trains: what is sent next of them.
        given_up: transfers that ended before the receiver had them.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> from gr_jscc.link.bursts import LinkSettings
        >>> codec, image = Separation("jpeg:ldpc-2/3:16qam"), np.full((96, 128, 3), 90, np.uint8)
        >>> alone = Presence(is_expected=False, patience=30.0, clock=lambda: 0.0)
        >>> told = []
        >>> flights = Flights(codec, SendingPolicy(), alone, told.append, on_event=lambda fields, picture: None)
        >>> half = codec.transmitter(1 / 3)
        >>> flight = Outgoing(7, "a.png", b"picture1", image, 1 / 3, half, LinkSettings(), started=0.0)
        >>> flights.begin(flight, [half.start(image)], layered=False)
        >>> told[0].content["event"], flights.trains.next()[0].header.transfer
        ('sent', 7)
    """

    def __init__(
        self,
        codec: Codec,
        policy: SendingPolicy,
        presence: Presence,
        tell: Callable[[object], None],
        on_event: Callable[[dict, np.ndarray | None], None],
        burst_length: BurstLength | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst_length = burst_length
        self._codec, self._policy, self._presence = codec, policy, presence
        self._tell, self._on_event = tell, on_event
        self._transfers: dict[int, Outgoing] = {}
        self._let_go: set[bytes] = set()  # keys of pictures that are not kept any more, unconfirmed
        self._manifests = StandingManifests(codec, clock)
        self.trains = Trains()
        self.given_up = GivenUp()

    def __len__(self) -> int:
        return len(self._transfers)

    def all(self) -> list[Outgoing]:
        """All, oldest first."""
        return list(self._transfers.values())

    @property
    def have_left(self) -> bool:
        """Whether no round is on its way to the air."""
        rounds = (sent for flight in self._transfers.values() for sent in flight.rounds.values())
        return all(sent.settled or sent.sent_at is not None for sent in rounds)

    def get(self, transfer: int) -> Outgoing | None:
        """One by its number; None when it was settled or given up."""
        return self._transfers.get(transfer)

    def unconfirmed(self, have: set[bytes]) -> int:
        """Pictures that left and that the receiver has not said to have, by the keys of those that it has."""
        return len(self._transfers) + len(self._let_go - have)

    def begin(self, flight: Outgoing, payloads: list[Payload], layered: bool) -> None:
        """Tells of a new one, and puts its first round on its way.

        Where there is a back-channel it is kept until the receiver has it; the oldest are let go when there are too
        many.

        Args:
            flight: without rounds.
            payloads: its rounds as far as they are made.
            layered: whether it may have more than one.
        """
        if self._presence.is_expected:
            self._transfers[flight.number] = flight
            while len(self._transfers) > REMEMBERED:
                self._let_go.add(self._transfers.pop(next(iter(self._transfers))).key)
        fields = self._description(flight) | {"event": "sent", "layered": layered, "rounds": len(payloads)}
        self._on_event(fields | {"started": flight.started}, flight.image)
        self._tell(Report(flight.number, fields))
        flight.pending.extend(payloads)
        self.release(flight)

    def forget(self, flight: Outgoing) -> None:
        """Drops a transfer and what is queued of it."""
        self._transfers.pop(flight.number, None)
        self.trains.forget(flight.number)

    def give_up(self, flight: Outgoing) -> None:
        """Drops a transfer whose picture will be sent anew, and charged with what it cost."""
        self.forget(flight)
        self.given_up.add(flight.number, flight.key, flight.uses)

    def clear(self) -> None:
        """Drops all."""
        self._transfers.clear()
        self.trains.clear()

    def release(self, flight: Outgoing) -> None:
        """Puts the next round on its way; without a receiver that may want no more, all."""
        if flight.stopped:
            flight.pending.clear()
        while flight.pending:
            self._add_round(flight, len(flight.rounds), flight.pending.popleft())
            if self._presence.connected:
                break

    def left(
        self, flight: Outgoing, round_: int, uses: ChannelUses, papr_db: float, start: int | None, now: float
    ) -> None:
        """Charges a train of a round that has left the modulator, and tells the receiver that it may look for holes.

        Args:
            flight, round_: whose it is.
            uses: what it cost.
            papr_db: its peak over its mean power.
            start: sample at which its last burst begins; None where nobody counts.
            now: seconds.
        """
        sent = flight.rounds[round_]
        flight.uses = flight.uses + uses
        flight.papr_db = papr_db if flight.papr_db is None else max(flight.papr_db, papr_db)
        flight.repeated_bursts += sent.repeating
        sent.repeating = 0
        sent.sent_at = now
        if start is not None:
            place = {"event": "air", "round": round_, "attempt": sent.attempt, "start": start}
            self._tell(Report(flight.number, place))
        self._tell(RoundSent(flight.number, round_, sent.attempt, sent.attempt >= self._most_repeats))

    def take_burst_map(self, flight: Outgoing, message: BurstMap) -> None:
        """The receiver says what came of a round: the rest is sent again, or the next round follows."""
        sent = flight.rounds.get(message.round)
        if sent is None or sent.settled:
            return
        missing = sent.missing(message.manifest, message.received)
        whole = not missing or (message.manifest and len(message.received) == 0)
        if sent.sent_at is None and not (whole and self.trains.withdraw(flight.number, message.round)):
            return  # of an attempt before the one that is on its way now
        if sent.attempt == 0:
            self._count_first_sending(sent, whole, message.received)
        if whole:
            sent.settled = True
        elif sent.attempt < self._policy.repeats:
            self._repeat(sent, missing)
        elif not message.manifest and sent.manifest and sent.attempt < self._most_repeats:
            self._repeat(sent, sent.manifest)
        else:
            sent.settled = True
            if sent.attempt < self._most_repeats:  # nor was the receiver told that no more would come
                self._tell(RoundSent(flight.number, message.round, sent.attempt, True))
        if sent.settled:
            self.release(flight)
        self.settle(flight)

    def _count_first_sending(self, sent: OutgoingRound, whole: bool, received: np.ndarray) -> None:
        analog = sent.analog
        if self._burst_length is None or not analog or not (whole or len(received) == len(analog)):
            return
        received = np.ones(len(analog), bool) if whole else received
        self._burst_length.heard(received, max(burst.header.symbols for burst in analog.values()))

    def settle(self, flight: Outgoing) -> None:
        """Tells the receiver what the picture cost, once nothing of it will be sent again."""
        if flight.done or not flight.settled:
            return
        flight.done = True
        flight.uses = flight.uses + self.given_up.take(flight.key)
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

    def _add_round(self, flight: Outgoing, round_: int, payload: Payload) -> None:
        height, width = flight.image.shape[:2]
        weights = self._codec.weights_hash
        standing_for = flight.settings.manifest_seconds
        payload, is_known = self._manifests.describe(payload, (height, width), round_, standing_for)
        if self._policy.side_info == "back-channel" and self._presence.connected and len(payload.symbols):
            manifest = manifest_of(payload, height, width, weights, flight.settings.session).pack()
            self._tell(SideInfo(flight.number, round_, manifest))
            flight.side_info_bytes += len(manifest)
            is_known = True
        if is_known:
            bursts = analog_bursts(payload.symbols, flight.number, round_, flight.settings)
        else:
            bursts = round_bursts(payload, height, width, weights, flight.number, round_, flight.settings)
        flight.analog_bursts += sum(burst.header.kind == BurstKind.ANALOG for burst in bursts)
        flight.rounds[round_] = OutgoingRound(bursts, payload.side_info)
        self.trains.add(bursts)

    @property
    def _most_repeats(self) -> int:
        """Of a round, those of a lost manifest included."""
        return self._policy.repeats + (MANIFEST_REPEATS if self._codec.uses_feedback else 0)

    def _repeat(self, sent: OutgoingRound, bursts: list[Burst]) -> None:
        sent.attempt += 1
        sent.sent_at = None
        sent.repeating = len(bursts)
        self.trains.repeat(bursts)

    def _description(self, flight: Outgoing) -> dict:
        return {
            "transfer": flight.number, "name": flight.name, "key": flight.key.hex(), "codec": self._codec.name,
            "weights": self._codec.weights_name, "cbr": flight.cbr, "encode_seconds": flight.encode_seconds,
        }  # fmt: skip
