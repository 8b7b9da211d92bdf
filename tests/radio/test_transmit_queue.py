"""What is handed to a transmitter and when, with a clock of the test's own; and the shift in frequency."""

import threading
import time

import numpy as np
import pytest

from gr_jscc.radio.shift import BLOCK, FrequencyShift
from gr_jscc.radio.transmit_queue import QUIET_SECONDS, TransmitQueue

pytestmark = pytest.mark.timeout(60)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def ramp(first, count):
    return np.arange(first, first + count).astype(np.complex64)


def everything(queue, most=1000):
    """All that is due: samples, and where the pauses are."""
    parts, pauses = [np.empty(0, np.complex64)], []
    while (taken := queue.take(most)) is not None:
        parts.append(taken[0])
        if taken[1]:
            pauses.append(sum(map(len, parts)))
    return np.concatenate(parts), pauses


def test_nothing_goes_before_the_device_would_stay_busy(clock):
    queue = TransmitQueue(1000, 500, clock)
    assert queue.put(ramp(0, 499)) == 499
    assert queue.take(100) is None
    queue.put(ramp(499, 1))
    samples, pauses = everything(queue, 100)
    assert np.array_equal(samples, ramp(0, 500)) and pauses == [500]
    queue.put(ramp(500, 10))
    assert queue.take(100) is None  # it has paused: the same again


def test_what_is_all_goes_after_a_while(clock):
    queue = TransmitQueue(1000, 500, clock)
    queue.put(ramp(0, 10))
    clock.now += QUIET_SECONDS / 2
    assert queue.take(100) is None
    clock.now += QUIET_SECONDS
    assert everything(queue)[1] == [10]


def test_a_burst_never_has_a_gap(clock):
    """Only what lies before the latest burst's start goes, until no more comes."""
    queue = TransmitQueue(1000, 50, clock)
    queue.put(ramp(0, 100), [0])
    assert queue.take(1000) is None  # its end is not known
    queue.put(ramp(100, 100), [20, 60])
    samples, pauses = everything(queue)
    assert len(samples) == 160 and pauses == [160]
    clock.now += 2 * QUIET_SECONDS
    assert len(everything(queue)[0]) == 40


def test_a_burst_longer_than_the_queue_goes_all_the_same(clock):
    queue = TransmitQueue(100, 50, clock)
    assert queue.put(ramp(0, 150), [0]) == 100
    assert queue.put(ramp(0, 1), timeout=0.0) == 0 and queue.take(100) is None
    clock.now += 2 * QUIET_SECONDS
    assert len(queue.take(100)[0]) == 100


def test_the_end_is_due_at_once(clock):
    queue = TransmitQueue(1000, 500, clock)
    queue.put(ramp(0, 30), [0])
    assert not queue.finished
    queue.finish()
    assert everything(queue, 20)[1] == [30] and queue.finished
    assert queue.take(20, timeout=5.0) is None  # without waiting


def test_a_copy_is_kept(clock):
    queue, samples = TransmitQueue(1000, 1, clock), ramp(0, 10)
    queue.put(samples)
    samples[:] = 0
    assert np.array_equal(queue.take(10)[0], ramp(0, 10))


def test_the_full_queue_waits_for_room():
    queue, read = TransmitQueue(100, 50), []

    def reader():
        while len(read) < 5000:
            if taken := queue.take(7, timeout=0.05):
                read.extend(taken[0])

    thread = threading.Thread(target=reader)
    thread.start()
    sent, end = 0, time.monotonic() + 20
    while sent < 5000 and time.monotonic() < end:
        sent += queue.put(ramp(sent, min(64, 5000 - sent)))
        assert len(queue) <= 100
    thread.join(20)
    assert np.array_equal(read, ramp(0, 5000))


@pytest.mark.parametrize("cycles", [0.0, 0.1, -0.3123])
def test_a_shift_is_one_turn_however_it_is_cut(cycles, rng):
    samples = rng.standard_normal((3 * BLOCK + 5, 2)).astype(np.float32).view(np.complex64)[:, 0]
    expected = samples * np.exp(2j * np.pi * cycles * np.arange(len(samples)))
    shift = FrequencyShift(cycles)
    for part in np.split(samples, [1, BLOCK - 3, 2 * BLOCK + 100]):
        shift.process(part)
    assert np.abs(samples - expected).max() < 1e-5
