"""The impairments in GNU Radio flowgraphs: same as without, live changes, tags, lost bursts."""

import time

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr

from gr_jscc.blocks import channel_impairments
from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario, ScenarioError
from gr_jscc.scheduler.tags import BURST

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]

TABLES = {
    "amplifier": {"backoff_db": 7.0},
    "multipath": {"taps": "multipath"},
    "cfo": {"cycles_per_sample": 0.01},
    "sfo": {"ppm": 80.0},
    "awgn": {"snr_db": 12.0},
    "drops": {"share": 0.02},
}


def through(block, samples, tags=()):
    """What a block makes of samples, and its tags."""
    graph = gr.top_block()
    source = blocks.vector_source_c(samples, False, 1, list(tags))
    sink = blocks.vector_sink_c()
    graph.connect(source, block, sink)
    graph.run()
    assert block.failure is None
    return np.array(sink.data(), np.complex64), sink.tags()


def tag(offset, key=BURST, value=None):
    made = gr.tag_t()
    made.offset, made.key, made.value = offset, key, value if value is not None else pmt.from_long(offset)
    return made


def test_the_block_is_the_scenario(rng):
    samples = (rng.standard_normal(100_000) + 1j * rng.standard_normal(100_000)).astype(np.complex64)
    out, _ = through(ImpairedStream(Scenario(TABLES, seed=4)), samples)
    assert np.allclose(out, Scenario(TABLES, seed=4).process(samples), atol=1e-4)
    block = channel_impairments(
        12.0, cfo=0.01, sfo_ppm=80.0, taps="multipath", pa_backoff_db=7.0, drop_share=0.02, seed=4
    )
    # Not to the bit: the scheduler cuts the stream anew in every run, and rounding follows the cuts.
    assert np.allclose(through(block, samples)[0], out, atol=1e-4)


def test_off_means_untouched(rng):
    samples = rng.standard_normal(20_001).astype(np.complex64)
    out, _ = through(channel_impairments(), samples)
    assert np.array_equal(out, samples)


def test_tags_stay_at_their_samples():
    offsets = [0, 1, 4095, 4096, 30_000, 49_999]
    samples = np.zeros(50_000, np.complex64)
    _, tags = through(channel_impairments(20.0), samples, [tag(offset) for offset in offsets])
    assert [(t.offset, pmt.to_long(t.value)) for t in tags] == [(offset, offset) for offset in offsets]


def test_tags_follow_the_sample_clock():
    offsets = list(range(500, 50_000, 1000))
    samples = np.zeros(50_000, np.complex64)
    samples[offsets] = 1
    out, tags = through(channel_impairments(sfo_ppm=-5000.0), samples, [tag(offset) for offset in offsets])
    assert len(tags) == len(offsets) and len(out) > 50_200
    for t in tags:
        assert np.abs(out[t.offset - 2 : t.offset + 3]).max() > 0.6


def test_lost_bursts_are_erased_from_tag_to_tag():
    samples = np.ones(100_000, np.complex64)
    offsets = list(range(0, 100_000, 500))
    out, tags = through(channel_impairments(loss=0.3), samples, [tag(offset) for offset in offsets])
    bursts = out.reshape(-1, 500)
    lost = (bursts == 0).all(axis=1)
    assert np.all(lost | (bursts == 1).all(axis=1)) and 0.2 < lost.mean() < 0.4
    assert len(tags) == len(offsets)


def test_values_change_while_it_runs():
    graph = gr.top_block()
    source = blocks.vector_source_c(np.ones(1000, np.complex64), True)
    throttle, sink = blocks.throttle(gr.sizeof_gr_complex, 2e6), blocks.vector_sink_c()
    block = channel_impairments(60.0)
    graph.connect(source, throttle, block, sink)
    graph.start()
    try:
        for change in (
            lambda: block.set_taps([0.5]), lambda: block.set_snr_db(0.0), lambda: block.set_snr_db(None),
            lambda: block.set_cfo(0.25), lambda: block.set_sfo_ppm(10.0), lambda: block.set_sfo_ppm(0.0),
        ):  # fmt: skip
            time.sleep(0.1)
            change()
        with pytest.raises(ScenarioError, match="cfo: cycles_per_sample must be"):
            block.set_cfo(3.0)
        time.sleep(0.1)
    finally:
        graph.stop()
        graph.wait()
    assert block.failure is None
    out = np.array(sink.data(), np.complex64)
    assert np.allclose(out[:1000], 1, atol=0.02)
    assert np.std(np.abs(out[: len(out) * 2 // 3])) > 0.2
    steps = out[-1000:] * np.conj(np.roll(out, 1)[-1000:])
    assert np.allclose(steps, 0.25j, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"snr_db": 1e6}, "awgn: snr_db must be"),
        ({"loss": 2.0}, "loss: probability must be"),
        ({"bits": 1}, "quantiser: bits must be"),
        ({"fading": "rice"}, "fading must be none, block or doppler, not 'rice'"),
        ({"taps": []}, "multipath: taps must be"),
    ],
)
def test_nonsense_is_refused(values, message):
    with pytest.raises(ScenarioError, match=message):
        channel_impairments(**values)
