"""Does again what a receiver did, from its recording alone.

A recording of ``gr-jscc rx --record`` says which rounds the receiver handed to its codec, after which burst, and what
came over the back-channel; nothing depends on the clock here. Where no such marks are, as in a recording of another
program, rounds end when they are complete or the next begins.
"""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.errors import UserError
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.back_channel import SideInfo
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.session import Session
from gr_jscc.modem import VERSION, Numerology, ReceivedBurst, StreamDemodulator
from gr_jscc.modem.numerology_file import numerology_of_keys
from gr_jscc.radio.sigmf_file import EXTENSION, Recording
from gr_jscc.recordings.annotations import picture_digest
from gr_jscc.reports.collector import Result
from gr_jscc.reports.inbox import Inbox
from gr_jscc.reports.report import Received

SAME_BURST = 16  # samples by which the start of a burst may differ from one version of the modem to another
NOT_IN_SAMPLES = ("radio", "run")  # of a report: taken from the live one
AT_ONCE = 1 << 18  # samples read together
# Whole numbers that each kind of step must have.
WANTED = {
    "round": ("step", "after", "transfer", "round"), "picture": ("step", "after", "transfer"),
    "restart": ("step", "after"), "session": ("step", "after", "session"),
}  # fmt: skip
STEP = 65_536  # samples that the demodulator takes at once, where the recording does not say


class ReplayError(UserError):
    """A recording that cannot be replayed; the message is one line for a person.

    Example:
        >>> str(ReplayError("heard.sigmf-meta is of version 2.0.0, this program knows 1"))
        'heard.sigmf-meta is of version 2.0.0, this program knows 1'
    """


@dataclass(frozen=True)
class Replayed:
    """A picture out of a recording.

    Attributes:
        result: as a receiver would have made it.
        live: the report of the receiver that was recorded; None where there is none.
        same: whether the picture is the receiver's to the last bit; None where that is not known.

    Example:
        >>> replayed = Replayed(Result(7, 0, original=None, received=None, report={}), live=None, same=None)
        >>> replayed.result.final
        True
    """

    result: Result
    live: dict | None
    same: bool | None


def numerology_of(recording: Recording) -> Numerology:
    """The numerology that a recording's metadata tell, or the default one.

    Raises:
        ReplayError: what they tell makes none.
    """
    try:
        return numerology_of_keys(recording.fields, prefix="jscc:")
    except (ValueError, TypeError) as error:
        raise ReplayError(f"{recording.meta}: {error}") from error


def bursts(recording: Recording, last: bool, layout: Numerology | None = None) -> Iterator[ReceivedBurst]:
    """The bursts in a recording.

    Args:
        recording: whose.
        last: whether the samples' end ends the last burst, too; a live receiver waits for more.
        layout: the transmitter's numerology; None for that in the metadata, or the default one.

    Raises:
        RadioError: the samples cannot be read.
        ReplayError: no such numerology; or all bursts are of another version of the air interface.
    """
    layout = layout or numerology_of(recording)
    try:
        demodulator = StreamDemodulator(layout, recording.fields.get("jscc:step_samples", STEP))
    except (ValueError, TypeError) as error:
        raise ReplayError(f"{recording.meta}: {error}") from error
    for first in range(0, recording.samples, AT_ONCE):
        yield from demodulator.push(recording.read(first, AT_ONCE))
    if last:
        yield from demodulator.flush()
    counters = demodulator.counters
    if counters.other_versions and counters.candidates == counters.headers_failed:
        raise ReplayError(
            f"{recording.meta}: its {counters.other_versions} bursts are of another version of the air interface, but "
            f"this program supports {VERSION}"
        )


class Replay:
    """Pictures and reports of a recording.

    Args:
        recording: what to replay.
        codec: the receiver's.
        original: finds the picture uint8[H, W, 3] that was sent, by its name; None where it is not known.
        sample_rate: where the recording does not say.
        layout: the transmitter's numerology; None for the recording's.

    Raises:
        ReplayError: it was recorded with other weights, by a version that cannot be understood, or is cut off; or its
            annotations make no sense.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> from gr_jscc.link.bursts import round_bursts
        >>> from gr_jscc.modem import modulate
        >>> from gr_jscc.radio.sigmf_file import SigmfFile, read_recording
        >>> codec = Separation("jpeg:ldpc-2/3:16qam")
        >>> payload = codec.transmitter(1 / 6).start(np.full((64, 96, 3), 90, np.uint8))
        >>> sent = round_bursts(payload, 64, 96, codec.weights_hash, transfer=7)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = SigmfFile(Path(folder, "heard"), "One picture")
        ...     file.write(np.concatenate([modulate(burst.header, burst.symbols) for burst in sent]))
        ...     file.finish()
        ...     pictures = list(Replay(read_recording(Path(folder, "heard")), codec).run())
        >>> pictures[-1].result.final, pictures[-1].result.received.shape
        (True, (64, 96, 3))
    """

    def __init__(
        self,
        recording: Recording,
        codec: Codec,
        original: Callable[[str], np.ndarray | None] = lambda name: None,
        sample_rate: float = 1e6,
        layout: Numerology | None = None,
    ) -> None:
        self.recording, self._codec, self._original = recording, codec, original
        self._rate, self._layout = recording.sample_rate or sample_rate, layout
        fields = recording.fields
        self._check(fields)
        self._steps = _steps(recording)
        self._has_steps = "jscc:weights_hash" in fields
        # Whether there was a back-channel decides how many rounds may be open; what is sent over it is not needed.
        send = (lambda message: None) if fields.get("jscc:back_channel") else None
        self._receiving = ReceivingEnd(codec, send, fields.get("jscc:feedback_format", "complex64"))
        self._handed: set[tuple[int, int]] = set()  # rounds that went to the codec before the recording says so
        self._decoded: dict[int, dict[int, Received]] = collections.defaultdict(dict)  # by transfer and round

    @property
    def refused(self) -> int:
        """Rounds so far that came from other weights, or another codec."""
        return self._receiving.pictures.refused

    def run(self, progress: Callable[[int], object] = lambda samples: None) -> Iterator[Replayed]:
        """Goes through the recording once.

        Args:
            progress: is told how far, in samples.

        Yields:
            Every round's picture; that of the last is final.

        Raises:
            RadioError: the samples cannot be read.
            ReplayError: see there.
        """
        for burst in bursts(self.recording, not self._has_steps, self._layout):
            yield from self._take_steps(burst.start - SAME_BURST)
            self._decode(self._receiving.burst(burst))
            progress(burst.start)
            yield from self._take_steps(burst.start + SAME_BURST)
            if self._has_steps and not self._steps:
                break
        if self._has_steps:
            yield from self._take_steps(math.inf)
        else:
            self._decode(self._receiving.flush())
        # What the receiver was not granted the time to conclude, as when it was interrupted.
        for transfer in list(self._decoded):
            yield from self._conclude(transfer, {})

    def _check(self, fields: dict) -> None:
        meta = self.recording.meta
        known = int(EXTENSION["version"].partition(".")[0])
        for extension in fields.get("core:extensions", []):
            if extension["name"] == EXTENSION["name"] and not extension["version"].startswith(f"{known}."):
                raise ReplayError(f"{meta} is of version {extension['version']}, but this program supports {known}")
        # Recordings of receivers before 4 do not say it.
        air = fields.get("jscc:air_version", "3 or older" if "jscc:weights_hash" in fields else VERSION)
        if air != VERSION:
            raise ReplayError(
                f"{meta}: its bursts are of version {air} of the air interface, but this program supports {VERSION}"
            )
        recorded = fields.get("jscc:samples")
        if isinstance(recorded, int) and self.recording.samples < recorded:
            raise ReplayError(f"{self.recording.data} is truncated: {self.recording.samples} samples of {recorded}")
        wanted = fields.get("jscc:weights_hash", self._codec.weights_hash.hex())
        if wanted != self._codec.weights_hash.hex():
            raise ReplayError(
                f"recorded with codec {fields.get('jscc:codec')} and weights {fields.get('jscc:weights')} ({wanted}), "
                f"not {self._codec.name} with {self._codec.weights_name} ({self._codec.weights_hash.hex()})"
            )

    def _take_steps(self, until: float) -> Iterator[Replayed]:
        """What the receiver did before a burst that starts later than ``until``."""
        while self._steps and self._steps[0]["jscc:after"] - self.recording.offset <= until:
            step = self._steps.popleft()
            if step["jscc:mark"] == "round":
                self._hand_over(step)
            elif step["jscc:mark"] == "picture":
                yield from self._conclude(step["jscc:transfer"], step)
            elif step["jscc:mark"] == "session":
                self._decode(self._receiving.connection(False, session=Session(step["jscc:session"])))
            else:
                self._decode(self._receiving.connection(False, restarted=True))
                self._handed.clear()
                self._decoded.clear()

    def _hand_over(self, step: dict) -> None:
        key = step["jscc:transfer"], step["jscc:round"]
        if "jscc:manifest" in step:
            self._decode(self._receiving.message(SideInfo(*key, bytes.fromhex(step["jscc:manifest"]))))
        if key not in self._handed:
            self._decode(self._receiving.end(*key))
        self._handed.discard(key)

    def _decode(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            before = time.monotonic()
            picture = self._receiving.pictures.decode(arrival)
            now = time.monotonic()
            insight = self._receiving.pictures.insight(arrival.transfer)
            grey = self._receiving.pictures.shows_grey(arrival.transfer)
            received = Received(picture, arrival, now - before, now, arrival.side_info_bytes, insight, grey)
            self._handed.add((arrival.transfer, arrival.round))
            self._decoded[arrival.transfer][arrival.round] = received

    def _conclude(self, transfer: int, step: dict) -> Iterator[Replayed]:
        """A picture of which no more will come, from its rounds and what the transmitter told."""
        decoded = self._decoded[transfer]
        rounds = {number: decoded.pop(number) for number in step.get("jscc:rounds", list(decoded)) if number in decoded}
        if not decoded:
            del self._decoded[transfer]
        inbox = Inbox(self.recording.fields.get("jscc:radio", str(self.recording.meta)), self._rate, self._original)
        live = step.get("jscc:report")
        results: list[Result] = []
        if "jscc:sent" in step:
            results += inbox.told(transfer, step["jscc:sent"])
        for number in sorted(rounds):
            results += inbox.received(transfer, number, rounds[number])
        if "jscc:done" in step:
            results += inbox.told(transfer, step["jscc:done"])
        if not (results and results[-1].final):
            results += inbox.end()
        for result in results:
            if live is not None:
                result.report.update({key: live[key] for key in NOT_IN_SAMPLES if key in live})
            same = None
            if result.final and "jscc:picture_sha256" in step and result.received is not None:
                same = picture_digest(result.received) == step["jscc:picture_sha256"]
            yield Replayed(result, live, same)


def _steps(recording: Recording) -> collections.deque[dict]:
    """What the receiver did, in the order in which it did."""
    found = []
    for step in recording.annotations():
        wanted = WANTED.get(step.get("jscc:mark"))
        if wanted is None:
            continue
        for key in wanted:
            if not isinstance(step.get(f"jscc:{key}"), int):
                raise ReplayError(f"{recording.meta}: an annotation without jscc:{key}")
        found.append(step)
    return collections.deque(sorted(found, key=lambda step: step["jscc:step"]))
