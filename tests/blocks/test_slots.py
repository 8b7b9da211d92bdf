"""Rounds in slots: those of two chains begin at the same samples, whatever they take."""

import numpy as np
import pytest

pytest.importorskip("gnuradio")

from gnuradio import blocks, gr  # noqa: E402

from gr_jscc.blocks import image_source, jscc_encoder, ofdm_modulator  # noqa: E402
from gr_jscc.errors import UserError  # noqa: E402
from gr_jscc.imaging import save_image  # noqa: E402
from gr_jscc.modem import StreamDemodulator  # noqa: E402

pytestmark = pytest.mark.gnuradio
SLOT = 60_000


def modulated(folder, slot, cbr=1 / 6):
    graph, sink = gr.top_block(), blocks.vector_sink_c()
    source, encoder = image_source([str(folder)]), jscc_encoder("separation", cbr, "jpeg:ldpc-1/2:qpsk")
    modulator = ofdm_modulator(slot=slot)
    graph.msg_connect(source, "image", encoder, "image")
    graph.msg_connect(encoder, "ready", source, "ready")
    graph.connect(encoder, modulator, sink)
    graph.run()
    return np.array(sink.data(), np.complex64), modulator.failure


@pytest.fixture
def folder(tmp_path, small_photo):
    for number in range(3):
        save_image(tmp_path / f"{number}.png", small_photo[:, number * 8 :])
    return tmp_path


def test_each_round_has_its_slot(folder):
    samples, failure = modulated(folder, SLOT)
    assert failure is None and len(samples) == 3 * SLOT
    demodulator, first = StreamDemodulator(), {}
    for burst in demodulator.push(samples) + demodulator.flush():
        first.setdefault(burst.header.transfer, burst.start)
    starts = np.array(list(first.values()))
    assert np.all(np.abs(starts - np.arange(3) * SLOT) < 300)  # of the preamble


def test_a_round_longer_than_its_slot_is_an_error_of_one_line(folder):
    _, failure = modulated(folder, 1000)
    assert isinstance(failure, UserError)
    assert str(failure).startswith("a round takes ") and str(failure).endswith("has a slot of 1000")
    with pytest.raises(UserError, match="slot must be a number of samples, or 0, not -1"):
        ofdm_modulator(slot=-1)
