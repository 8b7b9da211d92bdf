"""A channel `Scenario` as a GNU Radio block."""

from __future__ import annotations

import collections
import threading

import numpy as np
from gnuradio import gr

from gr_jscc.channel import BurstLoss, Scenario
from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import BURST


@kept_while_running
class ImpairedStream(gr.basic_block):
    """Samples through a scenario.

    Stream in and out: complex64 samples. The tag ``burst`` tells the scenario where bursts begin, which burst loss and
    block fading follow. All tags pass: at their sample where the number of samples stays, else within a few samples.

    Args:
        scenario: what happens to the samples; it belongs to the block from then on.
        name: of the block.
        finder: finds where bursts begin in place of the tags, in samples that come without. It holds back
            ``finder.delay`` samples.

    Example:
        >>> from gr_jscc.channel import Scenario
        >>> ImpairedStream(Scenario({"awgn": {"snr_db": 10}})).failure is None
        True
    """

    def __init__(
        self, scenario: Scenario, name: str = "JSCC Impaired Stream", finder: BurstFinder | None = None
    ) -> None:
        gr.basic_block.__init__(self, name=name, in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.scenario = scenario
        self.finder = finder
        self.lock = threading.Lock()  # held while the scenario works or is changed
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self._samples = np.empty(0, np.complex64)  # impaired and not yet written
        self._passed, self._made = 0, 0  # samples that went into the scenario, and that came out of it
        self._losses: list[BurstLoss] = []  # that there were, one after the other
        self._coming: collections.deque[gr.tag_t] = collections.deque()  # tags of samples that did not yet go in
        self._tags: collections.deque[tuple[int, gr.tag_t]] = collections.deque()  # and of those that came out

    @property
    def erased(self) -> int:
        """Bursts that were erased so far."""
        return sum(stage.lost for stage in self._losses)

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
        count, read = len(samples), self.nitems_read(0)
        tags = sorted(self.get_tags_in_range(0, read, read + count), key=lambda tag: tag.offset)
        self._coming.extend(tags)
        if self.finder is None:
            starts = [tag.offset - read for tag in tags if tag.key == BURST]
        else:
            samples, starts = self.finder.push(samples)
        with self.lock:
            self.scenario.mark(starts)
            self._samples = self.scenario.process(samples)
            delay = self.scenario.delay
            losses = [stage for stage in self.scenario.chain.stages if isinstance(stage, BurstLoss)]
        self._losses += [stage for stage in losses if stage not in self._losses[-1:]]
        pace = len(self._samples) / max(len(samples), 1)
        while self._coming and self._coming[0].offset < self._passed + len(samples):
            tag = self._coming.popleft()
            self._tags.append((self._made + round((tag.offset - self._passed) * pace) + delay, tag))
        self._passed += len(samples)
        self._made += len(self._samples)
        self.consume(0, count)
