"""Runs a link for long, and looks at what it loses, repeats and holds in memory.

    python scripts/soak-trial.py --minutes 60 --codec deepjscc

`tx` → `channel` (white noise) → `rx` with a back-channel, as three programs on the virtual air, as fast as the machine
goes or at a `--pace`. No burst may be lost or sent again, every picture that `tx` took for stored must be there once
and whole, and no program's memory may grow by more than `--growth` MB once it has settled. `tx` is interrupted at
the end: the pictures that are under way then are no loss.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from gr_jscc.data import demo_image
from gr_jscc.imaging import ImageError, load_image
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.ports import free_addresses
from gr_jscc.resident import resident_mb

HEIGHT, WIDTH = 240, 320
CROPS = 24  # different pictures; all others are links to them
PICTURES_PER_SECOND = 10  # more than the programs send on two cores
SETTLED_SHARE, SETTLED_SECONDS = 0.2, 120.0  # of the run, at most so long, in which memory may grow
COMPARED = 25  # of so many stored pictures one is compared with what was sent
LEAST_PSNR_DB = 24.0
IN_FLIGHT = 8  # pictures that `tx` has on their way, as it does unless told otherwise
PATIENCE = 300.0  # seconds that tx waits for a receiver that starts slowly
AFTERWARDS = 60.0  # seconds for a program to end


@dataclass
class Stored:
    """What a receiver's folder was found to hold.

    Attributes:
        names: of the pictures, with how often each is there.
        bad: folders with a picture that is not whole, of another size, or too far from what was sent.
    """

    names: collections.Counter[str] = field(default_factory=collections.Counter)
    bad: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def look(self, out: Path, sent: Path) -> None:
        """Takes in what is new; the pictures are then removed, for an hour's would fill a disk."""
        for folder in out.iterdir() if out.exists() else ():
            if folder.name in self.seen or not (folder / "report.json").exists():
                continue
            self.seen.add(folder.name)
            name = json.loads((folder / "report.json").read_text())["image"]["name"]
            self.names[name] += 1
            try:
                picture = load_image(folder / "received.png")
            except ImageError:
                self.bad.append(folder.name)
                continue
            compared = len(self.seen) % COMPARED == 0
            bad = picture.shape != (HEIGHT, WIDTH, 3)
            if bad or (compared and psnr_db(load_image(sent / name), picture) < LEAST_PSNR_DB):
                self.bad.append(folder.name)
            (folder / "received.png").unlink()


def make_pictures(folder: Path, count: int) -> Path:
    """So many image files; there are `CROPS` different ones."""
    photo, rng = load_image(demo_image()), random.Random(1)
    originals, folder = folder / "crops", folder / "pictures"
    originals.mkdir()
    folder.mkdir()
    for number in range(CROPS):
        top, left = rng.randrange(photo.shape[0] - HEIGHT), rng.randrange(photo.shape[1] - WIDTH)
        crop = Image.fromarray(photo[top : top + HEIGHT, left : left + WIDTH])
        crop.save(originals / f"{number}.bmp")  # which is read in no time: tx looks at all before it sends any
    for number in range(count):
        (folder / f"p{number:06}.bmp").symlink_to(originals / f"{number % CROPS}.bmp")
    return folder


def json_lines(path: Path) -> list[dict]:
    """The objects that a program printed, without a last line that it was printing."""
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines if line.startswith("{")]


def end(process: subprocess.Popen, how: int) -> int:
    """Asks a process to end, waits, and returns how it did."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)
    try:
        return process.wait(AFTERWARDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def run(options: argparse.Namespace, folder: Path) -> list[str]:
    """Runs the link, prints what it did, and returns what was not as it must be."""
    pictures = make_pictures(folder, round(options.minutes * 60 * PICTURES_PER_SECOND))
    near, far, back = free_addresses(3)
    pace = ("--pace", options.pace) if options.pace else ()
    commands = {
        "rx": ("--radio", f"zmq:{far}", "--back-channel", back, "--codec", options.codec, "--out", "out"),
        "channel": ("--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", options.snr, *pace),
        "tx": (pictures, "--radio", f"zmq:{near}", "--back-channel", back, "--codec", options.codec),
    }
    commands["tx"] += ("--cbr", options.cbr, "--patience", PATIENCE)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running: dict[str, subprocess.Popen] = {}
    for name, arguments in commands.items():
        with open(folder / f"{name}.json", "w") as lines, open(folder / f"{name}.log", "w") as log:
            command = [sys.executable, "-m", "gr_jscc.host", name, *map(str, arguments), "--json"]
            running[name] = subprocess.Popen(command, stdout=lines, stderr=log, cwd=folder, env=environment)
    try:
        while not (folder / "tx.json").stat().st_size and all(one.poll() is None for one in running.values()):
            time.sleep(0.2)
        stored, table, ended = watch(options, folder, running, pictures)
        codes = {"tx": end(running["tx"], signal.SIGTERM)}
        time.sleep(2)  # for what had been sent
        codes |= {"rx": end(running["rx"], signal.SIGTERM), "channel": end(running["channel"], signal.SIGTERM)}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    stored.look(folder / "out", pictures)
    return ended + judge(options, folder, stored, table, codes)


def watch(
    options: argparse.Namespace, folder: Path, running: dict[str, subprocess.Popen], pictures: Path
) -> tuple[Stored, list[tuple[float, dict[str, float]]], list[str]]:
    """Prints a line now and then until the time is over, or a program has ended.

    Returns:
        What was stored; (seconds since the beginning, mean MB by program since the line before) of each line; and the
        programs that ended.
    """
    begun = then = time.monotonic()
    stored, table, before = Stored(), [], 0
    readings: dict[str, list[float]] = {name: [] for name in running}
    print("minutes" + "".join(f"{name:>10}" for name in running) + " MB   Msps  pictures", flush=True)
    while time.monotonic() - begun < options.minutes * 60:
        time.sleep(1)
        if ended := [f"{name} ended with {one.poll()}" for name, one in running.items() if one.poll() is not None]:
            return stored, table, ended
        for name, process in running.items():
            readings[name].append(resident_mb(process.pid))
        stored.look(folder / "out", pictures)
        now = time.monotonic()
        if now - then < options.every:
            continue
        means = {name: float(np.mean(values)) for name, values in readings.items()}
        table.append((now - begun, means))
        samples = air(folder)["samples"]
        line = f"{(now - begun) / 60:7.1f}" + "".join(f"{mean:10.1f}" for mean in means.values())
        print(f"{line}    {(samples - before) / (now - then) / 1e6:7.3f}{len(stored.seen):10}", flush=True)
        then, before = now, samples
        readings = {name: [] for name in running}
    return stored, table, []


def air(folder: Path) -> dict:
    """What the channel said last."""
    said = json_lines(folder / "channel.json")
    return said[-1] if said else {"samples": 0, "seconds": 1.0, "bursts": {"seen": 0}}


def judge(
    options: argparse.Namespace,
    folder: Path,
    stored: Stored,
    table: list[tuple[float, dict[str, float]]],
    codes: dict[str, int],
) -> list[str]:
    """Prints the sums, and returns what was not as it must be."""
    events, said = json_lines(folder / "tx.json"), air(folder)
    kinds = collections.Counter(event["event"] for event in events)
    confirmed = {event["name"] for event in events if event["event"] == "stored"}
    reports = [report for report in json_lines(folder / "rx.json") if "bursts" in report]
    bursts = {kind: sum(report["bursts"][kind] for report in reports) for kind in ("sent", "lost", "repeated")}
    missing, twice = confirmed - stored.names.keys(), [name for name, count in stored.names.items() if count > 1]
    under_way = stored.names.keys() - confirmed
    print(f"air      {said['samples'] / 1e6:.1f} million samples, {said['bursts']['seen']} bursts")
    print("bursts   " + ", ".join(f"{count} {kind}" for kind, count in bursts.items()))
    print(f"pictures {len(confirmed)} told as stored, {len(stored.names)} there, {len(missing)} missing, "
          f"{len(twice)} twice, {len(stored.bad)} bad, {len(under_way)} under way at the end")  # fmt: skip
    print(f"ended with {codes}")
    faults = [f"{count} bursts {kind}" for kind, count in bursts.items() if kind != "sent" and count]
    faults += [f"{len(names)} pictures {how}: {sorted(names)[:5]}"
               for how, names in (("missing", missing), ("twice", twice), ("bad", stored.bad)) if names]  # fmt: skip
    faults += [f"tx told {kinds[kind]} times of '{kind}'" for kind in ("again", "failed", "late") if kinds[kind]]
    if len(under_way) > IN_FLIGHT:
        faults.append("more pictures are there than tx was told of")
    if not confirmed:
        faults.append("no picture arrived")
    for name in codes:
        lines = (folder / f"{name}.log").read_text().splitlines()
        print("".join(f"{name} said: {line}\n" for line in lines[:10]), end="")
        faults += [f"{name} failed"] * any("Traceback" in line or "Error" in line for line in lines)
    settled = min(SETTLED_SECONDS, SETTLED_SHARE * options.minutes * 60)
    rows = [means for seconds, means in table if seconds > settled]
    for name in rows[0] if rows else ():
        growth = max(later[name] - sooner[name] for sooner, later in itertools.combinations_with_replacement(rows, 2))
        print(f"memory   {name} grew by {growth:.1f} MB after {settled:.0f} s, "
              f"{1e6 * growth / max(1, len(stored.names)):.0f} bytes a picture")  # fmt: skip
        faults += [f"{name} grew by {growth:.1f} MB"] * (growth > options.growth)
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--codec", default="deepjscc")
    parser.add_argument("--cbr", default="1/6", help="the more, the busier is the air for the same network")
    parser.add_argument("--snr", type=float, default=20.0, help="of the channel, dB")
    parser.add_argument("--pace", type=float, help="samples per second on the air; as fast as it goes, if not given")
    parser.add_argument("--every", type=float, default=120.0, help="seconds between two lines")
    parser.add_argument("--growth", type=float, default=5.0, help="MB that a program may grow by")
    parser.add_argument("--keep", type=Path, help="a new folder for what the programs leave; it is not removed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the programs end, too
    folder = options.keep or Path(tempfile.mkdtemp(prefix="gr-jscc-soak-"))
    folder.mkdir(parents=True, exist_ok=options.keep is None)
    try:
        faults = run(options, folder.resolve())
    finally:
        if options.keep is None:
            shutil.rmtree(folder)
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
