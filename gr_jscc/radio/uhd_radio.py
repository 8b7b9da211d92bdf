"""USRPs through GNU Radio's UHD blocks: bursts with timed starts; what was lost is counted."""

from __future__ import annotations

import time

from gnuradio import gr

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.conditioning import FromConverter, ToConverter
from gr_jscc.radio.limits import Limits, Range, check_frequency, check_gain, check_limits
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.statistics import RadioStatistics, Tuned
from gr_jscc.radio.timed_bursts import TimedBursts
from gr_jscc.radio.transmit_queue import TransmitQueue
from gr_jscc.radio.uhd_api import first_line, open_block, uhd
from gr_jscc.radio.uhd_bursts import BurstQueue, BurstTagger, SinkEvents
from gr_jscc.radio.uhd_overflows import OverflowCounter
from gr_jscc.scheduler.pacing import BUFFER_ITEMS

STALL_SECONDS = 10.0  # without a sample, after which a device is gone


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

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> UhdSink(RadioAddress("uhd", "type=none"), load_profile("b210-uhd"))
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: uhd:type=none: no such device is connected: see gr-jscc devices
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

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> UhdSource(RadioAddress("uhd", "type=none"), load_profile("b210-uhd"))
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: uhd:type=none: no such device is connected: see gr-jscc devices
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
        raise RadioError(f"{address}: UHD's blocks cannot be reopened; to reconnect use soapy:driver=uhd")


def sink(address: RadioAddress, profile: Profile, reconnect: bool) -> UhdSink:
    """See `gr_jscc.radio.radio_sink`."""
    _refuse_reconnect(address, reconnect)
    return UhdSink(address, profile)


def source(address: RadioAddress, silence: int, profile: Profile, reconnect: bool) -> UhdSource:
    """See `gr_jscc.radio.radio_source`; a device's stream has no end for silence to follow."""
    _refuse_reconnect(address, reconnect)
    return UhdSource(address, profile)
