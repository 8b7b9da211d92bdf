"""The chain of GNU Radio's that ours is compared with runs at the SNR that the table says."""

import numpy as np
import pytest
from gnuradio import blocks, gr

from gr_jscc.benchmarks import flowgraph as speed

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]
DATA = [k for k in range(-26, 27) if k not in (-21, -7, 0, 7, 21)]


@pytest.fixture(scope="module")
def cells():
    """Symbols on the data carriers of 50 packets, complex64[packet, OFDM symbol, carrier]."""
    graph, samples = gr.top_block(), blocks.vector_sink_c()
    head = blocks.head(gr.sizeof_gr_complex, 50 * speed.STOCK_FRAME)
    graph.connect(speed.stock_transmitter(graph), head, samples)
    graph.run()
    symbols = np.array(samples.data(), np.complex64).reshape(50, -1, 80)[:, :, 16:]
    return np.fft.fft(symbols, norm="ortho")[:, :, DATA]


def test_the_payload_has_the_power_that_the_noise_is_set_for(cells):
    power = np.mean(np.abs(cells) ** 2, axis=(0, 2))  # of an OFDM symbol: two of preamble, the header, the payload
    assert power[2] == pytest.approx(1, rel=0.01)
    assert power[3:-1] == pytest.approx(speed.stock_payload_power(), rel=0.01)  # the last one is not full
    assert speed.stock_payload_power() == pytest.approx(4, rel=0.01)


def test_the_payloads_snr_is_what_the_table_says(cells):
    rng = np.random.default_rng(1)
    payload = cells[:, 3:-1]
    # fastnoise_source_c's amplitude is the root of the mean power of its complex samples.
    source = speed._noise(speed.stock_payload_power())
    graph, sink, head = gr.top_block(), blocks.vector_sink_c(), blocks.head(gr.sizeof_gr_complex, 200_000)
    graph.connect(source, head, sink)
    graph.run()
    noise = rng.permutation(np.array(sink.data(), np.complex64))
    snr_db = 10 * np.log10(np.mean(np.abs(payload) ** 2) / np.mean(np.abs(noise) ** 2))
    assert snr_db == pytest.approx(speed.SNR_DB, abs=0.1)


def test_packets_are_decoded_at_that_snr():
    """Two thirds of them, as the header has 6 dB less than the payload."""
    rate, sent, decoded = speed.stock_msps(1.0)
    assert rate > 0 and sent > 20 and 0.4 * sent < decoded <= sent
