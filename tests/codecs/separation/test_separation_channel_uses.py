"""Every scheme's report counts the same way: the channel uses are recounted from the IQ of a run."""

import numpy as np
import pytest

from gr_jscc.imaging import save_image
from gr_jscc.link.loading import Encoding
from gr_jscc.modem import BurstKind, StreamDemodulator
from gr_jscc.modem.layout import header_ofdm_symbols
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]

SILENCE = 8  # samples

SCHEMES = [
    ("deepjscc", ""),
    ("successive-single", "successive-photo"),
    ("ntscc", "ntscc-photo"),
    ("separation", "hevc:10dB"),
    ("separation", "jpeg2000:ldpc-1/2:qpsk"),
]


def recorded_run(tmp_path, image, codec, weights):
    """The report of a run, and the samples that its modulator made."""
    from gnuradio import blocks, gr

    from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph

    save_image(tmp_path / "picture.png", image)
    encoding = Encoding(codec, 1 / 6, weights)
    graph = LoopbackFlowgraph([tmp_path / "picture.png"], encoding, Air(snr_db=15.0))
    recorder = blocks.file_sink(gr.sizeof_gr_complex, str(tmp_path / "air.cf32"))
    graph.connect(graph.transmitter, recorder)
    (*_, result) = graph.results()
    recorder.close()
    return result.report, np.fromfile(tmp_path / "air.cf32", np.complex64)


def recount(samples):
    """Channel uses in samples without noise: where there is signal, and what the bursts' headers say."""
    demodulator = StreamDemodulator()
    bursts = demodulator.push(samples) + demodulator.flush()
    uses = dict.fromkeys(("payload", "side_info", "header"), 0)
    for burst in bursts:
        kind = "payload" if burst.header.kind == BurstKind.ANALOG else "side_info"
        uses[kind] += len(burst.symbols)
        uses["header"] += header_ofdm_symbols(DEFAULT_NUMEROLOGY) * DEFAULT_NUMEROLOGY.data_count
    return uses | {"air": samples_on_air(samples)}


def samples_on_air(samples):
    """All but silence; a single sample of a burst may happen to be zero."""
    signal = np.flatnonzero(samples)
    steps = np.diff(signal)
    return len(signal) + int((steps[steps <= SILENCE] - 1).sum())


@pytest.mark.parametrize(("codec", "weights"), SCHEMES)
def test_the_recording_of_a_run_holds_what_its_report_counts(tmp_path, small_photo, codec, weights):
    report, samples = recorded_run(tmp_path, small_photo, codec, weights)
    assert report["codec"] == codec and report["psnr_db"] > 25
    uses = recount(samples)
    assert {key: report["uses"][key] for key in uses} == uses
    values = small_photo.size
    assert report["cbr"]["payload"] == pytest.approx(uses["payload"] / values, abs=1e-6)
    total = uses["payload"] + uses["side_info"] + uses["header"]
    assert report["cbr"]["total"] == pytest.approx(total / values, abs=1e-6)
    assert report["cbr"]["payload"] <= 1 / 6 + 1e-6
