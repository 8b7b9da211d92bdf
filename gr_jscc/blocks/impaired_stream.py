"""A channel `Scenario` as a GNU Radio block."""

from __future__ import annotations

import collections
import threading

import numpy as np
from gnuradio import gr

from gr_jscc.blocks.guard import guarded
from gr_jscc.blocks.tags import BURST
from gr_jscc.channel import Scenario


class ImpairedStream(gr.basic_block):
    """Samples through a scenario.

    Stream in and out: complex64 samples. The tag ``burst`` tells the scenario where bursts begin, which burst loss and
    block fading follow. All tags pass: at their sample where the number of samples stays, else within a few samples.

    Args:
        scenario: what happens to the samples; it belongs to the block from then on.
        name: of the block.
    """

    def __init__(self, scenario: Scenario, name: str = "JSCC Impaired Stream") -> None:
        gr.basic_block.__init__(self, name=name, in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.scenario = scenario
        self.lock = threading.Lock()  # held while the scenario works or is changed
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self._samples = np.empty(0, np.complex64)  # impaired and not yet written
        self._made = 0  # samples that came out of the scenario
        self._tags: collections.deque[tuple[int, gr.tag_t]] = collections.deque()

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        return [0 if len(self._samples) else 1]  # see ofdm_modulator.forecast

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        if not len(self._samples):
            self._take(input_items[0])
        out = output_items[0]
        count = min(len(out), len(self._samples))
        out[:count] = self._samples[:count]
        self._samples = self._samples[count:]
        end = self.nitems_written(0) + count
        while self._tags and self._tags[0][0] < end:
            offset, tag = self._tags.popleft()
            self.add_item_tag(0, offset, tag.key, tag.value, tag.srcid)
        return count

    def _take(self, samples: np.ndarray) -> None:
        """Impairs all samples that are there."""
        if not len(samples):
            return
        read = self.nitems_read(0)
        tags = sorted(self.get_tags_in_range(0, read, read + len(samples)), key=lambda tag: tag.offset)
        with self.lock:
            self.scenario.mark([tag.offset - read for tag in tags if tag.key == BURST])
            self._samples = self.scenario.process(samples)
            delay = self.scenario.delay
        pace = len(self._samples) / len(samples)
        for tag in tags:
            self._tags.append((self._made + round((tag.offset - read) * pace) + delay, tag))
        self._made += len(self._samples)
        self.consume(0, len(samples))
