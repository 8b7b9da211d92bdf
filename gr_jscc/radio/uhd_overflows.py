"""What a USRP lost of what it received."""

from __future__ import annotations

import math
import time

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.radio.conditioning import FromConverter
from gr_jscc.radio.tags import OVERFLOW
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running

RX_TIME = pmt.intern("rx_time")


@kept_while_running
class OverflowCounter(gr.sync_block):
    """Corrects a USRP source's samples, counts what it lost and tags it, see `gr_jscc.radio.tags`.

    The source tags ``rx_time`` at the start and after every loss.

    Streams in and out: complex64.

    Args:
        sample_rate: samples per second.
        conditioner: of the samples.

    Attributes:
        overflows, lost_samples: see `RadioStatistics`.
        heard: `time.monotonic` of the latest samples.

    Example:
        >>> from gnuradio import blocks
        >>> from gr_jscc.radio.profile import load_profile
        >>> counter = OverflowCounter(1e6, FromConverter(load_profile("b210-uhd")))
        >>> times = {0: 0.0, 50: 150e-6}  # seconds of the device's clock, by sample: a hundred are missing
        >>> pairs = {at: pmt.make_tuple(pmt.from_uint64(0), pmt.from_double(when)) for at, when in times.items()}
        >>> tags = [gr.python_to_tag((at, RX_TIME, pair, pmt.PMT_F)) for at, pair in pairs.items()]
        >>> graph, heard = gr.top_block(), blocks.vector_sink_c()
        >>> graph.connect(blocks.vector_source_c([1j] * 100, False, 1, tags), counter, heard)
        >>> graph.run()
        >>> counter.overflows, counter.lost_samples
        (1, 100)
    """

    def __init__(self, sample_rate: float, conditioner: FromConverter) -> None:
        gr.sync_block.__init__(self, name="Overflow Counter", in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self._rate, self._conditioner = sample_rate, conditioner
        self.overflows = self.lost_samples = 0
        self.heard = math.inf
        self._last: tuple[int, float] | None = None  # place and time of the latest tag

    def start(self) -> bool:
        self.heard, self._last = time.monotonic(), None
        return True

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        out[:] = input_items[0]
        self._conditioner.process(out)
        for tag in self.get_tags_in_window(0, 0, len(out), RX_TIME):
            self._take(
                tag.offset, pmt.to_uint64(pmt.tuple_ref(tag.value, 0)), pmt.to_double(pmt.tuple_ref(tag.value, 1))
            )
        self.heard = time.monotonic()
        return len(out)

    def _take(self, place: int, whole: int, fraction: float) -> None:
        if self._last is not None:
            self.overflows += 1
            self.add_item_tag(0, place, OVERFLOW, pmt.PMT_T)
            before, then = self._last
            self.lost_samples += max(0, round((whole + fraction - then) * self._rate) - (place - before))
        self._last = place, whole + fraction
