"""The flowgraphs of the two hosts: a transmitter and a receiver, each with a radio and a back-channel."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gnuradio import gr

from gr_jscc.blocks import (
    back_channel,
    event_queue,
    image_file_sink,
    image_source,
    jscc_decoder,
    jscc_encoder,
    ofdm_demodulator,
    ofdm_modulator,
)
from gr_jscc.host.radio_choice import RadioChoice
from gr_jscc.link.assembly import MEMORY
from gr_jscc.link.back_channel import BackChannelError
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.radio import RadioError, Tuned, radio_sink, radio_source
from gr_jscc.radio.statistics import radio_report
from gr_jscc.recordings.live import About, LiveRecording
from gr_jscc.reports.collector import Result
from gr_jscc.scheduler.pacing import SILENCE_SAMPLES
from gr_jscc.telling import remark

POLL_SECONDS = 0.2
TAIL_SECONDS = 10.0  # without a sample to the radio, after which it is taken to want no more


class _Host(gr.top_block):
    """What both have in common."""

    channel: back_channel | None
    choice: RadioChoice
    radio: gr.basic_block
    own_blocks: list  # that may fail

    def join(self, end: gr.basic_block) -> None:
        """Connects a block to the back-channel, both ways."""
        if self.channel is not None:
            self.msg_connect(end, "to_back_channel", self.channel, "send")
            self.msg_connect(self.channel, "received", end, "from_back_channel")

    def check(self) -> None:
        """Raises what a block failed with, or why the two hosts do not fit.

        Raises:
            BackChannelError: the peer refused, or was refused.
            Exception: of a block.
        """
        for block in [*self.own_blocks, self.channel]:
            if block is not None and block.failure is not None:
                raise block.failure

    @property
    def connected(self) -> bool | None:
        """Whether the back-channel's other end is there; None without a back-channel."""
        return None if self.channel is None else self.channel.connected

    @property
    def away(self) -> bool:
        """Whether the radio is gone and waited for."""
        return getattr(self.radio, "away", False)

    def give_back(self) -> None:
        """Closes a device, so that others can have it while this program goes on."""
        if self.choice.is_device and hasattr(self.radio, "close"):
            self.radio.close()

    def radio_report(self) -> dict:
        """The key ``radio`` of a report, as things are now."""
        return radio_report(self.choice.address, self.choice.profile, self.radio.tuned, self.radio.statistics)

    def radio_warnings(self) -> list[str]:
        """What speaks against the calibration that is used."""
        calibration = self.choice.profile.calibration if self.choice.profile else None
        return calibration.warnings(self.radio.tuned and self.radio.tuned.serial) if calibration else []


class TransmitFlowgraph(_Host):
    """Images to a radio.

    Args:
        images: files.
        radio: where they are sent.
        codec, cbr, weights, device: the encoder's.
        channel: the back-channel's block; None for none.
        policy: how it is used.
        settings: how rounds become bursts.
        run: name of the run.
        papr_limit_db: the modulator's.
        total, eta, refine: the encoder's.
    """

    def __init__(
        self,
        images: list[Path],
        radio: RadioChoice,
        codec: str,
        cbr: float,
        weights: str = "",
        device: str = "cpu",
        channel: back_channel | None = None,
        policy: SendingPolicy | None = None,
        settings: LinkSettings | None = None,
        run: str = "",
        papr_limit_db: float = 0.0,
        total: bool = False,
        eta: float | None = None,
        refine: int = 0,
    ) -> None:
        gr.top_block.__init__(self, "JSCC transmitter")
        self.channel, self.choice = channel, radio
        self.source = image_source([str(path) for path in images])
        policy = policy if channel else None
        self.encoder = jscc_encoder(codec, cbr, weights, device, settings, policy, run, total, eta, refine)
        self.modulator = ofdm_modulator(papr_limit_db=papr_limit_db)
        self.radio = radio_sink(radio.address, radio.profile, radio.reconnect)
        self.log = event_queue()
        self.own_blocks = [self.source, self.encoder, self.modulator, self.radio, self.log]
        self.msg_connect(self.source, "image", self.encoder, "image")
        self.msg_connect(self.encoder, "ready", self.source, "ready")
        self.msg_connect(self.modulator, "air", self.encoder, "air")
        self.msg_connect(self.encoder, "sent", self.log, "events")
        self.msg_connect(self.modulator, "air", self.log, "events")
        self.join(self.encoder)
        self.connect(self.encoder, self.modulator, self.radio)

    def events(self) -> Iterator[dict | None]:
        """Runs the graph and yields its news (see `SendingEnd`), or None when there was none for a moment.

        Raises:
            BackChannelError: the receiver does not fit, or does not want us.
            Exception: whatever a block failed with.
        """
        self.start()
        try:
            finished, confirmed = False, False
            while not finished:
                try:
                    event = self.log.events.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    event = None
                if event is not None and event["event"] == "finished":
                    finished, confirmed = True, self.channel is not None and not event["unconfirmed"]
                yield event
                self.check()
                if self.channel is not None and self.channel.refusal:
                    raise BackChannelError(self.channel.refusal)
            self._wait_for_the_tail()
        finally:
            self.stop()
            self.wait()
        complete = self.radio.finish()
        self.give_back()
        if not complete and not confirmed:
            raise RadioError("the radio's other end took nothing for some time: the last samples were not sent")

    def _wait_for_the_tail(self) -> None:
        """Waits until what the encoder made has reached the radio, unless that takes nothing."""
        waiting = threading.Thread(target=self.wait, daemon=True)
        waiting.start()
        taken, since = self.radio.taken, time.monotonic()
        while waiting.is_alive() and time.monotonic() - since < TAIL_SECONDS:
            waiting.join(POLL_SECONDS)
            if self.radio.taken > taken:
                taken, since = self.radio.taken, time.monotonic()


class ReceiveFlowgraph(_Host):
    """A radio to pictures.

    Args:
        radio: where they come from.
        out: folder for pictures and reports.
        codec, weights, device: the decoder's.
        channel: the back-channel's block; None for none.
        feedback_format: how symbols are fed back.
        originals: folder with the pictures that are sent, for PSNR; "" for none.
        patience: seconds without a back-channel after which nothing is expected of it.
        rounds: of a picture that are good enough; 0 for all.
        feedback_snr_db: Es/N0 of a feedback channel to imitate; 0 for none.
        record: SigMF file for all that is received; None for none.
        memory_mib: the decoder's.
    """

    def __init__(
        self,
        radio: RadioChoice,
        out: Path,
        codec: str,
        weights: str = "",
        device: str = "cpu",
        channel: back_channel | None = None,
        feedback_format: str = "complex64",
        originals: str = "",
        patience: float = 60.0,
        rounds: int = 0,
        feedback_snr_db: float = 0.0,
        record: Path | None = None,
        memory_mib: int = MEMORY >> 20,
    ) -> None:
        gr.top_block.__init__(self, "JSCC receiver")
        self.channel, self.choice = channel, radio
        self.radio = radio_source(radio.address, SILENCE_SAMPLES, radio.profile, radio.reconnect)
        tuned = self.radio.tuned or Tuned()
        sample_rate = tuned.sample_rate or radio.sample_rate
        self.demodulator = ofdm_demodulator()
        self.decoder = jscc_decoder(
            codec, weights, device, live=True, back_channel=channel is not None,
            feedback_format=feedback_format, patience=patience, rounds=rounds, feedback_snr_db=feedback_snr_db,
            memory_mib=memory_mib,
        )  # fmt: skip
        self._results: queue.Queue[Result | None] = queue.Queue()
        self.sink = image_file_sink(
            str(out), radio.address, None, sample_rate, remote=True, originals=originals,
            patience=patience if channel else 0.0, radio=self.radio_report, results=self._results,
        )  # fmt: skip
        self.own_blocks = [self.radio, self.demodulator, self.decoder, self.sink]
        self.recording = None
        if record:
            about = About(weights, radio.address, channel is not None, feedback_format, originals)
            device_name = radio.profile.device.name if radio.profile else ""
            self.recording = LiveRecording(
                record, self.demodulator, self.decoder, sample_rate, about, tuned.frequency,
                f"{device_name} {tuned.serial or ''}".strip(),
            )  # fmt: skip
            self.own_blocks.append(self.recording)
        self.connect(self.radio, *([self.recording.block] if self.recording else []), self.demodulator)
        self.connect((self.demodulator, 0), (self.decoder, 0))
        self.connect((self.demodulator, 1), (self.decoder, 1))
        self.msg_connect(self.demodulator, "progress", self.decoder, "progress")
        self.msg_connect(self.decoder, "received", self.sink, "events")
        self.join(self.decoder)
        self.join(self.sink)

    def results(self, until_bye: bool = False, idle_seconds: float = float("inf")) -> Iterator[Result | None]:
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
                remark("rx", f"interrupted: {dropped} rounds that waited for the decoder are dropped")
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
