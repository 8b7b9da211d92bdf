"""Brings together what transmitter, modulator and receiver each know of an image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gr_jscc.reports.report import OnAir, Received, Sent, build_report


@dataclass(frozen=True)
class Result:
    """One picture that arrived (or did not), and its report.

    Attributes:
        transfer, round: numbers on the link.
        original: uint8[H, W, 3]; None where it is not known.
        received: uint8[H, W, 3] or None.
        report: see `build_report`.
        final: whether no better one of the picture is to come.
        layered: whether the picture comes in several rounds.
        rounds: on a receiving host, those that were heard of, with a picture or without.

    Example:
        >>> picture = np.zeros((4, 6, 3), np.uint8)
        >>> result = Result(transfer=7, round=1, original=picture, received=picture, report={"psnr_db": 100.0})
        >>> result.final, result.report["psnr_db"]
        (True, 100.0)
    """

    transfer: int
    round: int
    original: np.ndarray | None
    received: np.ndarray | None
    report: dict
    final: bool = True
    layered: bool = False
    rounds: tuple[int, ...] = ()


@dataclass
class _Transfer:
    sent: Sent | None = None
    air: dict[int, OnAir] = field(default_factory=dict)
    received: dict[int, Received] = field(default_factory=dict)
    snr_db: float | None = None  # of the channel when it went on the air
    psnr_db: dict[int, float | None] = field(default_factory=dict)  # by round
    arrived: dict[int, int] = field(default_factory=dict)  # bursts, by round
    side_info_bytes: dict[int, int] = field(default_factory=dict)  # by round
    latest: tuple[int, Received] | None = None  # round that became a result
    final: bool = False  # whether it was the last


class Collector:
    """Matches the three ends by transfer and round, in whatever order their news comes.

    Every round gives a result; that of the last one is final. When a picture arrives, those sent before it of which
    something, or all, never came are told of as they are.

    Args:
        channel, snr_db, sample_rate: what `build_report` is told of the channel; ``snr_db`` may be
            changed while running and holds for what goes on the air from then on.

    Example:
        >>> from gr_jscc.link.accounting import ChannelUses
        >>> collector, picture = Collector("awgn", snr_db=10.0), np.zeros((4, 6, 3), np.uint8)
        >>> collector.sent(7, Sent("photo.png", picture, "deepjscc", "deepjscc-photo", 1 / 12, 0.01, 0.0))
        []
        >>> collector.received(7, 0, Received(picture, None, 0.01, finished=0.5))
        []
        >>> (result,) = collector.on_air(7, 0, OnAir(ChannelUses(payload=6, side_info=0, header=0, air=6)))
        >>> result.final, result.report["cbr"]["payload"], result.report["seconds"]["total"]
        (True, 0.083333, 0.5)
    """

    def __init__(self, channel: str, snr_db: float | None, sample_rate: float = 1e6) -> None:
        self.channel, self.snr_db, self.sample_rate = channel, snr_db, sample_rate
        self._transfers: dict[int, _Transfer] = {}

    def sent(self, transfer: int, sent: Sent) -> list[Result]:
        """The picture as it was handed to the codec; a used transfer number begins anew."""
        old = self._transfers.get(transfer)
        if old is None or old.sent is not None:
            self._transfers.pop(transfer, None)  # to stand last: the order is that of sending
            self._transfers[transfer] = _Transfer()
        self._transfers[transfer].sent = sent
        return self._ready(transfer)

    def on_air(self, transfer: int, round_: int, air: OnAir) -> list[Result]:
        """What one round cost."""
        state = self._transfers.setdefault(transfer, _Transfer())
        state.air[round_], state.snr_db = air, self.snr_db
        return self._ready(transfer)

    def received(self, transfer: int, round_: int, received: Received) -> list[Result]:
        """The picture after one round."""
        self._transfers.setdefault(transfer, _Transfer()).received[round_] = received
        return self._ready(transfer)

    def end(self, finished: float) -> list[Result]:
        """At the end of the run: final results of transfers that are not complete."""
        results = [self._incomplete(key, finished) for key in self._transfers if self._is_incomplete(key)]
        self._transfers.clear()
        return results

    def _is_incomplete(self, transfer: int) -> bool:
        """Whether a transfer was on the air and its last round never came."""
        state = self._transfers[transfer]
        return state.sent is not None and bool(state.air) and not state.final

    def _incomplete(self, transfer: int, finished: float) -> Result:
        """The final result of a transfer with the rounds that came, or without a picture."""
        state = self._transfers[transfer]
        round_, received = state.latest or (max(state.air), Received(None, None, 0.0, finished))
        return self._result(transfer, state, round_, received, final=True)

    def _ready(self, transfer: int) -> list[Result]:
        state = self._transfers[transfer]
        results = []
        for round_ in sorted(state.received):
            if state.sent is None or round_ not in state.air:
                break
            received = _with_a_picture(state.received.pop(round_), state.latest)
            state.final = round_ + 1 >= state.sent.rounds
            results.append(self._result(transfer, state, round_, received, state.final))
            state.latest = round_, received
        if not results:
            return []
        lost = []
        for key in list(self._transfers):  # the air keeps the order: of older ones there will be no more news
            if key == transfer:
                break
            if self._is_incomplete(key):
                lost.append(self._incomplete(key, received.finished))
            del self._transfers[key]
        return lost + results

    def _result(self, transfer: int, state: _Transfer, round_: int, received: Received, final: bool) -> Result:
        so_far = [air for number, air in state.air.items() if number <= round_]
        uses = so_far[0].uses
        for air in so_far[1:]:
            uses = uses + air.uses
        peaks = [air.papr_db for air in so_far if air.papr_db is not None]
        total = OnAir(uses, sum(air.bursts for air in so_far), max(peaks, default=None))
        state.side_info_bytes[round_] = received.side_info_bytes
        received = replace(received, side_info_bytes=sum(state.side_info_bytes.values()))
        report = build_report(state.sent, total, received, self.channel, state.snr_db, self.sample_rate)
        state.psnr_db[round_] = report["psnr_db"]
        state.arrived[round_] = report["bursts"]["received"]
        report["bursts"]["received"] = sum(state.arrived.values())
        report["bursts"]["lost"] = report["bursts"]["sent"] - report["bursts"]["received"]
        report["rounds"] = [{"round": number, "psnr_db": psnr} for number, psnr in sorted(state.psnr_db.items())]
        layered = state.sent.rounds > 1
        return Result(transfer, round_, state.sent.image, received.image, report, final, layered)


def _with_a_picture(received: Received, latest: tuple[int, Received] | None) -> Received:
    """A round without a picture, as one whose manifest was lost, leaves the picture as those before it made it."""
    if received.image is not None or latest is None:
        return received
    before = latest[1]
    return replace(received, image=before.image, insight=before.insight, shown_grey=before.shown_grey)
