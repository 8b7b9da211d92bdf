"""Every burst is found, nothing else is, and nothing in a stream upsets the receiver."""

import subprocess
import sys

import numpy as np
import pytest
from modem_streams import errors, gaussian, make_stream, receive

from gr_jscc.errors import UserError
from gr_jscc.modem import NUMEROLOGIES, StreamDemodulator, numerology
from gr_jscc.modem.candidates import _metric_peaks

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("snr_db", [0.0, 5.0])
def test_back_to_back_none_is_missed(rng, snr_db):
    stream, sent = make_stream(rng, 400, snr_db, symbols=240, cfo=2.0, gap=0)
    received, demodulator = receive(stream)
    assert [burst.header for burst in received] == [s.header for s in sent]
    assert demodulator.counters.bursts == 400
    for burst, s, _ in errors(received, sent):
        assert abs(burst.start - s.start) <= 16
        assert burst.cfo == pytest.approx(s.cfo, abs=2e-4)


def same(first, second) -> bool:
    return (
        first.header == second.header
        and first.start == second.start
        and first.cfo == second.cfo
        and first.snr_db == second.snr_db
        and np.array_equal(first.symbols, second.symbols)
        and np.array_equal(first.noise_var, second.noise_var)
    )


@pytest.mark.parametrize("most", [7, 100, 3000, 40000])
def test_chunks_do_not_matter(rng, most):
    stream, sent = make_stream(rng, 8, 5.0, symbols=1000)
    whole, _ = receive(stream, step=8192)
    demodulator = StreamDemodulator(step=8192)
    pieces, position = [], 0
    while position < len(stream):
        size = int(rng.integers(0, most + 1))
        pieces += demodulator.push(stream[position : position + size])
        position += size
    pieces += demodulator.flush()
    assert len(whole) == len(pieces) == len(sent)
    assert all(same(a, b) for a, b in zip(whole, pieces, strict=True))


def test_a_burst_on_every_side_of_a_step(rng):
    stream, sent = make_stream(rng, 60, 10.0, symbols=100, gap=0)
    for step in (2000, 2004, 3332, 5000):
        received, _ = receive(stream, step=step)
        assert [burst.header for burst in received] == [s.header for s in sent]


def constellation(rng, count: int) -> np.ndarray:
    return (rng.choice([-3, -1, 1, 3], count) + 1j * rng.choice([-3, -1, 1, 3], count)) / np.sqrt(10)


def foreign_ofdm(rng, count: int) -> np.ndarray:
    layout = NUMEROLOGIES["128"]
    rows = count // layout.symbol_len
    spectrum = np.zeros((rows, 128), complex)
    spectrum[:, layout.data_bins] = constellation(rng, rows * layout.data_count).reshape(rows, -1)
    body = np.fft.ifft(spectrum, norm="ortho")
    return np.concatenate([body[:, -layout.cp_len :], body], axis=1).reshape(-1)


@pytest.mark.parametrize(
    "signal",
    [
        lambda rng, n: gaussian(rng, n),
        lambda rng, n: np.exp(2j * np.pi * 0.0371 * np.arange(n)),
        lambda rng, n: 2 + 0.3 * gaussian(rng, n),
        lambda rng, n: np.tile(gaussian(rng, 80), n // 80),
        foreign_ofdm,
        lambda rng, n: np.zeros(n),
    ],
    ids=["noise", "sine", "dc", "period of a symbol", "another numerology", "silence"],
)
def test_no_burst_where_there_is_none(rng, signal):
    received, demodulator = receive(signal(rng, 1_500_000).astype(np.complex64))
    assert received == []
    assert demodulator.counters.headers_failed < 20


@pytest.mark.parametrize("count", [0, 1, 100, 320, 324, 400])
def test_nothing_is_read_beyond_the_end_of_a_stream(count):
    """As plain Python, which does look at bounds; an OFDM symbol has 80 samples, a preamble four of them."""
    peaks, correlations = _metric_peaks.py_func(np.ones(count, np.complex64), 80, (0, 1, 2, 3), 2.0)
    assert len(peaks) == len(correlations) == 0


def test_dropped_samples_cost_one_burst(rng):
    stream, sent = make_stream(rng, 12, 10.0, symbols=1000, gap=0)
    length = sent[1].start - sent[0].start
    stream = np.delete(stream, np.arange(sent[4].start + length // 2, sent[4].start + length // 2 + 137))
    received, _ = receive(stream)
    good = [s.header.index for _, s, error in errors(received, sent) if np.mean(error) < 0.15]
    assert set(range(12)) - {4} <= set(good)


def test_the_burst_after_an_interferer_arrives(rng):
    stream, sent = make_stream(rng, 6, 10.0, symbols=1000, gap=0)
    stream[sent[2].start - 500 : sent[2].start + 900] += 20 * gaussian(rng, 1400)
    received, _ = receive(stream)
    good = [s.header.index for _, s, error in errors(received, sent) if np.mean(error) < 0.15]
    assert {0, 3, 4, 5} <= set(good)


def test_samples_that_are_no_numbers(rng):
    stream, sent = make_stream(rng, 6, 20.0, symbols=1000, gap=0)
    stream[sent[1].start + 1000] = np.nan
    stream[sent[2].start + 1000 : sent[2].start + 1003] = [np.inf, -np.inf, 1e30 + 1e30j]
    stream[sent[3].start + 1000] = complex(0, np.nan)
    received, _ = receive(stream)
    assert [burst.header.index for burst in received] == [0, 1, 2, 3, 4, 5]
    for burst in received:
        assert np.isfinite(burst.symbols).all() and np.isfinite(burst.noise_var).all()
    assert receive(np.full(200_000, np.nan, np.complex64))[0] == []
    assert receive(np.empty(0, np.complex64))[0] == []


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 3e4])
def test_scale_does_not_matter(rng, scale):
    stream, sent = make_stream(rng, 3, 15.0, symbols=500)
    received, _ = receive(stream * np.float32(scale))
    assert len(received) == 3
    for burst, _, error in errors(received, sent):
        assert np.mean(error) < 0.045
        assert burst.snr_db == pytest.approx(15, abs=1)


def test_fading_to_nothing_stays_finite(rng):
    # A null on carrier 16, which carries data: its symbols are lost, but said to be.
    def taps(_):
        return np.array([1, 0, 1], complex) * np.sqrt(0.5)

    stream, sent = make_stream(rng, 4, 20.0, taps=taps)
    received, _ = receive(stream)
    assert len(received) == 4
    for burst, _, error in errors(received, sent):
        assert np.isfinite(burst.symbols).all() and np.isfinite(burst.noise_var).all()
        assert burst.noise_var.max() > 5
        assert 0.8 < np.mean(error / burst.noise_var) < 1.3


def test_a_truncated_burst_is_counted(rng):
    stream, _ = make_stream(rng, 2, 20.0)
    received, demodulator = receive(stream[:-1500])
    assert len(received) == 1 and demodulator.counters.truncated == 1


def test_streams_follow_each_other(rng):
    stream, _ = make_stream(rng, 2, 20.0, symbols=300)
    demodulator = StreamDemodulator()
    for _ in range(3):
        assert len(demodulator.push(stream) + demodulator.flush()) == 2


def test_odd_lengths_of_symbol(rng):
    layout = numerology(64, 15)
    stream, sent = make_stream(rng, 5, 10.0, layout, symbols=300, cfo=2)
    received, _ = receive(stream, layout)
    assert [burst.header for burst in received] == [s.header for s in sent]


def test_step_too_small_is_refused():
    with pytest.raises(UserError, match="looks at 100 together"):
        StreamDemodulator(step=100)


NOTHING_COMPILED = """
import sys
import numpy as np
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate

def compiled():
    kernels = [v for name, m in list(sys.modules.items()) if name.startswith("gr_jscc.modem") for v in vars(m).values()]
    return sum(len(kernel.signatures) for kernel in kernels if hasattr(kernel, "signatures"))

demodulator = StreamDemodulator()
header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 2400)
burst = modulate(header, np.ones(2400, np.complex64))
before = compiled()
bursts = demodulator.push(np.concatenate([burst, np.delete(burst, slice(2000, 2500)), np.zeros(1000)]))
bursts += demodulator.flush()
assert before and len(bursts) == 2 and np.isinf(bursts[1].noise_var).any(), (before, len(bursts))
assert compiled() == before
"""


def test_nothing_is_compiled_while_samples_wait():
    subprocess.run([sys.executable, "-c", NOTHING_COMPILED], check=True, timeout=50)
