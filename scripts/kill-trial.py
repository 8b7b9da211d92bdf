"""Kills programs of gr-jscc at random moments, starts them again, and looks for what was lost, doubled or half-written.

    python scripts/kill-trial.py --times 10 --seed 1

Each kill (SIGKILL: no program can prepare for it) is a run of its own, on this machine: `tx` → `channel` → `rx` with a
back-channel, or a sweep. Its moment is drawn from the time that an unharmed run takes. Every picture must arrive once
and whole; every cell must be stored once, with the figures of the unharmed sweep; and no process may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from trial_parts import Found, Programs, in_folder, kill, make_pictures, members

from gr_jscc.imaging import ImageError, load_image
from gr_jscc.ports import free_addresses
from gr_jscc.sweeps.store import Store, StoreError

LINK, SWEEP = ("tx", "rx", "channel"), ("worker", "sweep")
PACE = 250_000  # samples per second on the air: slow enough that pictures are on their way at most moments
PATIENCE = 240.0  # seconds for a run
MOST_RUNS = 3  # for a kill
AFTERWARDS = 60.0  # seconds for the receiver and for orphans to end, once all has arrived; a busy machine takes some

EXPERIMENT = """
title = "Killed"
snr_db = [0, 10]
cbr = ["1/24", "1/12", "1/6"]
seeds = [1, 2, 3, 4]
images = [{name = "demo", kind = "demo", crop = 64}]
strips = [{images = "demo", image = "demo.png", snr_db = 10, cbr = "1/6"}]
schemes = [{label = "A", codec = "deepjscc"}, {label = "B", codec = "successive-single", weights = "successive-photo"}]
"""


def in_store(folder: Path, expected: dict[str, dict]) -> Found:
    """What a store lacks of the rows of an unharmed one, or has too much of."""
    store = Store(folder)
    found = Found(half=len(store.strays()) + len(list(folder.glob("*/.gr-jscc-*"))))
    try:
        rows = store.rows()
    except StoreError:
        return Found(half=1, lost=len(expected))
    lines = [line for path in folder.glob("cells-*.csv") for line in path.read_bytes().split(b"\n")[1:-1]]
    found.lost, found.twice = len(expected.keys() - rows.keys()), len(lines) - len(rows)
    found.wrong = sum(figures(row) != figures(expected[key]) for key, row in rows.items() if key in expected)
    for path in (folder / "pictures").glob("*.png"):
        try:
            load_image(path)
        except ImageError:
            found.half += 1
    return found


def figures(row: dict) -> dict:
    """A row without what no two runs have in common."""
    return {key: value for key, value in row.items() if not key.startswith(("seconds.", "measured"))}


def workers(group: int) -> list[int]:
    """The processes of a sweep that measure."""
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in members(group)}
    return [pid for pid, path in commands.items() if path.exists() and b"spawn_main" in path.read_bytes()]


def link_run(folder: Path, pictures: Path, victim: str = "", moment: float = 0.0) -> Found:
    """Sends pictures, kills one of the programs at a moment (seconds) and starts it again."""
    (folder / "out").mkdir(parents=True)
    near, far, back = free_addresses(3)
    commands = {
        "rx": ("--radio", f"zmq:{far}", "--back-channel", back, "--out", folder / "out", "--once", "--quiet"),
        "channel": ("--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", 12, "--pace", PACE, "--quiet"),
        "tx": (pictures, "--radio", f"zmq:{near}", "--back-channel", back, "--patience", 90, "--quiet"),
    }
    programs, begun = Programs(folder), time.monotonic()
    running = {name: programs.start(name, *arguments) for name, arguments in commands.items()}
    killed = False
    if victim:
        time.sleep(moment)
        if killed := running[victim].poll() is None:
            kill(running[victim].pid)
            running[victim].wait()
            again = {victim} | ({"rx"} if running["rx"].poll() is not None else set())  # who had left is needed anew
            running |= {name: programs.start(name, *commands[name]) for name in again}
    try:
        running["tx"].wait(PATIENCE)
        seconds = time.monotonic() - begun
        running["rx"].wait(AFTERWARDS)
    except subprocess.TimeoutExpired:  # what it did not hear of the end is no fault: a person ends it
        seconds = time.monotonic() - begun
        os.killpg(running["rx"].pid, signal.SIGTERM)
    os.killpg(running["channel"].pid, signal.SIGTERM)
    left = programs.left_running(AFTERWARDS)
    for process in running.values():
        process.wait()
    found = in_folder(folder / "out", pictures)
    found.left_running, found.seconds, found.killed = left, seconds, killed
    return found


def sweep_run(folder: Path, expected: dict[str, dict], victim: str = "", moment: float = 0.0) -> Found:
    """Measures cells, kills the program or its worker at a moment (seconds); the program is started again."""
    folder.mkdir(parents=True)
    (folder / "killed.toml").write_text(EXPERIMENT)
    command = ("sweep", folder / "killed.toml", "--store", folder / "store", "--workers", 1)
    programs, begun = Programs(folder), time.monotonic()
    process, left, killed = programs.start(*command), 0, False
    if victim:
        time.sleep(moment)
        victims = [process.pid] if victim == "sweep" else workers(process.pid)
        killed = process.poll() is None and bool(victims)
        for pid in victims if killed else ():
            kill(pid)
        if killed and victim == "sweep":
            process.wait()
            left = programs.left_running(AFTERWARDS)
            process = programs.start(*command)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        pass  # counted as left running, and its cells as lost
    seconds = time.monotonic() - begun
    left += programs.left_running(AFTERWARDS if process.poll() is not None else 0)
    process.wait()
    found = in_store(folder / "store", expected)
    found.left_running, found.seconds, found.killed = left, seconds, killed
    return found


def trial(folder: Path, victims: list[str], times: int, rng: random.Random) -> int:
    """Runs all and prints a line a victim; returns how many faults there were."""
    runs: dict[str, Callable[..., Found]] = {}
    print("killed      runs  in work  lost  twice  half  wrong  left  seconds")
    unharmed = {}
    if set(victims) & set(LINK):
        pictures = make_pictures(folder / "pictures")
        runs |= {name: lambda where, *how: link_run(where, pictures, *how) for name in LINK}
        unharmed |= dict.fromkeys(LINK, link_run(folder / "link", pictures))
        tell("none", [unharmed["tx"]])
    if set(victims) & set(SWEEP):
        first = sweep_run(folder / "first", {})
        expected = Store(folder / "first" / "store").rows()
        runs |= {name: lambda where, *how: sweep_run(where, expected, *how) for name in SWEEP}
        unharmed |= dict.fromkeys(SWEEP, first)
        tell("none", [first])
    found = list(unharmed.values())
    for victim in victims:
        length, results, told = unharmed[victim].seconds, [], []
        # Later runs are quicker, as files are in memory: one that had ended before its moment is no kill.
        while sum(result.killed for result in results) < times and len(results) < MOST_RUNS * times:
            moment = rng.uniform(0, length)
            results.append(result := runs[victim](folder / f"{victim}-{len(results)}", victim, moment))
            length = length if result.killed else min(length, result.seconds)
            told += [f"  {result} after {moment:.2f} s"] * bool(result.faults)
        tell(victim, results)
        print("\n".join(told), end="\n" * bool(told))
        found += results
    return sum(result.faults for result in found)


def tell(victim: str, results: list[Found]) -> None:
    """Prints a line of the table."""
    names = ("killed", "lost", "twice", "half", "wrong", "left_running")
    killed, lost, twice, half, wrong, left = (sum(getattr(result, name) for result in results) for name in names)
    seconds = sum(result.seconds for result in results) / len(results)
    print(f"{victim:10}{len(results):6}{killed:9}{lost:6}{twice:7}{half:6}{wrong:7}{left:6}{seconds:9.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="kills of each")
    parser.add_argument("--seed", type=int, default=1, help="of their moments")
    parser.add_argument("--victims", nargs="+", choices=LINK + SWEEP, default=LINK + SWEEP)
    parser.add_argument("--keep", type=Path, help="a new folder for what the runs leave; it is not removed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gr-jscc-kill-trial-") as scratch:
        if given.keep:
            given.keep.mkdir(parents=True)
        faults = trial((given.keep or Path(scratch)).resolve(), given.victims, given.times, random.Random(given.seed))
    sys.exit(f"{faults} faults" if faults else 0)
