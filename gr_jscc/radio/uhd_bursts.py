"""Bursts on their way to a USRP: with times at which they start, and sent again where they came too late."""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.radio.conditioning import ToConverter
from gr_jscc.radio.timed_bursts import TimedBursts
from gr_jscc.radio.transmit_queue import TransmitQueue
from gr_jscc.scheduler.guard import WORK_DONE, guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import BURST

POLL_SECONDS = 0.005  # between looks at whether a burst came too late
NOTHING = np.zeros(0, np.complex64)
SOB, EOB, TX_TIME = (pmt.intern(key) for key in ("tx_sob", "tx_eob", "tx_time"))
CODES, TIME = pmt.intern("event_code"), pmt.intern("time_spec")
TIME_ERROR, UNDERFLOWS = pmt.intern("time_error"), (pmt.intern("underflow"), pmt.intern("underflow_in_packet"))


@kept_while_running
class BurstQueue(gr.sync_block):
    """Puts samples into a queue and ends it with the stream; stream in: complex64, tagged ``burst`` or not at all.

    Example:
        >>> from gnuradio import blocks
        >>> queue, graph = TransmitQueue(capacity=1000, prefill=0), gr.top_block()
        >>> filling = BurstQueue(queue)
        >>> graph.connect(blocks.vector_source_c([1j] * 100), filling)
        >>> graph.run()
        >>> len(queue)
        100
    """

    def __init__(self, queue: TransmitQueue) -> None:
        gr.sync_block.__init__(self, name="Burst Queue", in_sig=[np.complex64], out_sig=None)
        self.failure: Exception | None = None
        self._queue = queue

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        samples, read = input_items[0], self.nitems_read(0)
        starts = [tag.offset - read for tag in self.get_tags_in_window(0, 0, len(samples), BURST)]
        return self._queue.put(samples, starts)

    def stop(self) -> bool:
        self._queue.finish()
        return True


@kept_while_running
class SinkEvents(gr.basic_block):
    """Takes a USRP sink's messages that samples came too late.

    Attributes:
        underflows: times that it had nothing to send in the midst of a burst.

    Example:
        >>> events = SinkEvents()
        >>> happened = pmt.dict_add(pmt.make_dict(), CODES, pmt.list1(pmt.intern("underflow")))
        >>> events.handle_event(pmt.cons(pmt.intern("uhd_async_msg"), happened))
        >>> events.underflows
        1
    """

    def __init__(self) -> None:
        gr.basic_block.__init__(self, name="Sink Events", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.underflows = 0
        self._late: collections.deque[float | None] = collections.deque()
        self.message_port_register_in(pmt.intern("async_msgs"))
        self.set_msg_handler(pmt.intern("async_msgs"), self.handle_event)

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        """Takes a pair of a symbol and a dictionary with a list of what happened (gr-uhd, usrp_sink_impl.cc)."""
        content = pmt.cdr(message)
        if not pmt.is_dict(content):
            return
        codes = pmt.dict_ref(content, CODES, pmt.PMT_NIL)
        self.underflows += any(pmt.list_has(codes, code) for code in UNDERFLOWS)
        if pmt.list_has(codes, TIME_ERROR):
            when = pmt.dict_ref(content, TIME, pmt.PMT_NIL)
            seconds = pmt.to_long(pmt.car(when)) + pmt.to_double(pmt.cdr(when)) if pmt.is_pair(when) else None
            self._late.append(seconds)

    def late_times(self) -> list[float | None]:
        """For each time since the last call that samples came after their time: when that was, seconds of its clock."""
        return [self._late.popleft() for _ in range(len(self._late))]


@kept_while_running
class BurstTagger(gr.sync_block):
    """Samples from a queue for a USRP sink; stream out: complex64, tagged ``tx_sob``, ``tx_time`` and ``tx_eob``.

    What the queue gives without a pause is one burst to the device. One that came too late is sent again; what the
    device still gets of it is ended with a zero.

    Args:
        queue: of what is to be sent.
        conditioner: of the samples.
        now: the device's time in seconds; None for bursts that start at once.
        bursts: gives them their times.
        events: what the device tells.

    Example:
        >>> from gnuradio import blocks
        >>> from gr_jscc.radio.profile import load_profile
        >>> queue, conditioner = TransmitQueue(capacity=1000, prefill=0), ToConverter(load_profile("b210-uhd"))
        >>> queue.put(np.ones(100, np.complex64), starts=[0])
        100
        >>> queue.finish()
        >>> tagger = BurstTagger(queue, conditioner, None, TimedBursts("uhd:", 1e6, 0.05), SinkEvents())
        >>> graph, device = gr.top_block(), blocks.vector_sink_c()
        >>> graph.connect(tagger, device)
        >>> graph.run()
        >>> [(tag.offset, str(tag.key)) for tag in device.tags()]
        [(0, 'tx_sob'), (99, 'tx_eob')]
    """

    def __init__(
        self,
        queue: TransmitQueue,
        conditioner: ToConverter,
        now: Callable[[], float] | None,
        bursts: TimedBursts,
        events: SinkEvents,
    ) -> None:
        gr.sync_block.__init__(self, name="Burst Tagger", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self._queue, self._conditioner, self._now = queue, conditioner, now
        self._bursts, self._events = bursts, events
        self._fresh = True  # no burst has begun that has not ended
        self._again, self._again_ends = NOTHING, False  # to be sent before what is in the queue, and ends a burst

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out, written = output_items[0], self.nitems_written(0)
        if (late := self._listen()) is not None:
            self._again_ends = self._fresh or (self._again_ends and len(self._again) > 0)
            self._again = np.concatenate([late, self._again])
            if not self._fresh:
                self._fresh = True
                out[0] = 0
                self.add_item_tag(0, written, EOB, pmt.PMT_T)
                return 1
        taken = self._take(len(out))
        if taken is None:
            return WORK_DONE if self._queue.finished else 0
        samples, pause = taken
        out[: len(samples)] = samples
        if self._fresh:
            self.add_item_tag(0, written, SOB, pmt.PMT_T)
            if self._now is not None:
                fraction, whole = math.modf(self._bursts.begin(self._now()))
                when = pmt.make_tuple(pmt.from_uint64(int(whole)), pmt.from_double(fraction))
                self.add_item_tag(0, written, TX_TIME, when)
        self._bursts.handed_over(samples)
        if pause:
            self.add_item_tag(0, written + len(samples) - 1, EOB, pmt.PMT_T)
        self._fresh = pause
        return len(samples)

    def _listen(self) -> np.ndarray | None:
        """What must be sent again; waits after a burst until it is sure."""
        late = self._bursts.listen(self._events.late_times)
        while late is None and self._fresh and self._bursts.pending:
            time.sleep(POLL_SECONDS)
            late = self._bursts.listen(self._events.late_times)
        return late

    def _take(self, most: int) -> tuple[np.ndarray, bool] | None:
        """The next samples as the device gets them, and whether the burst ends with them."""
        if len(self._again):
            samples, self._again = self._again[:most], self._again[most:]
            return samples, self._again_ends and not len(self._again)
        taken = self._queue.take(most, 0.05)
        return taken and (self._conditioner.process(taken[0]), taken[1])
