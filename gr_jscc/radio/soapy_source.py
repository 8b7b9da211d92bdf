"""A SoapySDR device as a source. Unlike the in-tree one it counts what was lost and notices a device that goes away."""

from __future__ import annotations

import time

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.soapy_block import SoapyBlock
from gr_jscc.radio.soapy_device import DeviceGoneError
from gr_jscc.radio.tags import OVERFLOW
from gr_jscc.scheduler.guard import fail, guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import BUFFER_ITEMS, forget_buffer_sizes

MOST_HELD = 0.1  # seconds by which the two clocks may differ


@kept_while_running
class SoapySource(SoapyBlock, gr.sync_block):
    """Receives samples; stream out: complex64, full scale 1. What the device lost is left out, counted and tagged.

    Args:
        address, profile, reconnect: as for `gr_jscc.radio.soapy_sink.SoapySink`.

    Raises:
        RadioError: it cannot be opened or cannot do what the profile says.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> SoapySource(RadioAddress("soapy", "driver=none"), load_profile("hackrf"))
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: soapy:driver=none: no such device is connected: see gr-jscc devices
    """

    def __init__(self, address: RadioAddress, profile: Profile, reconnect: bool = False) -> None:
        gr.sync_block.__init__(self, name="Soapy Radio Source", in_sig=None, out_sig=[np.complex64])
        self._prepare(address, profile, "rx", reconnect)
        self._rate = profile.stream.sample_rate
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(max(BUFFER_ITEMS, round(profile.stream.buffer_seconds * self._rate)))

    def start(self) -> bool:
        self._stopping.clear()
        self._lost = False  # whether samples were lost since the latest ones
        self._begin()
        self._looked = self._began
        try:
            self._device.start()
        except RadioError as error:
            fail(self, error)
        return True

    def _begin(self) -> None:
        self._due: float | None = None  # time of the next sample, where the device tells times
        self._progress = self._began = time.monotonic()
        self._accounted = 0  # samples that came or were lost since

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        try:
            if self.away:
                self._come_back()
                self._begin()
                return 0
            return self._receive(out)
        except DeviceGoneError:
            if not self._reconnect:
                raise
            self._note_away()
            return 0

    def _receive(self, out: np.ndarray) -> int:
        block = self._device.read(out)
        self._counts["overflows"] += block.overflow
        self._lost |= block.overflow
        if not block.count:
            self._look_for_the_device(time.monotonic())
            return 0
        self._progress = self._looked = time.monotonic()
        if self._lost:
            self.add_item_tag(0, self.nitems_written(0), OVERFLOW, pmt.PMT_T)
            self._lost = False
        if block.time is not None:
            gap = round((block.time - self._due) * self._rate) if self._due is not None else 0
            # No more can have been lost than there was time for: else the device's clock was set anew.
            if 0 < gap <= self._most_lost():
                self._counts["lost_samples"] += gap
                self._accounted += gap
            self._due = block.time + block.count / self._rate
        elif self._due is not None:
            self._due += block.count / self._rate
        self._accounted += block.count
        return block.count

    def _most_lost(self) -> float:
        """Samples that are missing, by this computer's clock, of all since the stream began."""
        missing = (time.monotonic() - self._began) * self._rate - self._accounted
        if missing < 0:  # the device's clock is the faster one
            self._began += missing / self._rate
        return max(0.0, missing) + MOST_HELD * self._rate

    def stop(self) -> bool:
        self._stopping.set()
        forget_buffer_sizes(self)
        if not self.away:
            try:
                self._device.stop()
            except DeviceGoneError as error:
                fail(self, error)
        return True
