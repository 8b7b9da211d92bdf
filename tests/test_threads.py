"""Threads sleep while they wait, and small products of matrices stay in one."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 (its linear algebra has threads of its own)
from threadpoolctl import threadpool_info, threadpool_limits

from gr_jscc.benchmarks.modem import long_stream
from gr_jscc.benchmarks.neighbour import neighbour_ratio
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import StreamDemodulator, numerology
from gr_jscc.threads import half_of_the_cores, one_blas_thread


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(("given", "there"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_whoever_imports_us_before_a_network_has_threads_that_sleep(given, there):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    code = "import os, sys, gr_jscc; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=50)
    assert done.stdout == f"{there} False\n", done.stderr


def test_one_thread_meanwhile_and_as_many_as_before_afterwards():
    with threadpool_limits(limits=2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("a linear algebra without threads")
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_the_demodulator_works_in_one(monkeypatch):
    seen, advance = [], StreamDemodulator._advance

    def watched(self, **how):
        seen.append(blas_threads())
        return advance(self, **how)

    monkeypatch.setattr(StreamDemodulator, "_advance", watched)
    demodulator = StreamDemodulator(numerology(256), step=20_000)
    with threadpool_limits(limits=2, user_api="blas"):
        demodulator.push(np.zeros(50_000, np.complex64))
        demodulator.flush()
    assert len(seen) == 3 and all(threads == {1} for threads in seen)


def test_a_demodulator_costs_about_the_same_beside_busy_programs(rng):
    layout = numerology(256)
    stream = long_stream(rng, LinkSettings(numerology=layout))[:600_000]  # noise alone takes too little time to measure
    ratio, quiet = neighbour_ratio(stream, StreamDemodulator(layout), turns=3)
    assert 0 < ratio < 4 and quiet > 0  # it was 20; the figure itself is the benchmark's


def test_half_of_the_cores_is_at_least_one(monkeypatch):
    for cores, half in ((1, 1), (2, 1), (5, 2), (16, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert half_of_the_cores() == half
