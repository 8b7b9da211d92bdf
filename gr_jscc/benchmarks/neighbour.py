"""What the modem costs beside programs that keep every core busy."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from gr_jscc.modem import StreamDemodulator

STEP = 32_768  # samples that a flowgraph hands over at a time


def neighbour_ratio(stream: np.ndarray, demodulator: StreamDemodulator, turns: int = 3) -> tuple[float, float]:
    """CPU time of a demodulator beside busy neighbours over that without, median of turns; and that without, in ns.

    Args:
        stream: complex64[n], which is pushed again and again.
        demodulator: of its numerology.
        turns: measurements of each, one after the other by turns.
    """

    def nanoseconds() -> float:
        before = time.process_time()
        for start in range(0, len(stream), STEP):
            demodulator.push(stream[start : start + STEP])
        return (time.process_time() - before) / len(stream) * 1e9

    nanoseconds()  # warms up
    quiet, busy = [], []
    for _ in range(turns):
        quiet.append(nanoseconds())
        with neighbours():
            busy.append(nanoseconds())
    return statistics.median(b / q for b, q in zip(busy, quiet)), statistics.median(quiet)


@contextlib.contextmanager
def neighbours() -> Iterator[None]:
    """Meanwhile one more program computes on each core that this process may use."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        time.sleep(0.3)  # until they compute
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()
