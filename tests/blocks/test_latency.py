"""How long a burst waits for samples after it: as long as was asked for, and no longer."""

import numpy as np
import pytest
from gnuradio import blocks, gr

from gr_jscc.blocks import ofdm_demodulator
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.receiving_host import ReceiveFlowgraph
from gr_jscc.link.loading import Decoding
from gr_jscc.modem import BurstHeader, BurstKind, modulate
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.scheduler.pacing import DEVICE_STEP_SAMPLES, STEP_SAMPLES, samples_together

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


def symbols_heard(step, samples):
    """Symbols that a demodulator puts out of a burst and so many samples of silence after it."""
    burst = modulate(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 480), np.ones(480, np.complex64))
    stream = np.concatenate([burst, np.zeros(samples, np.complex64)])
    graph, heard = gr.top_block(), blocks.vector_sink_c()
    demodulator = ofdm_demodulator(step=step)
    graph.connect(blocks.vector_source_c(stream.tolist()), demodulator, heard)
    graph.connect((demodulator, 1), blocks.null_sink(gr.sizeof_float))
    graph.run()
    return len(heard.data())


def test_a_burst_is_put_out_when_its_step_is_complete():
    assert symbols_heard(8192, 8000) == 480
    assert symbols_heard(STEP_SAMPLES, 8000) == 0


@pytest.mark.parametrize("rate", [200e3, 1e6, 20e6])
@pytest.mark.parametrize("name", ["64", "256-wide", "1024"])
def test_samples_wait_as_long_as_asked_or_as_little_as_bursts_can_be_found_in(name, rate):
    layout = load_numerology(name)
    least = samples_together(0.0, rate, layout)
    together = samples_together(0.02, rate, layout)
    assert together == min(max(0.02 * rate, least), STEP_SAMPLES)
    assert ofdm_demodulator(numerology=layout, step=least).demodulator.step == least // 4 * 4
    with pytest.raises(UserError, match="cannot be found"):
        ofdm_demodulator(numerology=layout, step=least - 4)


@pytest.mark.parametrize(
    ("rate", "is_device", "latency", "step"),
    [
        (400e3, False, 0.02, 8000), (20e6, False, 0.05, STEP_SAMPLES),  # others than devices may fall silent
        (400e3, True, 0.02, 8000), (20e6, True, 0.01, 200_000), (20e6, True, 0.05, DEVICE_STEP_SAMPLES),
    ],
)  # fmt: skip
def test_a_receiver_takes_the_radios_rate_and_kind_into_account(tmp_path, monkeypatch, rate, is_device, latency, step):
    np.zeros(100, np.complex64).tofile(tmp_path / "heard.cf32")
    decoding = Decoding("separation", weights="jpeg:ldpc-2/3:16qam")
    monkeypatch.setattr(RadioChoice, "is_device", is_device)
    radio = RadioChoice(f"file:{tmp_path}/heard.cf32", sample_rate=rate)
    graph = ReceiveFlowgraph(radio, tmp_path, decoding, latency=latency)
    assert graph.receiver.demodulator.demodulator.step == step
