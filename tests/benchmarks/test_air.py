"""A continuous stream from one process to another loses nothing."""

import pytest

from gr_jscc.benchmarks.air import stream

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(90)]


def test_no_burst_is_lost_at_20_db_and_memory_stays(tmp_path):
    stretches = list(stream(f"zmq:ipc://{tmp_path}/air", 4, every=1, warm_up=3))
    assert len(stretches) >= 4
    assert stretches[-1].bursts > 200 and stretches[-1].lost == 0
    assert stretches[-1].growth_mb < 40
