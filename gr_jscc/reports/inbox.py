"""Brings together what a receiving host decoded and what the transmitting host tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from gr_jscc import telling
from gr_jscc.link import told
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.session import sender_of, transfer_name
from gr_jscc.reports.collector import Result
from gr_jscc.reports.report import Feedback, OnAir, Received, Sent, build_report

#: How long a picture waits to hear from a connected transmitter what it is, and for rounds that nobody works on.
UNKNOWN_SECONDS = 10.0
MOST_OPEN = 64  # pictures that wait for the air to be quiet
OTHERS = 4  # those of as many other senders may wait where there is no back-channel
MOST_KNOWN = 256  # pictures that the transmitter may tell of at a time: ours keeps 64
STUCK = 5  # times the patience without news of a picture after which a connected transmitter says no more of it


@dataclass
class _Transfer:
    about: dict | None = None  # what the transmitter said at its beginning
    cost: dict | None = None  # and at its end
    decoding: set[int] = field(default_factory=set)  # rounds that the decoder has in hand
    over: bool = False  # no further round of it will come
    pictures: dict[int, Received] = field(default_factory=dict)  # by round
    psnr_db: dict[int, float | None] = field(default_factory=dict)
    changed: float = 0.0


class Inbox:
    """Matches decoded rounds with the transmitter's messages, in whatever order they come.

    Every round gives a result that is not final; the final one comes when the transmitter says that it was all, or,
    without a back-channel, when no further round can come: the air is quiet, or has gone on to the next picture. No
    picture is final while the decoder has a round of it in hand, however long that takes.

    Args:
        channel, sample_rate: for the report.
        original: finds the picture uint8[H, W, 3] that was sent, by its name; None where it is not known.
        patience: seconds without a back-channel after which nothing is expected of it; 0 where there is none.
        clock: seconds.
        radio: tells of the receiver's radio, for the report.

    Attributes:
        failed: numbers of transfers that have ended without a picture; whoever tells the transmitter takes them out.

    Example:
        >>> inbox, picture = Inbox("air", patience=0.0), np.zeros((4, 6, 3), np.uint8)
        >>> inbox.taken(transfer=7, round_=0)
        []
        >>> results = inbox.received(7, 0, Received(picture, None, 0.01, finished=0.5)) + inbox.quiet()
        >>> [result.final for result in results]
        [False, True]
    """

    def __init__(
        self,
        channel: str,
        sample_rate: float = 1e6,
        original: Callable[[str], np.ndarray | None] = lambda name: None,
        patience: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        radio: Callable[[], dict | None] = lambda: None,
    ) -> None:
        self.channel, self.sample_rate = channel, sample_rate
        self._original, self._patience, self._clock, self._radio = original, patience, clock, radio
        self.failed: list[int] = []
        self._transfers: dict[int, _Transfer] = {}
        self._connected = self._met = False  # now, and whether ever
        self._lost_at = clock()
        self._quiet = False

    def expect_no_back_channel(self) -> None:
        """There is none: no patience with it."""
        self._patience = 0.0

    def taken(self, transfer: int, round_: int) -> list[Result]:
        """The decoder has a round in hand; `received` tells what came of it."""
        self._quiet = False
        self._state(transfer).decoding.add(round_)
        # Where nothing is ever repeated a sender's pictures follow each other. After a cut their rounds may be mixed.
        own = sender_of(transfer)
        older = [number for number in self._transfers if number != transfer and sender_of(number) == own]
        others = [number for number in self._transfers if sender_of(number) != own]
        older += [] if self._met else others[: max(0, len(others) - OTHERS)]  # pictures that are held take memory
        if self._met:
            older = older[: max(0, len(older) - MOST_OPEN)]
        return self._pass(older) if self._alone() else []

    def quiet(self) -> list[Result]:
        """Nothing is on the air any more."""
        self._quiet = True
        return self._pass(self._transfers) if self._alone() else []

    def received(self, transfer: int, round_: int, received: Received) -> list[Result]:
        """A decoded round."""
        state = self._state(transfer)
        state.decoding.discard(round_)
        state.pictures[round_] = received
        results = [] if received.image is None else [self._result(transfer, state, final=False)]
        return results + self._finish(transfer)

    def told(self, transfer: int, content: dict) -> list[Result]:
        """What the transmitter tells of a transfer."""
        kind, content = content.get("event"), told.brief(content)
        if transfer not in self._transfers and not self._has_room():
            return []
        if kind == "sent":
            if (old := self._transfers.get(transfer)) is not None and old.about is not None:
                del self._transfers[transfer]  # its number is used again
            self._state(transfer).about = content
        elif kind == "done":
            state = self._state(transfer)
            state.about, state.cost = state.about or content, content
        return self._finish(transfer) if transfer in self._transfers else []

    def connection(self, connected: bool, restarted: bool = False) -> None:
        """The back-channel came or went; a transmitter that was started again sends unfinished pictures anew."""
        if connected != self._connected:
            self._connected, self._met, self._lost_at = connected, True, self._clock()
            for state in self._transfers.values() if connected else ():
                state.changed = self._clock()  # what was told during the cut comes now
        if restarted:
            self._transfers.clear()

    def tick(self) -> list[Result]:
        """Looks at the clock: results of transfers of which no more is expected."""
        now, results = self._clock(), []
        for transfer, state in list(self._transfers.items()):
            if state.decoding or now - state.changed <= UNKNOWN_SECONDS:
                continue
            if self._connected and state.about is None:
                del self._transfers[transfer]  # a leftover of a transmitter that is no more
            elif state.cost is not None or (self._connected and now - state.changed > STUCK * self._patience):
                results += self._end(transfer)
        if self._quiet and self._alone():
            results += self._pass(self._transfers)
        return results

    def end(self) -> list[Result]:
        """At the end of the run: what there is of all."""
        return [result for transfer in list(self._transfers) for result in self._end(transfer)]

    def _has_room(self) -> bool:
        """Whether news of another transfer can be kept; the oldest of which nothing came goes for it."""
        if len(self._transfers) >= MOST_KNOWN:
            idle = (number for number, state in self._transfers.items() if not state.decoding and not state.pictures)
            self._transfers.pop(next(idle, None), None)
        return len(self._transfers) < MOST_KNOWN

    def _state(self, transfer: int) -> _Transfer:
        state = self._transfers.setdefault(transfer, _Transfer())
        state.changed = self._clock()
        return state

    def _alone(self) -> bool:
        """Whether nothing is expected of a back-channel."""
        return not self._connected and self._clock() - self._lost_at >= self._patience

    def _pass(self, transfers: Iterable[int]) -> list[Result]:
        """No further round of these will come."""
        results = []
        for transfer in list(transfers):
            self._transfers[transfer].over = True
            results += self._finish(transfer)
        return results

    def _finish(self, transfer: int) -> list[Result]:
        state = self._transfers[transfer]
        complete = state.cost is not None and len(state.pictures) >= told.whole(state.cost, "rounds", 1)
        return self._end(transfer) if not state.decoding and (complete or state.over) else []

    def _end(self, transfer: int) -> list[Result]:
        state = self._transfers.pop(transfer)
        if not any(received.arrived for received in state.pictures.values()):
            self.failed.append(transfer)
            # Where nobody sends it anew, the grey picture that the codec showed is all there will be.
            if not self._alone() or all(received.image is None for received in state.pictures.values()):
                return []
        return [self._result(transfer, state, final=True)]

    def _result(self, transfer: int, state: _Transfer, final: bool) -> Result:
        about, cost = state.about or {}, state.cost or {}
        name = told.text(about, "name") or transfer_name(transfer)
        last = max(round_ for round_, received in state.pictures.items() if received.image is not None)
        original = self._original(name)
        if original is not None and original.shape != state.pictures[last].image.shape:
            if final:
                telling.remark("originals", f"no PSNR: the original {name} has another size than the received picture")
            original = None
        sent = Sent(
            name, original, told.text(about, "codec"), told.text(about, "weights"),
            told.number(about, "cbr"), told.number(cost or about, "encode_seconds"), None,
        )  # fmt: skip
        carried = sum(received.side_info_bytes for received in state.pictures.values())
        received = replace(state.pictures[last], side_info_bytes=carried)
        uses, heard = None, sum(r.arrival.bursts_sent for r in state.pictures.values() if r.arrival)
        if cost:
            uses = ChannelUses(*(told.whole(cost, key, 0) for key in ("payload", "side_info", "header", "air")))
        air = OnAir(
            uses, told.whole(cost, "bursts", heard), told.number(cost, "papr_db"), told.whole(cost, "repeated", 0),
            told.whole(cost, "side_info_bytes", 0),
        )  # fmt: skip
        feedback = Feedback(*(told.whole(cost, f"feedback_{key}", 0) for key in ("rounds", "bytes", "missed")))
        report = build_report(sent, air, received, self.channel, None, self.sample_rate, feedback, self._radio())
        report["bursts"]["received"] = sum(r.arrival.bursts_received for r in state.pictures.values() if r.arrival)
        report["bursts"]["lost"] = report["bursts"]["sent"] - report["bursts"]["received"]
        state.psnr_db[last] = report["psnr_db"]
        report["rounds"] = [{"round": number, "psnr_db": psnr} for number, psnr in sorted(state.psnr_db.items())]
        report["key"] = told.key(about)
        layered = about.get("layered") is True
        rounds = tuple(sorted(state.pictures))
        return Result(transfer, last, original, received.image, report, final, layered, rounds)
