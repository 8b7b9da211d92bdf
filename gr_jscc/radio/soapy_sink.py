"""A SoapySDR device as a sink. Unlike the in-tree one it never leaves a gap in a burst, and counts what came late."""

from __future__ import annotations

import threading
import time

import numpy as np
from gnuradio import gr

from gr_jscc.radio.address import RadioAddress
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.soapy_block import SoapyBlock
from gr_jscc.radio.soapy_device import DeviceGoneError
from gr_jscc.radio.timed_bursts import TimedBursts
from gr_jscc.radio.transmit_queue import TransmitQueue
from gr_jscc.scheduler.guard import fail, guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import BUFFER_ITEMS
from gr_jscc.scheduler.tags import BURST

CHUNK = 16_384  # samples prepared together
SILENCE_SECONDS = 0.01  # that follow the last burst
MARGIN_SECONDS = 0.05  # that the last sample may take through the device
POLL_SECONDS = 0.005  # between looks at whether a burst came too late
PLAYING_SECONDS = 1.0  # most that is waited for a device to send what it holds


@kept_while_running
class SoapySink(SoapyBlock, gr.sync_block):
    """Sends samples; stream in: complex64, mean power 1 in a burst, tagged ``burst`` where one begins or not at all.

    A thread of its own hands the samples to the device. A burst never has a gap, see `TransmitQueue`, and one that
    came too late for its time is sent again, see `TimedBursts`. Between bursts the device sends nothing or, where the
    profile says ``continuous``, zeros.

    Args:
        address: of the device.
        profile: its.
        reconnect: whether to go on when it went away and is back.

    Raises:
        RadioError: it cannot be opened or cannot do what the profile says.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> SoapySink(RadioAddress("soapy", "driver=none"), load_profile("hackrf"))
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: soapy:driver=none: no such device is connected: see gr-jscc devices
    """

    def __init__(self, address: RadioAddress, profile: Profile, reconnect: bool = False) -> None:
        gr.sync_block.__init__(self, name="Soapy Radio Sink", in_sig=[np.complex64], out_sig=None)
        self._prepare(address, profile, "tx", reconnect)
        self._rate = profile.stream.sample_rate
        self._bursts = TimedBursts(str(address), self._rate, profile.stream.lead_seconds)
        self._complete = True
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        self._stopping.clear()
        prefill = max(CHUNK, round(self._profile.stream.buffer_seconds * self._rate))
        self._queue = TransmitQueue(prefill + 4 * BUFFER_ITEMS, prefill)
        self._complete, self._fresh = False, True  # fresh: no burst has begun that has not ended
        self._bursts.forget()
        self._progress = self._played = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="Soapy Radio Sink", daemon=True)
        self._thread.start()
        return True

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        samples, read = input_items[0], self.nitems_read(0)
        starts = [tag.offset - read for tag in self.get_tags_in_window(0, 0, len(samples), BURST)]
        return self._queue.put(samples, starts)

    def stop(self) -> bool:
        self.finish()
        return True

    @property
    def taken(self) -> int:
        """Samples taken from the flowgraph so far."""
        return self.nitems_read(0)

    def finish(self, patience: float = 5.0) -> bool:
        """Sends what is queued and some silence, then ends the stream.

        Args:
            patience: seconds to go on for while the device takes nothing.

        Returns:
            whether all was sent.
        """
        if self._thread is None:
            return self._complete
        self._queue.finish()
        while self._thread.is_alive():
            self._thread.join(0.02)
            if self.away or time.monotonic() - self._progress > patience:
                self._stopping.set()
        self._thread = None
        return self._complete

    # ----------------------------------------------------------------------------------------- in a thread of its own

    def _run(self) -> None:
        try:
            self._device.start()
            while not self._stopping.is_set() and not self._complete:
                try:
                    self._step()
                except DeviceGoneError:
                    if not self._reconnect:
                        raise
                    while not self._stopping.is_set() and not self._come_back():
                        pass
                    self._fresh, self._progress = True, time.monotonic()
                    self._bursts.forget()
            self._device.stop()
        except Exception as error:  # told by the program that runs the flowgraph
            fail(self, error)

    def _step(self) -> None:
        """Sends some samples that are due, or zeros, or ends."""
        if (late := self._listen()) is not None:
            self._repeat(late)
            return
        if self._fresh and self._bursts.pending:
            self._progress = time.monotonic()
            self._stopping.wait(POLL_SECONDS)
            return
        continuous = self._profile.device.continuous
        taken = self._queue.take(CHUNK, 0.0 if continuous else 0.1)
        if taken is not None:
            samples, pause = taken
            self._send(self._device.conditioner.process(samples), end=pause and not continuous)
        elif self._queue.finished:
            silence = self._profile.stream.device_samples + round(SILENCE_SECONDS * self._rate)
            for begin in range(0, silence, CHUNK):
                self._send(self._zeros(min(CHUNK, silence - begin)), end=begin + CHUNK >= silence)
            self._stopping.wait(min(PLAYING_SECONDS, max(0.0, self._played + MARGIN_SECONDS - time.monotonic())))
            self._listen()
            self._complete = not self._stopping.is_set()
        elif continuous:
            self._send(self._zeros(min(CHUNK, self._device.mtu)), end=False)
        else:
            self._progress = time.monotonic()

    def _zeros(self, count: int) -> np.ndarray:
        return self._device.conditioner.process(np.zeros(count, np.complex64))

    def _listen(self) -> np.ndarray | None:
        """Counts what the device tells; samples that must be sent again because they came too late."""
        late = self._bursts.listen(self._late_times)
        self._counts["late_bursts"] = self._bursts.late
        return late

    def _late_times(self) -> list[float | None]:
        events = self._device.events()
        self._counts["underflows"] += events.underflows
        return events.late

    def _repeat(self, samples: np.ndarray) -> None:
        """Sends a burst, or what was handed over of one, from its beginning."""
        ended = self._fresh
        if not ended:  # what the device still has of it must not go on
            self._hand_over(np.zeros(1, np.complex64), end=True, when=None)
            self._fresh = True
        self._send(samples, end=ended)

    def _send(self, samples: np.ndarray, end: bool) -> None:
        when = None
        if self._fresh and (now := self._device.now()) is not None:
            when = self._bursts.begin(now)
            self._played = max(self._played, time.monotonic() + when - now)
        self._bursts.handed_over(samples)
        self._hand_over(samples, end, when)
        self._fresh = end

    def _hand_over(self, samples: np.ndarray, end: bool, when: float | None) -> None:
        self._progress = time.monotonic()
        left = samples
        while len(left) and not self._stopping.is_set():
            count = self._device.write(left, end, when)
            now = time.monotonic()
            self._counts["underflows"] += count < 0
            if count > 0:
                left, when, self._progress = left[count:], None, now
                self._played = max(self._played, now) + count / self._rate
            else:
                self._look_for_the_device(now)
