"""What a receiver noticed while it was recorded, as SigMF annotations.

One for every burst, every round that went to the codec, and every picture. docs/guide/recordings.md names their
fields; those of ours, ``jscc:…``, let `gr_jscc.recordings.replay` do again what the receiver did.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gr_jscc.errors import UserError
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.journal import Journal
from gr_jscc.link.session import Session
from gr_jscc.link.told import brief
from gr_jscc.modem import BurstHeader, Numerology, ReceivedBurst
from gr_jscc.modem.header import BurstKind
from gr_jscc.modem.layout import burst_length
from gr_jscc.reports.collector import Result

LABEL = 20  # characters, the most that every program shows
FORGOTTEN_SECONDS = 100.0  # after which a burst is of another transfer with the same number
# Rounds and pictures are drawn around their bursts, and labels above, so that none hides another.
ROUND_EDGE, PICTURE_EDGE = 1.035, 1.07
MOST_TOLD = 1024  # pictures that the transmitter told of and that are not final
AT_ONCE = 500  # annotations read from the disk together


class RecordError(UserError):
    """Annotations cannot be stored; the message is one line for a person.

    Example:
        >>> from gr_jscc.modem import DEFAULT_NUMEROLOGY
        >>> Annotations(Path("/nowhere/marks"), DEFAULT_NUMEROLOGY, sample_rate=1e6, frequency=None)
        Traceback (most recent call last):
            ...
        gr_jscc.recordings.annotations.RecordError: cannot write /nowhere/marks: unable to open database file
    """


def picture_digest(picture: np.ndarray) -> str:
    """SHA-256 of the bytes of uint8[H, W, 3]."""
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


class Annotations(Journal):
    """Collects annotations, from any thread, and gives them in the order of their samples.

    They are kept on disk, so that a long recording needs no memory for them.

    Args:
        scratch: file for them, removed by `close`.
        layout: of the bursts.
        sample_rate: samples per second.
        frequency: Hz, to which frequencies are added; None when unknown.

    Attributes:
        failure: why something could not be stored, or None; nothing is stored from then on.

    Raises:
        RecordError: the scratch file cannot be made.

    Example:
        >>> import tempfile
        >>> from gr_jscc.modem import DEFAULT_NUMEROLOGY
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=7, round=0, index=0, count=3, symbols=2)
        >>> burst = ReceivedBurst(header, np.ones(2, np.complex64), np.ones(2, np.float32), 5000, 0.0, 12.0, -20.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     marks = Annotations(Path(folder, "marks"), DEFAULT_NUMEROLOGY, sample_rate=1e6, frequency=None)
        ...     marks.burst(burst, needed=True)
        ...     [(mark["core:sample_start"], mark["core:label"]) for mark in marks]
        ...     marks.close()
        [(5000, '7.0 1/3')]
    """

    def __init__(self, scratch: Path, layout: Numerology, sample_rate: float, frequency: float | None) -> None:
        self.failure: Exception | None = None
        self._scratch, self._layout = scratch, layout
        self._rate, self._frequency = sample_rate, frequency or 0.0
        self._half_band = float(np.max(layout.used_carriers) + 0.5) * sample_rate / layout.fft_size
        self._lock = threading.Lock()
        self._stored = 0
        self._after = -1  # start of the latest burst
        self._end = 0  # of the latest burst
        self._spans: dict[tuple[int, int], _Span] = {}  # by transfer and round
        self._manifests: dict[tuple[int, int], bytes] = {}
        self._told: dict[int, dict[str, dict]] = {}  # by transfer and event
        try:
            scratch.unlink(missing_ok=True)
            self._base = sqlite3.connect(scratch, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode = OFF")
            self._base.execute("PRAGMA synchronous = OFF")
            self._base.execute(
                "CREATE TABLE annotation (start INTEGER, number INTEGER, text TEXT, PRIMARY KEY (start, number)) "
                "WITHOUT ROWID"
            )
            self._base.execute("BEGIN")  # one write of many: nobody else reads it
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"cannot write {scratch}: {error}") from error

    def __iter__(self) -> Iterator[dict]:
        """Annotations in the order of ``core:sample_start``.

        Raises:
            RecordError: they cannot be read.
        """
        try:
            with closing(self._base.cursor()) as cursor:
                cursor.execute("SELECT text FROM annotation ORDER BY start, number")
                while rows := cursor.fetchmany(AT_ONCE):
                    for (text,) in rows:
                        yield json.loads(text)
        except sqlite3.Error as error:
            raise RecordError(f"cannot read {self._scratch}: {error}") from error

    def close(self) -> None:
        """Forgets them."""
        self._base.close()
        self._scratch.unlink(missing_ok=True)

    # --- what is noticed -----------------------------------------------------------------------------------------

    def burst(self, burst: ReceivedBurst, needed: bool) -> None:
        """A burst came."""
        head, start = burst.header, max(burst.start, 0)
        length = burst_length(head, self._layout)
        with self._lock:
            self._after, self._end = burst.start, start + length
            if needed:
                self._widen((head.transfer, head.round), start, start + length)
            fields = {
                "core:label": _burst_label(head),
                "core:comment": f"SNR {burst.snr_db:.1f} dB, CFO {burst.cfo * self._rate:.1f} Hz"
                + ("" if math.isnan(burst.evm_db) else f", EVM {burst.evm_db:.1f} dB"),
                **self._edges(self._half_band, burst.cfo * self._rate),
                "jscc:mark": "burst",
                "jscc:kind": head.kind.name.lower(),
                "jscc:transfer": head.transfer,
                "jscc:round": head.round,
                "jscc:burst": head.index,
                "jscc:bursts": head.count,
                "jscc:needed": needed,
                **_levels(burst.snr_db, burst.cfo * self._rate, burst.evm_db),
            }
            self._store(start, length, fields)

    def manifest(self, transfer: int, round_: int, data: bytes) -> None:
        """A packed manifest came over the back-channel."""
        with self._lock:
            self._manifests[transfer, round_] = data

    def handed_over(self, arrival: Arrival) -> None:
        """A round went to the codec."""
        key = arrival.transfer, arrival.round
        with self._lock:
            span = self._spans.get(key) or _Span(self._end, self._end)
            manifest = self._manifests.pop(key, None)
            fields = {
                "core:comment": f"round {arrival.round} of transfer {arrival.transfer}: "
                f"{arrival.bursts_received} of {arrival.bursts_sent} bursts",
                **self._edges(ROUND_EDGE * self._half_band),
                **self._step("round"),
                "jscc:transfer": arrival.transfer,
                "jscc:round": arrival.round,
                "jscc:received": arrival.bursts_received,
                "jscc:bursts": arrival.bursts_sent,
                **_levels(arrival.snr_db, arrival.cfo * self._rate, arrival.evm_db),
                **({} if manifest is None else {"jscc:manifest": manifest.hex()}),
            }
            self._store(span.start, span.end - span.start, fields)

    def session(self, session: Session) -> None:
        """The transmitter told whose transfers it sends."""
        with self._lock:
            fields = {
                "core:label": "transmitter known",
                "core:comment": "rounds of others were dropped",
                **self._edges(PICTURE_EDGE * self._half_band),
                **self._step("session"),
                "jscc:session": session.word,
            }
            self._store(self._end, 0, fields)

    def restarted(self) -> None:
        """The transmitter is a new process."""
        with self._lock:
            fields = {
                "core:label": "transmitter restarts",
                "core:comment": "rounds that were not complete were dropped",
                **self._edges(PICTURE_EDGE * self._half_band),
                **self._step("restart"),
            }
            self._store(self._end, 0, fields)
            self._spans.clear()
            self._manifests.clear()
            self._told.clear()

    def told(self, transfer: int, content: dict) -> None:
        """The transmitter told something of a transfer."""
        event = content.get("event")
        with self._lock:
            if event == "sent":  # its number may have been used before
                self._told[transfer] = {event: brief(content)}
            elif event == "done":
                self._told.setdefault(transfer, {})[event] = brief(content)
            while len(self._told) > MOST_TOLD:
                del self._told[next(iter(self._told))]

    def result(self, result: Result) -> None:
        """A picture is final."""
        if not result.final:
            return
        report, keys = result.report, [(result.transfer, round_) for round_ in result.rounds]
        fields = {"core:comment": _picture_comment(report), "jscc:rounds": list(result.rounds), "jscc:report": report}
        if result.received is not None:
            fields["jscc:picture_sha256"] = picture_digest(result.received)
        with self._lock:
            self._store_picture(result.transfer, keys, report["image"]["name"], fields)

    def conclude(self) -> None:
        """The run ends: pictures that are under way are marked, so that a replay knows their names."""
        with self._lock:
            for transfer, told in list(self._told.items()):
                keys = [key for key in self._spans if key[0] == transfer]
                self._store_picture(transfer, keys, str(told.get("sent", {}).get("name", "")), {})

    # --- storing -------------------------------------------------------------------------------------------------

    def _widen(self, key: tuple[int, int], start: int, end: int) -> None:
        span = self._spans.get(key)
        if span is None or start - span.end > FORGOTTEN_SECONDS * self._rate:
            self._spans[key] = _Span(start, end)
        else:
            span.end = max(span.end, end)

    def _store_picture(self, transfer: int, keys: list[tuple[int, int]], name: str, fields: dict) -> None:
        """Marks a picture from its first burst to its last, with what was told of it."""
        spans = [self._spans.pop(key) for key in keys if key in self._spans]
        start = min((span.start for span in spans), default=self._end)
        end = max((span.end for span in spans), default=self._end)
        told = self._told.pop(transfer, {})
        marks = {
            "core:label": name[:LABEL],
            **self._edges(PICTURE_EDGE * self._half_band),
            **self._step("picture"),
            "jscc:transfer": transfer,
            **{f"jscc:{event}": content for event, content in told.items()},
        }
        self._store(start, end - start, marks | fields)

    def _edges(self, half: float, offset: float = 0.0) -> dict:
        """Frequencies, Hz: so far to either side of the band's middle. Programs draw no annotation without them."""
        middle = self._frequency + offset
        return {
            "core:freq_lower_edge": round(middle - half, 3),
            "core:freq_upper_edge": round(middle + half, 3),
        }

    def _step(self, mark: str) -> dict:
        """Where a decision stands among all: its number, and the burst after which it was taken."""
        return {"jscc:mark": mark, "jscc:step": self._stored, "jscc:after": self._after}

    def _store(self, start: int, count: int, fields: dict) -> None:
        if self.failure is not None:
            return
        # At least one sample, as there are programs that compute with the last one.
        place = {"core:sample_start": start, "core:sample_count": max(count, 1)}
        text = json.dumps(place | fields, allow_nan=False)
        try:
            self._base.execute("INSERT INTO annotation VALUES (?, ?, ?)", (start, self._stored, text))
        except sqlite3.Error as error:
            self.failure = RecordError(f"cannot write {self._scratch}: {error}")
        self._stored += 1


@dataclass
class _Span:
    """Samples from the first to the last burst."""

    start: int
    end: int


def _burst_label(head: BurstHeader) -> str:
    what = f"{head.index + 1}/{head.count}" if head.kind == BurstKind.ANALOG else f"side {head.index + 1}/{head.count}"
    return f"{head.transfer}.{head.round} {what}"[:LABEL]


def _picture_comment(report: dict) -> str:
    parts = [report["image"]["name"]]
    if report["psnr_db"] is not None:
        parts.append(f"PSNR {report['psnr_db']:.2f} dB")
    if report["link"]["snr_est_db"] is not None:
        parts.append(f"SNR {report['link']['snr_est_db']:.1f} dB")
    bursts = report["bursts"]
    return ", ".join([*parts, f"{bursts['received']} of {bursts['sent']} bursts"])


def _levels(snr_db: float, cfo_hz: float, evm_db: float) -> dict:
    """What is known of them."""
    values = {"jscc:snr_db": snr_db, "jscc:cfo_hz": cfo_hz, "jscc:evm_db": evm_db}
    return {key: round(value, 3) for key, value in values.items() if math.isfinite(value)}
