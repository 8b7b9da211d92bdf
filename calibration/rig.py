"""Two radios on a cable: one sends a waveform and the other captures it, through the blocks that tx and rx use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gnuradio import blocks, gr

from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.radio import RadioStatistics, Tuned, radio_sink, radio_source
from gr_jscc.radio.limits import Limits
from gr_jscc.radio.profile import CalibrationTable, Profile
from gr_jscc.radio.tags import OVERFLOW
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.pacing import BUFFER_ITEMS

SETTLE_SECONDS = 0.1  # after the first samples, in which loops and filters settle
START_SECONDS = 10.0  # that a radio may take for its first samples
POLL_SECONDS = 0.005
MOST_LOSSES = 20  # after which a capture is given up


@dataclass(frozen=True)
class Capture:
    """What was received.

    Attributes:
        samples: complex64[n], full scale 1.
        statistics: the receiver's, of this capture.

    Example:
        >>> capture = Capture(np.zeros(1000, np.complex64), RadioStatistics(overflows=1))
        >>> len(capture.samples), capture.statistics.overflows
        (1000, 1)
    """

    samples: np.ndarray
    statistics: RadioStatistics


class _Collector(gr.sync_block):
    """Keeps the samples after the first few, then takes and drops what comes.

    What is kept has no gap: where the radio has lost samples it begins anew.

    Args:
        skip: samples at the beginning that are not kept.
        count: samples to keep.
    """

    def __init__(self, skip: int, count: int) -> None:
        gr.sync_block.__init__(self, name="Collector", in_sig=[np.complex64], out_sig=None)
        self.failure: Exception | None = None
        self.samples = np.zeros(count, np.complex64)
        self.kept = 0
        self._skip, self._losses = skip, 0

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        got = input_items[0]
        taken = 0
        for tag in self.get_tags_in_window(0, 0, len(got), OVERFLOW):
            place = tag.offset - self.nitems_read(0)
            self._keep(got[taken:place])
            taken = place
            if 0 < self.kept < len(self.samples):
                self._begin_anew()
        self._keep(got[taken:])
        return len(got)

    def _keep(self, got: np.ndarray) -> None:
        fresh = got[min(self._skip, len(got)) :]
        self._skip -= len(got) - len(fresh)
        fresh = fresh[: len(self.samples) - self.kept]
        self.samples[self.kept : self.kept + len(fresh)] = fresh
        self.kept += len(fresh)

    def _begin_anew(self) -> None:
        self._losses += 1
        if self._losses > MOST_LOSSES:
            raise CalibrationError("the receiver keeps losing samples: close other programs or lower the sample rate")
        self.kept = 0


class Rig:
    """A transmitter and a receiver, joined by a cable with an attenuator.

    Args:
        tx, rx: addresses of devices.
        tx_profile, rx_profile: how they are set. Their sample rates must be equal.

    Raises:
        CalibrationError: they are not.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> profile = load_profile("hackrf")
        >>> Rig("soapy:driver=hackrf,serial=1", "soapy:driver=hackrf,serial=2", profile, profile).sample_rate
        4000000.0
    """

    def __init__(self, tx: str, rx: str, tx_profile: Profile, rx_profile: Profile) -> None:
        if tx_profile.stream.sample_rate != rx_profile.stream.sample_rate:
            raise CalibrationError(
                "both radios must use the same sample rate, but the profiles say "
                f"{tx_profile.stream.sample_rate:g} and {rx_profile.stream.sample_rate:g}"
            )
        self.tx, self.rx, self.tx_profile, self.rx_profile = tx, rx, tx_profile, rx_profile

    @property
    def sample_rate(self) -> float:
        """Samples per second."""
        return self.rx_profile.stream.sample_rate

    @property
    def frequency(self) -> float:
        """The transmitter's carrier, Hz."""
        return self.tx_profile.direction("tx").frequency

    def devices(self) -> tuple[Tuned, Limits, Tuned]:
        """Opens both radios once: what the transmitter was set to and can do, and what the receiver was set to.

        Raises:
            RadioError: one cannot be opened or set.
        """
        sink = radio_sink(self.tx, self.tx_profile)
        tx, limits = sink.tuned, sink.limits
        _close(sink)
        source = radio_source(self.rx, profile=self.rx_profile)
        rx = source.tuned
        _close(source)
        return tx, limits, rx

    def probe(
        self,
        waveform: np.ndarray | None,
        count: int,
        lo_offset: float = 0.0,
        gains: dict[str, float] | None = None,
        tx_calibration: CalibrationTable | None = None,
        rx_calibration: CalibrationTable | None = None,
    ) -> Capture:
        """Captures what a waveform becomes between the converters of both radios.

        Args:
            waveform: complex64[n], digital full scale 1, sent again and again; None for silence.
            count: samples to capture.
            lo_offset: cycles per sample by which the receiver is tuned below the transmitter.
            gains: of the transmitter, other than the profile's.
            tx_calibration, rx_calibration: what is corrected; None for nothing.

        Raises:
            RadioError: a radio fails.
            CalibrationError: no samples come.
        """
        sent = self.tx_profile.direction("tx")
        tx = sent.model_copy(update={"amplitude": 1.0, "lo_offset": 0.0, "gains": sent.gains | (gains or {})})
        heard = self.rx_profile.direction("rx")
        frequency = sent.frequency - lo_offset * self.sample_rate
        rx = heard.model_copy(update={"frequency": frequency, "lo_offset": 0.0})
        return self._capture(
            waveform,
            count,
            self.tx_profile.model_copy(update={"tx": tx, "calibration": tx_calibration}),
            self.rx_profile.model_copy(update={"rx": rx, "calibration": rx_calibration}),
        )

    def link(self, waveform: np.ndarray, count: int, gains: dict[str, float] | None = None) -> Capture:
        """Captures what the link's own signal becomes with both profiles as they are, corrections included.

        Args:
            waveform: complex64[n], mean power about 1, sent again and again.
            count, gains: as for `probe`.

        Raises:
            RadioError, CalibrationError: as for `probe`.
        """
        return self._capture(waveform, count, self.tx_profile.adjusted("tx", gains=gains), self.rx_profile)

    def _capture(self, waveform: np.ndarray | None, count: int, tx: Profile, rx: Profile) -> Capture:
        skip = round(SETTLE_SECONDS * self.sample_rate)
        if waveform is None:
            return self._receive(rx, skip, count, None)
        # What the transmitter's driver held when the waveform came is silence.
        skip += tx.stream.device_samples
        # All that is captured is ready before it starts: however busy the machine is, there is no gap.
        ready = (skip + count) / self.sample_rate + SETTLE_SECONDS
        tx = tx.model_copy(update={"stream": tx.stream.model_copy(update={"buffer_seconds": ready})})
        sender = _Sender(self.tx, tx, waveform)
        try:
            sender.start()
            return self._receive(rx, skip, count, sender)
        finally:
            sender.stop()

    def _receive(self, profile: Profile, skip: int, count: int, sender: _Sender | None) -> Capture:
        source = radio_source(self.rx, profile=profile)
        collector = _Collector(skip, count)
        graph = gr.top_block("Calibration receiver")
        graph.connect(source, collector)
        graph.start()
        try:
            watched = [source, collector] + ([] if sender is None else [sender.radio])
            _wait(lambda: collector.kept == count, watched, lambda: collector.nitems_read(0), "the receiver")
            statistics = source.statistics
        finally:
            graph.stop()
            graph.wait()
            _close(source)
        return Capture(collector.samples, statistics)


class _Sender:
    """A flowgraph that sends a waveform until it is stopped."""

    def __init__(self, address: str, profile: Profile, waveform: np.ndarray) -> None:
        self.radio = radio_sink(address, profile)
        self._graph = gr.top_block("Calibration transmitter")
        self._waveform = blocks.vector_source_c(waveform, True)
        self._waveform.set_log_level("warn")  # the next line would be announced on standard output
        self._waveform.set_min_output_buffer(BUFFER_ITEMS)
        self._graph.connect(self._waveform, self.radio)
        # Until so many have come the transmitter sends silence; some are still on their way to it.
        self._filled = profile.stream.buffer_seconds * profile.stream.sample_rate + 2 * BUFFER_ITEMS

    def start(self) -> None:
        self._graph.start()
        taken = self._waveform.nitems_written
        _wait(lambda: taken(0) > self._filled, [self.radio], lambda: taken(0), "the transmitter")

    def stop(self) -> None:
        self.radio.finish(0.0)
        self._graph.stop()
        self._graph.wait()
        _close(self.radio)


def _close(radio: gr.basic_block) -> None:
    """Gives the device back now; GNU Radio's UHD blocks do when they are forgotten."""
    if hasattr(radio, "close"):
        radio.close()


def _wait(done: Callable[[], bool], watched: list, progress: Callable[[], int], who: str) -> None:
    """Waits until `done`.

    Raises:
        Exception: what a block failed with.
        CalibrationError: there is no progress.
    """
    seen, since = -1, time.monotonic()
    while not done():
        for block in watched:
            if block.failure is not None:
                raise block.failure
        if progress() != seen:
            seen, since = progress(), time.monotonic()
        if time.monotonic() - since > START_SECONDS:
            raise CalibrationError(f"{who} made no progress for {START_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
