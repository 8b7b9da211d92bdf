"""The flowgraph of the transmitting host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gnuradio import gr

from gr_jscc.blocks import back_channel, event_queue, jscc_encoder, ofdm_modulator
from gr_jscc.flowgraphs.ends import POLL_SECONDS
from gr_jscc.flowgraphs.host import TAIL_SECONDS, HostFlowgraph
from gr_jscc.flowgraphs.transmitter import jscc_transmitter
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.radio import RadioError, radio_sink
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.scheduler.pacing import DEVICE_STEP_SAMPLES, LATENCY, MADE_TOGETHER, samples_together


class TransmitFlowgraph(HostFlowgraph):
    """Images to a radio.

    Args:
        images: files.
        radio: where they are sent.
        encoding: how they are encoded.
        channel: the back-channel's block; None for none.
        policy: how it is used.
        settings: how rounds become bursts, and those samples.
        run: name of the run.
        papr_limit_db: the modulator's.

    Example:
        >>> import tempfile
        >>> from gr_jscc.data import demo_image
        >>> encoding = Encoding("separation", cbr=1 / 6, weights="jpeg:ldpc-2/3:16qam")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     graph = TransmitFlowgraph([demo_image()], RadioChoice(f"file:{folder}/air.cf32"), encoding)
        ...     graph.connected, graph.radio_report()["overflows"]  # before `events` runs it
        (None, 0)
    """

    def __init__(
        self,
        images: list[Path],
        radio: RadioChoice,
        encoding: Encoding,
        channel: back_channel | None = None,
        policy: SendingPolicy | None = None,
        settings: LinkSettings | None = None,
        run: str = "",
        papr_limit_db: float = 0.0,
    ) -> None:
        gr.top_block.__init__(self, "JSCC transmitter")
        self.channel, self.choice = channel, radio
        policy = policy if channel else None
        encoder = jscc_encoder(**vars(encoding), settings=settings, policy=policy, run=run)
        self.radio = radio_sink(radio.address, radio.profile, radio.reconnect)
        layout, most = (settings or LinkSettings()).numerology, DEVICE_STEP_SAMPLES
        step = samples_together(LATENCY, self.sample_rate, layout, most) if radio.is_device else MADE_TOGETHER
        modulator = ofdm_modulator(papr_limit_db=papr_limit_db, numerology=layout, step=step)
        self.transmitter = jscc_transmitter([str(path) for path in images], encoder, modulator, channel)
        self.log = event_queue()
        self.own_blocks = [self.transmitter, self.radio, self.log]
        self.msg_connect(self.transmitter, "events", self.log, "events")
        self.connect(self.transmitter, self.radio)

    def events(self) -> Iterator[dict | None]:
        """Runs the graph and yields its news (see `SendingEnd`), or None when there was none for a moment.

        Raises:
            BackChannelError: the receiver does not fit, or does not want us.
            Exception: whatever a block failed with.
        """
        self.start()
        try:
            confirmed = False
            for event in self.log.news(POLL_SECONDS):
                if event is not None and event["event"] == "finished":
                    confirmed = self.channel is not None and not event["unconfirmed"]
                yield event
                self.check()
                self.check_peer()
            self._wait_for_the_tail()
        finally:
            self.stop()
            self.wait()
        complete = self.radio.finish()
        self.give_back()
        if not complete and not confirmed:
            raise RadioError("the radio's other end has stopped reading: the last samples were not sent")

    def _wait_for_the_tail(self) -> None:
        """Waits until what the encoder made has reached the radio, unless that takes nothing."""
        waiting = threading.Thread(target=self.wait, daemon=True)
        waiting.start()
        taken, since = self.radio.taken, time.monotonic()
        while waiting.is_alive() and time.monotonic() - since < TAIL_SECONDS:
            waiting.join(POLL_SECONDS)
            if self.radio.taken > taken:
                taken, since = self.radio.taken, time.monotonic()
