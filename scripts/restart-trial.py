"""Starts transmitters one after the other to one receiver, each with one picture, and looks whether every one arrives.

    python scripts/restart-trial.py --times 300
    python scripts/restart-trial.py --times 300 --without-back-channel

Every start of `tx` draws a new session and, with a back-channel, a random number for its first transfer; without one it
begins at 0. The receiver runs all the time and has to tell them apart. Each picture must be stored once and whole, and
each `tx` must end well.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trial_parts import Programs, in_folder, make_pictures

from gr_jscc.ports import free_addresses

PATIENCE = 120.0  # seconds for a transmitter to end
FIRST_PATIENCE = 900.0  # for the first, while the receiver starts, and a fresh tree's functions are compiled
AFTERWARDS = 60.0  # seconds for the receiver to store what came last
EVERY = 25  # restarts between two lines


def trial(folder: Path, times: int, back_channel: bool) -> int:
    """Runs it and returns how many faults there were."""
    crops = sorted(make_pictures(folder / "crops").iterdir())
    pictures = folder / "pictures"
    pictures.mkdir()
    near, back = free_addresses(2)
    link = ("--radio", f"zmq:{near}", *(("--back-channel", back) if back_channel else ()), "--quiet")
    programs, begun, failed = Programs(folder), time.monotonic(), 0
    receiver = programs.start("rx", "--out", folder / "out", *link)
    for number in range(times):
        picture = pictures / f"p{number:04}.png"
        os.link(crops[number % len(crops)], picture)
        sender = programs.start("tx", picture, *link)
        try:
            failed += sender.wait(PATIENCE if number else FIRST_PATIENCE) != 0
        except subprocess.TimeoutExpired:
            failed += 1
            os.killpg(sender.pid, signal.SIGKILL)  # or the next one would find its address taken
            sender.wait()
        if (number + 1) % EVERY == 0 or number + 1 == times:
            there = len(list((folder / "out").glob("*/report.json")))
            print(f"{number + 1} started, {there} stored, {time.monotonic() - begun:.0f} s", flush=True)
    end = time.monotonic() + AFTERWARDS
    while len(list((folder / "out").glob("*/report.json"))) < times and time.monotonic() < end:
        time.sleep(0.5)
    os.killpg(receiver.pid, signal.SIGTERM)  # a trial in the background hands on that SIGINT is ignored
    receiver.wait(AFTERWARDS)
    found = in_folder(folder / "out", pictures)
    found.left_running = programs.left_running(AFTERWARDS)
    print(f"{times} starts: {failed} failed; {found}")
    return failed + found.faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=300, help="starts of tx")
    parser.add_argument("--without-back-channel", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gr-jscc-restarts-") as temporary:
        sys.exit(min(1, trial(Path(temporary), given.times, not given.without_back_channel)))
