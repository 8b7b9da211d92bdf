"""Streams the test pattern through tx, channel and rx, and looks at what is seen, how late, and what it takes.

    python scripts/video-trial.py --seconds 20 --snr 12              # rate, latency, processor time
    python scripts/video-trial.py --seconds 20 --snr 12 --loss 0.1   # one burst in ten never arrives
    python scripts/video-trial.py --seconds 16 --snr 20,0,20 --pace 1e6 --fps 10
    python scripts/video-trial.py --seconds 600 --snr 12             # memory

Three programs on the virtual air, each with one thread. With several SNRs the channel goes from each to the next on
straight lines, in steps, within `--ramp` seconds of samples, once the first frames were seen. All end with Ctrl-C. The
exit code is 1 where a program did not end as it should, or where nothing was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gr_jscc.ports import free_addresses
from gr_jscc.resident import resident_mb
from gr_jscc.video.duel import ramp
from gr_jscc.video.pattern import NUMBERS

BEFORE, STEP_SECONDS = 3.0, 0.25  # of a ramp: at its first SNR, and between two changes; of samples
PATIENCE = 120.0  # for the first frame, and for a program to end
TICK = os.sysconf("SC_CLK_TCK")
ENDS = {"tx": 130, "rx": 130, "channel": 0}  # after Ctrl-C


@dataclass
class Seen:
    """What the receiver said, and when: (seconds of `time.monotonic`, row)."""

    rows: list[tuple[float, dict]] = field(default_factory=list)

    def read(self, lines: object) -> None:
        """In a thread of its own."""
        for line in lines:
            with contextlib.suppress(ValueError):
                self.rows.append((time.monotonic(), json.loads(line)))

    def frames(self, begin: float, end: float) -> list[tuple[float, dict]]:
        return [(at, row) for at, row in self.rows if row["event"] == "frame" and begin <= at <= end]


def scenario(options: argparse.Namespace, snrs_db: list[float]) -> str:
    """The channel as a TOML file's text."""
    steps = max(1, round(options.ramp / STEP_SECONDS)) if len(snrs_db) > 1 else 0
    lines = [f"sample_rate = {options.pace or 1e6}", f"[awgn]\nsnr_db = {snrs_db[0]}"]
    if options.loss:
        lines.append(f"[loss]\nprobability = {options.loss}")
    for number, snr_db in enumerate(ramp(snrs_db, steps) if steps else ()):
        start = BEFORE + number * STEP_SECONDS
        lines.append(f"[[segment]]\nstart = {start}\nawgn = {{ snr_db = {snr_db:.3f} }}")
    return "\n".join(lines) + "\n"


def processor_seconds(process: subprocess.Popen) -> float:
    """That a program has taken so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def start(options: argparse.Namespace, folder: Path) -> dict[str, subprocess.Popen]:
    near, far = free_addresses(2)
    (folder / "air.toml").write_text(scenario(options, [float(snr) for snr in options.snr.split(",")]))
    codec = ("--codec", options.codec, "--weights", options.weights, "--precision", options.precision, "--json")
    pace = ("--pace", options.pace) if options.pace else ()
    form = ("--test-pattern", "--fps", options.fps, "--size", options.size, "--cbr", options.cbr)
    commands = {
        "rx": ("--radio", f"zmq:{far}", "--page", "0", *codec),
        "channel": ("--from", f"zmq:{near}", "--to", f"zmq:{far}", "--scenario", folder / "air.toml", "--json", *pace),
        "tx": ("--radio", f"zmq:{near}", *form, *codec),
    }
    environment, running = os.environ | {"OMP_NUM_THREADS": "1"}, {}
    for name, arguments in commands.items():
        command = [sys.executable, "-m", "gr_jscc.host", name, *map(str, arguments)]
        with open(folder / f"{name}.json", "w") as lines, open(folder / f"{name}.log", "w") as log:
            out = subprocess.PIPE if name == "rx" else lines
            running[name] = subprocess.Popen(command, stdout=out, stderr=log, cwd=folder, env=environment, text=True)
    return running


def watch(options: argparse.Namespace, running: dict[str, subprocess.Popen], seen: Seen) -> list[str]:
    """Waits until the time is over, then prints what was seen; returns what went wrong."""
    end = time.monotonic() + PATIENCE
    while not seen.frames(0, float("inf")):
        if time.monotonic() > end or any(one.poll() is not None for one in running.values()):
            return ["no frame was seen"]
        time.sleep(0.1)
    began = time.monotonic()
    before = {name: processor_seconds(process) for name, process in running.items()}
    memory: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    while time.monotonic() - began < options.seconds:
        time.sleep(min(1.0, options.seconds / 20))
        if ended := [name for name, process in running.items() if process.poll() is not None]:
            return [f"{name} ended by itself" for name in ended]
        for name, process in running.items():
            memory[name].append((time.monotonic() - began, resident_mb(process.pid)))
    until = time.monotonic()
    tell(seen, began, until)
    frames = len(seen.frames(began, until))
    for name, process in running.items():
        spent = processor_seconds(process) - before[name]
        settled = [(at, mb) for at, mb in memory[name] if at >= options.seconds / 5]
        times, sizes = np.array(settled).T
        slope = 60 * np.polyfit(times, sizes, 1)[0]
        print(f"{name:8} {1000 * spent / max(frames, 1):.0f} ms of processor time per frame shown, "
              f"{spent / (until - began):.2f} cores, {sizes[-1]:.0f} MB, {slope:+.2f} MB a minute")  # fmt: skip
    return []


def shown_at(rows: list[dict]) -> np.ndarray:
    """When frames were shown, seconds, float64[n] of those whose number was read: the receiver tells of them later."""
    times = [(row["number"] + row["age_ms"]) % NUMBERS for row in rows if row["age_ms"] is not None]
    return np.unwrap(np.array(times, float), period=NUMBERS) / 1000


def tell(seen: Seen, began: float, until: float) -> None:
    """Prints what was seen of frames."""
    frames = seen.frames(began, until)
    lost = [row for at, row in seen.rows if row["event"] == "lost" and began <= at <= until]
    ages = [row["age_ms"] for _, row in frames if row["age_ms"] is not None]
    gaps = np.diff(shown_at([row for _, row in frames]))
    snrs_db = [row["snr_db"] for at, row in seen.rows if "snr_db" in row and began <= at <= until]
    print(f"frames   {len(frames)} shown, {len(lost)} not, {len(frames) / (until - began):.1f} a second; "
          f"longest gap {max(gaps, default=0):.2f} s, median {np.median(gaps) if len(gaps) else 0:.2f} s")  # fmt: skip
    if ages:
        median, high = np.percentile(ages, [50, 95])
        print(f"latency  median {median:.0f} ms, 95 % within {high:.0f} ms")
    if snrs_db:
        print(f"SNR      {min(snrs_db):.1f} to {max(snrs_db):.1f} dB as received")


def interrupt(running: dict[str, subprocess.Popen], folder: Path) -> list[str]:
    """Ctrl-C for all; returns what is wrong with how they ended."""
    faults = []
    for name in ("tx", "channel", "rx"):
        running[name].send_signal(signal.SIGINT)
        try:
            code = running[name].wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = "nothing"
        said = (folder / f"{name}.log").read_text()
        if code != ENDS[name] or "Traceback" in said or "rror" in said:
            faults.append(f"{name} ended with {code}: {said.strip()[-300:]}")
    print("sender   " + (folder / "tx.json").read_text().strip().rpartition("\n")[2])
    air = json.loads((folder / "channel.json").read_text().strip().rpartition("\n")[2])
    print(f"air      {air['bursts']['seen']} bursts, {air['bursts']['erased']} erased")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="from the first frame on")
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--codec", default="deepjscc")
    parser.add_argument("--weights", default="")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--cbr", default="1/12")
    parser.add_argument("--snr", default="12", help="dB; several: straight lines through them")
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds of samples for several SNRs")
    parser.add_argument("--loss", type=float, default=0.0, help="share of bursts that never arrive")
    parser.add_argument("--pace", type=float, help="samples per second on the air; as fast as it goes, if not given")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the programs end, too
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="gr-jscc-video-") as place:
        folder = Path(place)
        running = start(options, folder)
        try:
            threading.Thread(target=seen.read, args=(running["rx"].stdout,), daemon=True).start()
            faults = watch(options, running, seen) or interrupt(running, folder)
        finally:
            for process in running.values():
                process.kill()
                process.wait()
    print(*(f"  {fault}" for fault in faults), sep="\n", end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
