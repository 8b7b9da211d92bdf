"""The flowgraph of the receiving host."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from gnuradio import gr

from gr_jscc.blocks import back_channel, image_file_sink, jscc_decoder, ofdm_demodulator
from gr_jscc.flowgraphs.ends import POLL_SECONDS
from gr_jscc.flowgraphs.host import TAIL_SECONDS, HostFlowgraph
from gr_jscc.flowgraphs.receiver import jscc_receiver
from gr_jscc.link.loading import Decoding
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.radio import Tuned, radio_source
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.recordings.live import About, LiveRecording
from gr_jscc.reports.collector import Result
from gr_jscc.scheduler.pacing import DEVICE_STEP_SAMPLES, LATENCY, SILENCE_SAMPLES, STEP_SAMPLES, samples_together
from gr_jscc.telling import remark


class ReceiveFlowgraph(HostFlowgraph):
    """A radio to pictures.

    Args:
        radio: where they come from.
        out: folder for pictures and reports.
        decoding: how they are decoded.
        channel: the back-channel's block; None for none.
        originals: folder with the pictures that are sent, for PSNR; "" for none.
        record: SigMF file for all that is received; None for none.
        numerology: the transmitter's.
        latency: seconds that samples may wait to be demodulated together.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> decoding = Decoding("separation", weights="jpeg:ldpc-2/3:16qam")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.zeros(100, np.complex64).tofile(f"{folder}/heard.cf32")
        ...     graph = ReceiveFlowgraph(RadioChoice(f"file:{folder}/heard.cf32"), Path(folder), decoding)
        ...     list(graph.results())  # silence
        []
    """

    def __init__(
        self,
        radio: RadioChoice,
        out: Path,
        decoding: Decoding,
        channel: back_channel | None = None,
        originals: str = "",
        record: Path | None = None,
        numerology: Numerology = DEFAULT_NUMEROLOGY,
        latency: float = LATENCY,
    ) -> None:
        gr.top_block.__init__(self, "JSCC receiver")
        self.channel, self.choice = channel, radio
        self.radio = radio_source(radio.address, SILENCE_SAMPLES, radio.profile, radio.reconnect)
        self.decoder = jscc_decoder(**vars(decoding), live=True, back_channel=channel is not None)
        self._results: queue.Queue[Result | None] = queue.Queue()
        self.sink = image_file_sink(
            str(out), radio.address, None, self.sample_rate, remote=True, originals=originals,
            patience=decoding.patience if channel else 0.0, radio=self.radio_report, results=self._results,
        )  # fmt: skip
        most = DEVICE_STEP_SAMPLES if radio.is_device else STEP_SAMPLES  # others may fall silent
        step = samples_together(latency, self.sample_rate, numerology, most)
        demodulator = ofdm_demodulator(numerology=numerology, step=step)
        self.receiver = jscc_receiver(self.decoder, self.sink, demodulator, channel)
        self.own_blocks = [self.radio, self.receiver]
        self.recording = None
        if record:
            about = About(decoding.weights, radio.address, channel is not None, decoding.feedback_format, originals)
            tuned = self.radio.tuned or Tuned()
            device_name = radio.profile.device.name if radio.profile else ""
            self.recording = LiveRecording(
                record, self.receiver.demodulator, self.decoder, self.sample_rate, about, tuned.frequency,
                f"{device_name} {tuned.serial or ''}".strip(),
            )  # fmt: skip
            self.own_blocks.append(self.recording)
        self.connect(self.radio, *([self.recording.block] if self.recording else []), self.receiver)

    def results(
        self, until_bye: bool = False, idle_seconds: float = float("inf")
    ) -> Generator[Result | None, None, None]:
        """Runs the graph and yields results, or None when there was none for a moment.

        Args:
            until_bye: end when the transmitter says that its run is complete.
            idle_seconds: end when nothing was received, and nothing was being decoded, for so long.

        Raises:
            Exception: whatever a block failed with.
        """
        self.start()
        try:
            yield from self._while_running(until_bye, idle_seconds)
            self.stop()
            self.wait()
            self.check()
            yield from self._left()
        except (KeyboardInterrupt, GeneratorExit):
            self._leave_off()
            raise
        finally:
            self.stop()
            self.wait()
            for _ in self._left():  # of a run that was interrupted
                pass
            self.give_back()
            if self.recording:
                self.recording.finish()

    def _leave_off(self) -> None:
        """After an interruption: what is decoded and in work is finished and stored; another one ends even that."""
        try:
            if dropped := self.decoder.leave_off():
                remark("rx", f"interrupted: dropped {dropped} rounds that were waiting for the decoder")
            while self.decoder.decoding and self.decoder.failure is None:
                time.sleep(POLL_SECONDS)
            self.decoder.tell_end()
            end = time.monotonic() + TAIL_SECONDS
            while time.monotonic() < end or self.sink.working:
                with contextlib.suppress(queue.Empty):
                    if (result := self._results.get(timeout=POLL_SECONDS)) is None:
                        return
                    self._noted(result)
                if self.sink.failure is not None:
                    return
        except KeyboardInterrupt:
            self.decoder.abandon()
            raise

    def _while_running(self, until_bye: bool, idle_seconds: float) -> Iterator[Result | None]:
        last = time.monotonic()
        while True:
            try:
                result = self._results.get(timeout=POLL_SECONDS)
            except queue.Empty:
                self.check()
                yield None
                if self.decoder.decoding or self.sink.working:
                    last = time.monotonic()
                if (until_bye and self.sink.said_bye.is_set()) or time.monotonic() - last > idle_seconds:
                    return
                continue
            if result is None:  # the samples have ended
                self.check()
                return
            yield self._noted(result)
            last = time.monotonic()

    def _left(self) -> Iterator[Result]:
        """What the end brought, such as pictures that were still being decoded."""
        while not self._results.empty():
            result = self._results.get()
            if result is not None:
                yield self._noted(result)

    def _noted(self, result: Result) -> Result:
        if self.recording:
            self.recording.result(result)
        return result
