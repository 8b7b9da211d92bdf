"""When bursts start, and which are sent again because they came too late."""

import numpy as np
import pytest

from gr_jscc.radio import RadioError
from gr_jscc.radio.timed_bursts import MOST_LEAD_SECONDS, MOST_TRIES, SURE_SECONDS, TimedBursts

RATE, LEAD = 1000.0, 0.05
pytestmark = pytest.mark.timeout(20)


class Clock:
    """The computer's; the device's is 100 s ahead."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time

    @property
    def device(self):
        return self.time + 100


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bursts(clock):
    return TimedBursts("uhd:", RATE, LEAD, clock)


def samples(count, first=0):
    return np.arange(first, first + count).astype(np.complex64)


def nothing():
    return []


def test_a_burst_starts_ahead_and_not_before_the_last_one_ended(bursts, clock):
    assert bursts.begin(clock.device) == pytest.approx(100.05)
    bursts.handed_over(samples(200))
    clock.time = 0.15
    assert bursts.listen(nothing) is None and not bursts.pending
    assert bursts.begin(clock.device) == pytest.approx(100.25)
    clock.time = 1.0
    bursts.handed_over(samples(10))
    assert bursts.begin(clock.device) == pytest.approx(101.05)


def test_what_was_handed_over_is_sent_again_and_earlier(bursts, clock):
    bursts.begin(clock.device)
    bursts.handed_over(samples(30))
    bursts.handed_over(samples(20, 30))
    assert bursts.listen(nothing) is None and bursts.pending
    assert np.array_equal(bursts.listen(lambda: [100.06, 100.061]), samples(50))
    assert bursts.late == 1 and not bursts.pending
    assert bursts.listen(lambda: [100.062]) is None  # packets of the burst that is given up
    clock.time = 0.01
    assert bursts.begin(clock.device) == pytest.approx(100.11)  # 0.1 s ahead
    bursts.handed_over(samples(50))
    assert bursts.listen(lambda: [100.063]) is None and bursts.pending
    assert np.array_equal(bursts.listen(lambda: [None]), samples(50)) and bursts.late == 2


def test_a_burst_is_kept_until_the_device_would_have_told(bursts, clock):
    """That is asked for at a time at which it is sure: what came while nobody looked is not overlooked."""
    bursts.begin(clock.device)
    bursts.handed_over(samples(30))
    clock.time = LEAD + SURE_SECONDS - 0.001
    assert bursts.listen(nothing) is None and bursts.pending
    clock.time = 10.0
    assert bursts.listen(lambda: [100.06]) is not None
    bursts.begin(clock.device)
    clock.time = 20.0
    assert bursts.listen(nothing) is None and not bursts.pending
    assert bursts.listen(lambda: [120.0]) is None and bursts.late == 1  # amid a burst that had begun in time


def test_the_lead_stays_after_it_grew(bursts, clock):
    bursts.begin(clock.device)
    bursts.handed_over(samples(3))
    bursts.listen(lambda: [100.06])
    clock.time = 10.0
    assert bursts.begin(clock.device) == pytest.approx(110.1)
    clock.time = 20.0
    bursts.listen(nothing)
    assert bursts.begin(clock.device) == pytest.approx(120.1)


def test_a_device_that_calls_every_burst_late_is_told_in_one_line(bursts, clock, caplog):
    leads = []
    with pytest.raises(RadioError, match=f"missed its transmit time {MOST_TRIES} times.*set timed = false") as refused:
        for _ in range(MOST_TRIES):
            leads.append(bursts.begin(clock.device) - clock.device)
            bursts.handed_over(samples(3))
            clock.time += 1.0
            bursts.listen(lambda: [clock.device])
    assert leads[:4] == pytest.approx([0.05, 0.1, 0.2, 0.4]) and max(leads) == pytest.approx(MOST_LEAD_SECONDS)
    assert "\n" not in str(refused.value)
    assert len(caplog.records) == 1  # the warning is given once
