"""USRPs through GNU Radio's UHD blocks: bursts with timed starts; what was lost is counted."""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.conditioning import FromConverter, ToConverter
from gr_jscc.radio.limits import Limits, Range, check_frequency, check_gain, check_limits
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.statistics import RadioStatistics, Tuned
from gr_jscc.radio.tags import OVERFLOW
from gr_jscc.radio.timed_bursts import TimedBursts
from gr_jscc.radio.transmit_queue import TransmitQueue
from gr_jscc.radio.uhd_api import first_line, open_block, uhd
from gr_jscc.scheduler.guard import WORK_DONE, guarded
from gr_jscc.scheduler.pacing import BUFFER_ITEMS
from gr_jscc.scheduler.tags import BURST

POLL_SECONDS = 0.005  # between looks at whether a burst came too late
NOTHING = np.zeros(0, np.complex64)
STALL_SECONDS = 10.0  # without a sample, after which a device is gone
SOB, EOB, TX_TIME, RX_TIME = (pmt.intern(key) for key in ("tx_sob", "tx_eob", "tx_time", "rx_time"))
CODES, TIME = pmt.intern("event_code"), pmt.intern("time_spec")
TIME_ERROR, UNDERFLOWS = pmt.intern("time_error"), (pmt.intern("underflow"), pmt.intern("underflow_in_packet"))


class BurstQueue(gr.sync_block):
    """Puts samples into a queue and ends it with the stream; stream in: complex64, tagged ``burst`` or not at all."""

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


class SinkEvents(gr.basic_block):
    """Takes a USRP sink's messages that samples came too late.

    Attributes:
        underflows: times that it had nothing to send in the midst of a burst.
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


class _UhdBlock(gr.hier_block2):
    """What sink and source have in common: a device that a profile sets."""

    def _set_up(self, device, address: RadioAddress, profile: Profile, direction: str) -> None:
        self._device, self._profile, self._direction = device, profile, direction
        self.limits = limits_of(device)
        table, stream = profile.direction(direction), profile.stream
        try:
            check_limits(self.limits, profile, direction)
            if stream.clock_source:
                device.set_clock_source(stream.clock_source, 0)
            device.set_samp_rate(stream.sample_rate)
            if table.antenna:
                device.set_antenna(table.antenna, 0)
            device.set_bandwidth(stream.sample_rate, 0)
            self.set_frequency(table.frequency)
            for stage, gain in table.gains.items():
                self.set_gain(stage, gain)
        except (RadioError, RuntimeError) as error:
            raise RadioError(f"{address}: {first_line(error)}") from error

    def set_frequency(self, frequency: float) -> None:
        """Tunes to a frequency in Hz.

        Raises:
            RadioError: the device does not tune there.
        """
        check_frequency(self.limits, frequency)
        table, calibration = self._profile.direction(self._direction), self._profile.calibration
        found = getattr(calibration, self._direction) if calibration else None
        wanted = frequency / (1 + ((found and found.ppm) or 0.0) * 1e-6)  # a clock that is too fast tunes too high
        self._device.set_center_freq(uhd().tune_request(wanted, table.lo_offset), 0)
        self._frequency = frequency

    def set_gain(self, stage: str, gain: float) -> None:
        """Sets a gain stage, dB.

        Raises:
            RadioError: there is no such stage, or it does not take this gain.
        """
        check_gain(self.limits, stage, gain)
        self._device.set_gain(gain, stage, 0)

    def set_gains(self, gains: dict[str, float]) -> None:
        """Sets several gain stages, dB; others stay.

        Raises:
            RadioError: there is no such stage, or it does not take this gain.
        """
        for stage, gain in gains.items():
            self.set_gain(stage, gain)

    @property
    def tuned(self) -> Tuned:
        serial = dict(self._device.get_usrp_info(0)).get("mboard_serial")
        gains = {stage: self._device.get_gain(stage, 0) for stage in self.limits.gains}
        return Tuned(serial, self._profile.stream.sample_rate, self._frequency, gains)


class UhdSink(_UhdBlock):
    """Sends samples in bursts, see `BurstTagger`; stream in: complex64, mean power 1 in a burst.

    Raises:
        RadioError: there is no such device, or it cannot do what the profile says.
    """

    def __init__(self, address: RadioAddress, profile: Profile) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "UHD Radio Sink", signature, gr.io_signature(0, 0, 0))
        device = open_block(address, profile, "usrp_sink")
        self._set_up(device, address, profile, "tx")
        prefill = round(profile.stream.buffer_seconds * profile.stream.sample_rate)
        self._queue = TransmitQueue(prefill + 4 * BUFFER_ITEMS, prefill)
        now = (lambda: device.get_time_now().get_real_secs()) if profile.device.timed else None
        self._input = BurstQueue(self._queue)
        self._bursts = TimedBursts(str(address), profile.stream.sample_rate, profile.stream.lead_seconds)
        self._events = SinkEvents()
        self._tagger = BurstTagger(self._queue, ToConverter(profile), now, self._bursts, self._events)
        self.connect(self, self._input)
        self.connect(self._tagger, device)
        self.msg_connect(device, "async_msgs", self._events, "async_msgs")

    @property
    def failure(self) -> Exception | None:
        return self._input.failure or self._tagger.failure or self._events.failure

    @property
    def statistics(self) -> RadioStatistics:
        return RadioStatistics(underflows=self._events.underflows, late_bursts=self._bursts.late)

    @property
    def taken(self) -> int:
        """Samples taken from the flowgraph so far."""
        return self._input.nitems_read(0)

    def finish(self, patience: float = 5.0) -> bool:
        """Whether all was sent; UHD's own block has ended the last burst when the flowgraph has ended."""
        return self._queue.finished and self.failure is None


class UhdSource(_UhdBlock):
    """Receives samples; stream out: complex64, full scale 1.

    Raises:
        RadioError: there is no such device, or it cannot do what the profile says.
    """

    def __init__(self, address: RadioAddress, profile: Profile) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "UHD Radio Source", gr.io_signature(0, 0, 0), signature)
        device = open_block(address, profile, "usrp_source")
        self._set_up(device, address, profile, "rx")
        self._address = address
        device.set_min_output_buffer(
            max(BUFFER_ITEMS, round(profile.stream.buffer_seconds * profile.stream.sample_rate))
        )
        self._counter = OverflowCounter(profile.stream.sample_rate, FromConverter(profile))
        self.connect(device, self._counter, self)

    @property
    def failure(self) -> Exception | None:
        if time.monotonic() - self._counter.heard > STALL_SECONDS:
            text = f"{self._address}: the device gave no samples for {STALL_SECONDS:.0f} s; is it unplugged?"
            return RadioError(text)
        return self._counter.failure

    @property
    def statistics(self) -> RadioStatistics:
        return RadioStatistics(overflows=self._counter.overflows, lost_samples=self._counter.lost_samples)


def limits_of(device) -> Limits:
    """What a USRP block's device can do."""
    return Limits(
        [_range(device.get_samp_rates())],
        [_range(device.get_freq_range(0))],
        {stage: _range(device.get_gain_range(stage, 0)) for stage in device.get_gain_names(0)},
        list(device.get_antennas(0)),
        list(device.get_clock_sources(0)),
    )


def _range(found) -> Range:
    return Range(found.start(), found.stop())  # UHD takes the nearest step


def _refuse_reconnect(address: RadioAddress, reconnect: bool) -> None:
    if reconnect:
        raise RadioError(f"{address}: UHD's blocks cannot be opened anew; to reconnect use soapy:driver=uhd")


def sink(address: RadioAddress, profile: Profile, reconnect: bool) -> UhdSink:
    """See `gr_jscc.radio.radio_sink`."""
    _refuse_reconnect(address, reconnect)
    return UhdSink(address, profile)


def source(address: RadioAddress, silence: int, profile: Profile, reconnect: bool) -> UhdSource:
    """See `gr_jscc.radio.radio_source`; a device's stream has no end for silence to follow."""
    _refuse_reconnect(address, reconnect)
    return UhdSource(address, profile)
