"""A flowgraph that was stopped and is started again sends as it did."""

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr

from gr_jscc.blocks import ofdm_modulator
from gr_jscc.modem import BurstHeader, BurstKind
from gr_jscc.scheduler.pacing import BUFFER_ITEMS
from gr_jscc.scheduler.tags import BURST

pytestmark = pytest.mark.timeout(60)


class _Watched(ofdm_modulator):
    """Notes how much is asked of it at once."""

    most = 0

    def general_work(self, input_items, output_items):
        self.most = max(self.most, len(output_items[0]))
        return super().general_work(input_items, output_items)


def test_the_modulator_begins_again_with_the_stream():
    header = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 480).pack()
    tag = gr.tag_t()
    tag.offset, tag.key, tag.value = 0, BURST, pmt.init_u8vector(len(header), list(header))
    source, sink = blocks.vector_source_c([1 + 0j] * 480, False, 1, [tag]), blocks.vector_sink_c()
    flowgraph, modulator = gr.top_block(), _Watched()
    flowgraph.connect(source, modulator, sink)
    runs = []
    for _ in range(2):
        flowgraph.run()
        runs.append((np.array(sink.data()), [tag.offset for tag in sink.tags()], modulator.most))
        modulator.most = 0
        source.rewind()
        sink.reset()
    assert len(runs[0][0]) == 1520 and np.array_equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1] == [0]
    assert runs[0][2] == runs[1][2] >= BUFFER_ITEMS // 2  # GNU Radio 3.10.5 would make it 4096, see forget_buffer_sizes
