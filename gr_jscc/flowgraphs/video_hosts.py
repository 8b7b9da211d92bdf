"""The flowgraphs of two hosts between which frames go: none is repeated, none waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from gnuradio import gr

from gr_jscc.blocks import back_channel, event_queue, jscc_decoder, jscc_encoder, ofdm_demodulator, ofdm_modulator
from gr_jscc.blocks.video_sink import video_sink
from gr_jscc.blocks.video_source import video_source
from gr_jscc.flowgraphs.ends import POLL_SECONDS, join
from gr_jscc.flowgraphs.host import HostFlowgraph
from gr_jscc.flowgraphs.receiver import jscc_receiver
from gr_jscc.flowgraphs.transmitter import jscc_transmitter
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Decoding, Encoding
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.radio import radio_sink, radio_source
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.scheduler.pacing import (
    BUFFER_ITEMS,
    FRAME_SILENCE_SAMPLES,
    FRAME_STEP_SAMPLES,
    LATENCY,
    SILENCE_SAMPLES,
    samples_together,
)


class SendVideoFlowgraph(HostFlowgraph):
    """Frames to a radio.

    Args:
        source: the frames.
        radio: where they are sent.
        encoding: how they are encoded.
        settings: how each becomes bursts, and those samples.
        papr_limit_db, slot: the modulator's.
        channel: a back-channel on which the receiver tells its SNR, which the CBR follows; None for none.

    Example:
        >>> import tempfile
        >>> from gr_jscc.video.frames import FrameForm
        >>> from gr_jscc.video.sources import Source
        >>> frames = video_source(Source("pattern"), FrameForm(fps=10, width=160, height=120), seconds=0.3)
        >>> encoding = Encoding("separation", cbr=1 / 6, weights="jpeg:ldpc-1/2:qpsk")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     graph = SendVideoFlowgraph(frames, RadioChoice(f"file:{folder}/air.cf32"), encoding)
        ...     sent = [event["event"] for event in graph.events() if event]
        >>> sent.count("air") == frames.sent > 0, sent[-1]
        (True, 'finished')
    """

    def __init__(
        self,
        source: video_source,
        radio: RadioChoice,
        encoding: Encoding,
        settings: LinkSettings | None = None,
        papr_limit_db: float = 0.0,
        slot: int = 0,
        channel: back_channel | None = None,
    ) -> None:
        gr.top_block.__init__(self, "JSCC video transmitter")
        self.channel, self.choice, self.source = channel, radio, source
        policy = SendingPolicy(adapt=True, listens_only=True) if channel else None
        encoder = jscc_encoder(**vars(encoding), settings=settings, policy=policy)
        layout = (settings or LinkSettings()).numerology
        # Where bursts are found only in more samples than usual, as many more follow them.
        silence = max(FRAME_SILENCE_SAMPLES, 5 * samples_together(0, 0, layout) // 2)
        modulator = ofdm_modulator(papr_limit_db=papr_limit_db, numerology=layout, slot=slot, silence=silence)
        self.transmitter = jscc_transmitter([], encoder, modulator, channel)
        self.radio, self.log = radio_sink(radio.address, radio.profile, radio.reconnect), event_queue()
        self.own_blocks = [source, self.transmitter, self.radio, self.log]
        self.msg_connect(source, "image", self.transmitter, "image")
        self.msg_connect(self.transmitter, "events", source, "events")
        self.msg_connect(self.transmitter, "events", self.log, "events")
        self.connect(self.transmitter, self.radio)

    def events(self) -> Iterator[dict | None]:
        """Runs the graph and yields its news, or None when there was none for a moment.

        Raises:
            BackChannelError: the receiver does not fit.
            Exception: whatever a block failed with.
        """
        self.start()
        try:
            for event in self.log.news(POLL_SECONDS):
                yield event
                self.check()
                self.check_peer()
            self._drain()
        finally:
            self.stop()
            self.wait()
        self.radio.finish()
        self.give_back()

    def _drain(self) -> None:
        """Waits until the last frame has left: in slots no silence follows that is long enough to push it out."""
        modulator = self.transmitter.modulator
        while modulator.slot and modulator.unwritten:
            time.sleep(POLL_SECONDS)
            self.check()
        if modulator.slot:
            time.sleep(2 * BUFFER_ITEMS / self.choice.sample_rate)


class ReceiveVideoFlowgraph(HostFlowgraph):
    """A radio to frames.

    Args:
        radio: where they come from.
        decoding: how they are decoded.
        show: see `video_sink`.
        numerology: the transmitter's.
        channel: a back-channel, on which the transmitter is told the SNR; None for none.
        latency: seconds that samples may wait to be demodulated together.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.zeros(100_000, np.complex64).tofile(f"{folder}/heard.cf32")
        ...     radio = RadioChoice(f"file:{folder}/heard.cf32")
        ...     graph = ReceiveVideoFlowgraph(radio, Decoding("separation"), print)
        ...     list(graph.moments(0.01, idle_seconds=0.5))[-1] is None  # silence
        True
    """

    def __init__(
        self,
        radio: RadioChoice,
        decoding: Decoding,
        show: Callable[[np.ndarray | None, float | None], object],
        numerology: Numerology = DEFAULT_NUMEROLOGY,
        channel: back_channel | None = None,
        latency: float = LATENCY,
    ) -> None:
        gr.top_block.__init__(self, "JSCC video receiver")
        self.channel, self.choice = channel, radio
        self.decoder = jscc_decoder(**vars(decoding), live=True, newest=True, back_channel=channel is not None)
        self.frames = 0
        self.sink = video_sink(self._count(show))
        # Only now, as the networks take seconds to load, and nobody wants the frames of those.
        self.radio = radio_source(radio.address, SILENCE_SAMPLES, radio.profile, radio.reconnect)
        step = samples_together(latency, self.sample_rate, numerology, FRAME_STEP_SAMPLES)
        self.receiver = jscc_receiver(self.decoder, self.sink, ofdm_demodulator(numerology=numerology, step=step))
        self.own_blocks = [self.radio, self.receiver]
        join(self, self.decoder, channel)  # which a sink of frames has no use for
        self.connect(self.radio, self.receiver)

    def _count(self, show: Callable[[np.ndarray | None, float | None], object]) -> Callable:
        def counted(image: np.ndarray | None, snr_db: float | None) -> None:
            self.frames += 1
            show(image, snr_db)

        return counted

    def moments(self, seconds: float, idle_seconds: float = float("inf")) -> Iterator[None]:
        """Runs the graph and yields None every so many seconds.

        Args:
            seconds: from one moment to the next.
            idle_seconds: end when no frame came for so long.

        Raises:
            Exception: whatever a block failed with.
        """
        self.start()
        try:
            due, last, frames = time.monotonic(), time.monotonic(), 0
            while True:
                due += seconds
                time.sleep(max(0.0, due - time.monotonic()))
                self.check()
                if self.frames > frames or self.decoder.decoding:
                    frames, last = self.frames, time.monotonic()
                yield
                if time.monotonic() - last > idle_seconds:
                    return
        finally:
            self.stop()
            self.wait()
            self.give_back()
