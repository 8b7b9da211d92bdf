"""Samples at the pace of a radio."""

from __future__ import annotations

import time

import numpy as np
from gnuradio import gr

from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running

STEP_SECONDS = 0.01  # of samples passed on together
BEHIND_SECONDS = 0.05  # that are made up for, so that small hiccups do not lower the rate


@kept_while_running
class Pace(gr.sync_block):
    """Passes samples on at no more than a rate; streams in and out: complex64.

    Unlike GNU Radio's throttle it does not make up for a time in which nothing came, and `stop` is not kept waiting.

    Args:
        sample_rate: samples per second, above 0.

    Example:
        >>> from gnuradio import blocks
        >>> graph, pace, heard = gr.top_block(), Pace(sample_rate=1e6), blocks.vector_sink_c()
        >>> graph.connect(blocks.vector_source_c([1j] * 1000), pace, heard)
        >>> graph.run()
        >>> len(heard.data())
        1000
    """

    def __init__(self, sample_rate: float) -> None:
        gr.sync_block.__init__(self, name="Pace", in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self._seconds = 1 / sample_rate  # of a sample
        self._due = 0.0  # time at which the next sample may go

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        count = min(len(out), max(1, int(STEP_SECONDS / self._seconds)))
        out[:count] = input_items[0][:count]
        now = time.monotonic()
        self._due = max(self._due, now - BEHIND_SECONDS)
        time.sleep(max(0.0, self._due - now))
        self._due += count * self._seconds
        return count
