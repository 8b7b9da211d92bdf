"""The loopback flowgraph: encoder, OFDM modulator, simulated channel, demodulator, decoder, in GNU Radio."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gnuradio import blocks, channels, gr

from gr_jscc.blocks import (
    image_file_sink,
    image_source,
    jscc_decoder,
    jscc_encoder,
    ofdm_demodulator,
    ofdm_modulator,
)
from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario
from gr_jscc.channel.profiles import taps
from gr_jscc.errors import UserError
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.session import Session
from gr_jscc.reports.collector import Result

PROBED_SYMBOLS = 40_000
POLL_SECONDS = 0.2
STALLED_SECONDS = 120.0  # without a sample, a burst or a picture, and with no network at work: the graph itself hangs


class LoopbackFlowgraph(gr.top_block):
    """Images through the whole link and GNU Radio's own channel model.

    Args:
        images: files.
        codec, weights, cbr, device: as the encoder's.
        channel: name of a profile.
        snr_db: Es/N0 per data subcarrier, dB.
        cfo: carrier frequency offset in subcarrier spacings.
        loss: probability that a burst is erased in the air.
        scenario: a channel to put in place of GNU Radio's. ``snr_db``, ``cfo`` and ``channel`` hold for what it does
            not say itself.
        sample_rate: samples per second, for the report.
        seed: of the noise.
        probe: keep some equalised symbols for `symbols`.
        total, eta, settings, refine: the encoder's.
    """

    def __init__(
        self,
        images: list[Path],
        codec: str,
        cbr: float,
        channel: str,
        snr_db: float,
        weights: str = "",
        device: str = "cpu",
        cfo: float = 0.0,
        sample_rate: float = 1e6,
        seed: int = 1,
        probe: bool = False,
        loss: float = 0.0,
        scenario: Scenario | None = None,
        total: bool = False,
        eta: float | None = None,
        settings: LinkSettings | None = None,
        refine: int = 0,
    ) -> None:
        gr.top_block.__init__(self, "JSCC loopback")
        self.source = image_source([str(path) for path in images])
        # One session for all runs: what is random comes from the seed.
        self.encoder = jscc_encoder(
            codec, cbr, weights, device, settings, total=total, eta=eta, refine=refine, session=Session()
        )
        self.modulator = ofdm_modulator(pad_rounds=True)
        fft_size = self.modulator.numerology.fft_size
        told_snr_db = snr_db if scenario is None or "awgn" not in scenario else None
        if scenario is None:
            self.channel = channels.channel_model(
                noise_voltage=10 ** (-snr_db / 20),
                frequency_offset=cfo / fft_size,
                epsilon=1.0,
                taps=[complex(tap) for tap in taps(channel)],
                noise_seed=seed,
            )
        else:
            scenario.fill(
                multipath={"taps": channel}, cfo={"cycles_per_sample": cfo / fft_size}, awgn={"snr_db": snr_db}
            )
            self.channel = ImpairedStream(scenario)
            channel = scenario.name
        self.losses = ImpairedStream(Scenario({"loss": {"probability": loss}}, seed=seed)) if loss else None
        self.demodulator = ofdm_demodulator()
        self.decoder = jscc_decoder(codec, weights, device)
        self._results: queue.Queue[Result | None] = queue.Queue()
        self.sink = image_file_sink("", channel, told_snr_db, sample_rate, results=self._results)

        self.msg_connect(self.source, "image", self.encoder, "image")
        self.msg_connect(self.encoder, "ready", self.source, "ready")
        air = [self.losses, self.channel] if self.losses else [self.channel]
        self.connect(self.encoder, self.modulator, *air, self.demodulator)
        self.connect((self.demodulator, 0), (self.decoder, 0))
        self.connect((self.demodulator, 1), (self.decoder, 1))
        self.msg_connect(self.encoder, "sent", self.sink, "events")
        self.msg_connect(self.modulator, "air", self.sink, "events")
        self.msg_connect(self.decoder, "received", self.sink, "events")
        self._probe = blocks.vector_sink_c()
        if probe:  # without a head block: one that ends would end the decoder's input with it
            self.connect((self.demodulator, 0), self._probe)

    @property
    def symbols(self) -> np.ndarray:
        """Equalised symbols of the run's beginning, complex64[n], when probed."""
        return np.array(self._probe.data()[:PROBED_SYMBOLS], np.complex64)

    @property
    def at_work(self) -> bool:
        """Whether a network, or the comparison of a picture, is at work: that takes as long as it takes."""
        return self.encoder.encoding or self.decoder.decoding or self.sink.working

    def _moved(self) -> tuple[int, ...]:
        """Items that have passed the blocks so far."""
        written = [part.nitems_written(0) for part in (self.encoder, self.modulator, self.demodulator)]
        return *written, self.demodulator.nitems_read(0), self.decoder.nitems_read(0)

    def results(self) -> Iterator[Result]:
        """Runs the graph and yields each picture as it arrives.

        Raises:
            UserError: the graph stands still.
            Exception: whatever a block failed with.
        """
        parts = [self.source, self.encoder, self.modulator, self.demodulator, self.decoder, self.sink]
        parts += [part for part in (self.losses, self.channel) if isinstance(part, ImpairedStream)]
        self.start()
        try:
            moved, since = None, time.monotonic()
            while True:
                for part in parts:
                    if part.failure is not None:
                        raise part.failure
                try:
                    result = self._results.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    if self.at_work or self._moved() != moved:
                        moved, since = self._moved(), time.monotonic()
                    if time.monotonic() - since > STALLED_SECONDS:
                        raise UserError(
                            f"the flowgraph stands still: no sample, burst or picture moved for {STALLED_SECONDS:.0f} s"
                        ) from None
                    continue
                if result is None:
                    break
                yield result
                since = time.monotonic()
        finally:
            self.stop()
            self.wait()
        for part in parts:
            if part.failure is not None:
                raise part.failure
