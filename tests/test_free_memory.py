"""What a process has freed goes back to the system, whatever small things lie between."""

import subprocess
import sys
from pathlib import Path

import pytest

from gr_jscc import free_memory
from gr_jscc.resident import resident_mb

BLOCK, COUNT = 100_000, 500  # bytes, below what the C library maps by itself


def leave_holes(kept: list) -> None:
    """Frees `COUNT` blocks, between which something small stays."""
    blocks = []
    for _ in range(COUNT):
        blocks.append(bytearray(BLOCK))
        kept.append(bytearray(2000))


def test_holes_are_given_back(monkeypatch):
    memory, kept = free_memory.FreeMemory(), []
    leave_holes(kept)
    before = resident_mb()
    memory.give_back()  # it is not time yet
    assert resident_mb() > before - 5
    monkeypatch.setattr(free_memory, "EVERY_SECONDS", 0.0)
    memory.give_back()
    assert before - resident_mb() > 0.7e-6 * BLOCK * COUNT


# In a process of its own: where large pictures were tiled before, the C library was told to keep what is freed.
OF_A_WORKER = """
import sys
from gr_jscc import free_memory
from gr_jscc.resident import resident_mb
from gr_jscc.scheduler.worker import Worker
from test_free_memory import leave_holes

free_memory.EVERY_SECONDS = float(sys.argv[1])
kept, failures = [], []
before = resident_mb()
worker = Worker(leave_holes, 0, failures.append)
worker.start()
worker.submit(kept)
worker.finish()
assert not failures
print(resident_mb() - before)
"""


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_the_thread_of_a_network_gives_them_back(seconds):
    command = [sys.executable, "-c", OF_A_WORKER, str(seconds)]
    grown = float(subprocess.check_output(command, text=True, cwd=Path(__file__).parent))
    assert (grown < 0.3e-6 * BLOCK * COUNT) == (seconds == 0)


# Fresh pages that a network's second half asks for, run again and again: they would take up to a third of its time.
OF_A_CODEC = """
import resource
import numpy as np
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec

codec = load_codec("deepjscc")
sent = codec.transmitter(1 / 12).start(np.zeros((512, 512, 3), np.uint8))
reception = Reception(sent.symbols, np.full(len(sent.symbols), 0.1, np.float32), sent.side_info)
faults = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    codec.receiver(512, 512).push(reception)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[2:]))
"""


def test_a_network_is_given_the_pages_that_it_had():
    assert int(subprocess.check_output([sys.executable, "-c", OF_A_CODEC], text=True)) < 100
