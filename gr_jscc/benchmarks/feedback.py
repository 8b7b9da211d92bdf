"""A codec that uses feedback, between two hosts: what it reaches, and what faults of the feedback cost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec
from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.imaging import save_image
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.ports import free_addresses

PATIENCE_SECONDS = 900  # for a run of some hundred small pictures on a busy machine
TIMEOUT_SECONDS = "10"  # of feedback, where it is not to be late
IN_FLIGHT = (1, 2, 4, 8)
FLOWN = 24  # pictures to measure that with


@dataclass(frozen=True)
class Fault:
    """What is done to the feedback of a run.

    Attributes:
        name: of the condition, as printed.
        rx, tx, channel: further arguments of the programs.

    Example:
        >>> Fault("half of it is lost", rx=("--loss", "0.5")).tx
        ('--feedback-timeout', '10')
    """

    name: str
    rx: tuple[str, ...] = ()
    tx: tuple[str, ...] = ("--feedback-timeout", TIMEOUT_SECONDS)
    channel: tuple[str, ...] = ()


FAULTS = (
    Fault("none"),
    Fault("float16", rx=("--feedback", "float16")),
    Fault("int8", rx=("--feedback", "int8")),
    Fault("noisy, 20 dB", rx=("--feedback-snr", "20")),
    Fault("noisy, 13 dB", rx=("--feedback-snr", "13")),
    Fault("too late", tx=("--feedback-timeout", "0.01"), channel=("--pace", "1e5")),  # samples come in after it
    Fault("20 % of bursts lost, repeated", channel=("--loss", "0.2")),
    Fault("20 % of bursts lost for good", channel=("--loss", "0.2"), tx=("--repeats", "0", "--feedback-timeout", "10")),
)


def feedback_figures(
    pictures: list[np.ndarray], codec: str, cbr: float, snr_db: float, bar_db: float = 0.3, weights: str | None = None
) -> Iterator[Figure]:
    """PSNR with direct feedback: of the ideal halves, then between tx, channel and rx with one fault after another.

    Args:
        pictures: uint8[H, W, 3].
        codec: its name.
        cbr: asked of it.
        snr_db: Es/N0 of the air.
        bar_db: most that the run without fault may lie below the ideal halves.
        weights: of the codec; None for its default.

    Yields:
        ``psnr_db`` for each condition, ``feedback_loss_db`` against the run without fault, ``feedback_bytes``,
        ``feedback_missed``, and ``states_drifted`` of codecs that tell.

    Raises:
        UserError: a program failed.
    """
    at = {"codec": codec, "snr_db": snr_db, "cbr": round(cbr, 6), "images": len(pictures)}
    with_feedback, without = (_ideal(load_codec(codec, weights), pictures, cbr, snr_db, told) for told in (True, False))
    yield Figure("psnr_db", with_feedback, "dB", {**at, "feedback": "direct", "channel": "ideal"})
    yield Figure("psnr_db", without, "dB", {**at, "feedback": "none, simulated", "channel": "ideal"})
    faultless = None
    for fault in FAULTS:
        reports = [report for report, _ in _run(pictures, codec, cbr, snr_db, fault, weights)]
        psnr = float(np.mean([report["psnr_db"] for report in reports]))
        here = {**at, "feedback": "direct", "fault": fault.name, "channel": "modem, two hosts"}
        yield Figure("psnr_db", psnr, "dB", here, least=with_feedback - bar_db if faultless is None else None)
        if faultless is None:
            faultless = psnr
        else:
            yield Figure("feedback_loss_db", faultless - psnr, "dB", here)
        yield Figure("feedback_bytes", float(np.mean([report["feedback"]["bytes"] for report in reports])), "B", here)
        drifted = [report["feedback"]["drifted"] for report in reports]
        if None not in drifted:
            yield Figure("states_drifted", sum(drifted), "1", here)
        yield Figure("feedback_missed", sum(report["feedback"]["missed"] for report in reports), "1", here)


def flight_figures(
    pictures: list[np.ndarray], codec: str, cbr: float, snr_db: float, weights: str | None = None
) -> Iterator[Figure]:
    """Seconds a picture takes between two hosts, with so many in flight; arguments as for `feedback_figures`.

    The pictures are sent several times over, so that there are many more than in flight.

    Yields:
        ``image_seconds``: from the report of the last of those that were first in flight to the last report, for each
        picture in between.

    Raises:
        UserError: a program failed.
    """
    flown = [pictures[i % len(pictures)] for i in range(FLOWN)]
    for number in IN_FLIGHT:
        fault = Fault(f"{number} in flight", tx=("--in-flight", str(number)))
        ends = sorted(end for _, end in _run(flown, codec, cbr, snr_db, fault, weights))
        at = {"codec": codec, "snr_db": snr_db, "cbr": round(cbr, 6), "images": FLOWN, "in_flight": number}
        yield Figure("image_seconds", (ends[-1] - ends[number - 1]) / (FLOWN - number), "s", at)


def _ideal(codec: Codec, pictures: list[np.ndarray], cbr: float, snr_db: float, told: bool) -> float:
    """Mean PSNR in dB of the codec's two halves over the ideal channel."""
    rng, white = np.random.default_rng(1), taps("awgn")
    last = (ideal_transfer(codec, picture, cbr, snr_db, white, rng, told)[-1].picture for picture in pictures)
    return float(np.mean([psnr_db(*pair) for pair in zip(pictures, last)]))


def _run(
    pictures: list[np.ndarray], codec: str, cbr: float, snr_db: float, fault: Fault, weights: str | None = None
) -> list[tuple[dict, float]]:
    """The reports of one run of three processes, and when they were written.

    Raises:
        UserError: one of them failed, or a picture is missing.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        sent, out = Path(folder, "sent"), Path(folder, "received")
        sent.mkdir()
        for number, picture in enumerate(pictures):
            save_image(sent / f"{number:05d}.png", picture)
        near, far, back = free_addresses(3)
        log = running.enter_context(open(Path(folder, "log"), "w+"))

        def start(program: str, *arguments: object) -> subprocess.Popen:
            command = [sys.executable, "-m", "gr_jscc.host", program, *map(str, arguments)]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        common = ("--codec", codec, *(("--weights", weights) if weights else ()), "--back-channel", back, "--quiet")
        start("channel", "--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", snr_db, "--quiet", *fault.channel)
        receiver = start("rx", "--radio", f"zmq:{far}", "--out", out, "--originals", sent, "--once", *common, *fault.rx)
        transmitter = start("tx", sent, "--radio", f"zmq:{near}", "--cbr", cbr, *common, *fault.tx)
        try:
            codes = transmitter.wait(PATIENCE_SECONDS), receiver.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"not finished after {PATIENCE_SECONDS} s with fault: {fault.name}") from error
        found = sorted(out.glob("*/report.json"))
        reports = [(json.loads(path.read_text()), path.stat().st_mtime) for path in found]
        if any(codes) or len(reports) != len(pictures):
            log.seek(0)
            line = (log.read().strip().splitlines() or ["no message"])[-1]
            raise UserError(f"{len(reports)} of {len(pictures)} pictures with fault {fault.name}: {line}")
        return reports
