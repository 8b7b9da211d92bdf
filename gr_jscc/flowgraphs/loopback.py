"""The loopback flowgraph: transmitter, simulated channel, receiver, in GNU Radio."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gnuradio import blocks, channels, gr

from gr_jscc.blocks import image_file_sink, jscc_decoder, jscc_encoder, ofdm_demodulator, ofdm_modulator
from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario
from gr_jscc.channel.profiles import taps
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.ends import POLL_SECONDS, end_failure
from gr_jscc.flowgraphs.receiver import jscc_receiver
from gr_jscc.flowgraphs.transmitter import jscc_transmitter
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding
from gr_jscc.link.session import Session
from gr_jscc.reports.collector import Result
from gr_jscc.threads import share_cores

PROBED_SYMBOLS = 40_000
STALLED_SECONDS = 120.0  # without a sample, a burst or a picture, and with no network at work: the graph itself hangs


@dataclass(frozen=True)
class Air:
    """A simulated channel.

    Attributes:
        channel: name of a profile.
        snr_db: Es/N0 per data subcarrier, dB.
        cfo: carrier frequency offset in subcarrier spacings.
        loss: probability that a burst is erased in the air.
        scenario: a channel to put in place of GNU Radio's. ``snr_db``, ``cfo`` and ``channel`` hold for what it does
            not say itself.
        sample_rate: samples per second, for the report.
        seed: of the noise.

    Example:
        >>> Air("multipath", snr_db=15.0, loss=0.1).cfo
        0.0
    """

    channel: str = "awgn"
    snr_db: float = 10.0
    cfo: float = 0.0
    loss: float = 0.0
    scenario: Scenario | None = None
    sample_rate: float = 1e6
    seed: int = 1


def flowgraph_results(files: list[Path], encoding: Encoding, air: Air, **options: object) -> Iterator[Result]:
    """Results of a `LoopbackFlowgraph`, whose ``options`` they are, with half of the cores for each network."""
    # Encoder and decoder run at the same time: each gets its share of the cores.
    share_cores()
    yield from LoopbackFlowgraph(files, encoding, air, **options).results()


class LoopbackFlowgraph(gr.top_block):
    """Images through the whole link and a simulated channel::

        jscc_transmitter ═▶ [losses] ═▶ GNU Radio's channel model, or a scenario ═▶ jscc_receiver
                └──────────────────────── events ─────────────────────────────────────▲

    Args:
        images: files.
        encoding: how they are encoded, and decoded with the same weights.
        air: the channel.
        settings: how rounds become bursts, and those samples.
        probe: keep some equalised symbols for `symbols`.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> encoding = Encoding("separation", cbr=1 / 6, weights="jpeg:ldpc-2/3:16qam")
        >>> graph = LoopbackFlowgraph([demo_image()], encoding, Air(snr_db=20.0))
        >>> graph.at_work, len(graph.symbols)  # before `results` runs it
        (False, 0)
    """

    def __init__(
        self,
        images: list[Path],
        encoding: Encoding,
        air: Air,
        settings: LinkSettings | None = None,
        probe: bool = False,
    ) -> None:
        gr.top_block.__init__(self, "JSCC loopback")
        # One session for all runs: what is random comes from the seed.
        encoder = jscc_encoder(**vars(encoding), settings=settings, session=Session())
        layout = (settings or LinkSettings()).numerology
        modulator = ofdm_modulator(pad_rounds=True, numerology=layout)
        self.transmitter = jscc_transmitter([str(path) for path in images], encoder, modulator)
        self.channel, name, snr_db = _channel(air, layout.fft_size)
        self.losses = ImpairedStream(Scenario({"loss": {"probability": air.loss}}, seed=air.seed)) if air.loss else None
        self._results: queue.Queue[Result | None] = queue.Queue()
        sink = image_file_sink("", name, snr_db, air.sample_rate, results=self._results)
        decoder = jscc_decoder(encoding.codec, encoding.weights, encoding.device, encoding.precision)
        self.receiver = jscc_receiver(decoder, sink, ofdm_demodulator(numerology=layout))

        stages = [self.losses, self.channel] if self.losses else [self.channel]
        self.connect(self.transmitter, *stages, self.receiver)
        self.msg_connect(self.transmitter, "events", self.receiver, "events")
        self._probe = blocks.vector_sink_c()
        if probe:  # without a head block: one that ends would end the decoder's input with it
            self.connect(self.receiver, self._probe)

    @property
    def symbols(self) -> np.ndarray:
        """Equalised symbols of the run's beginning, complex64[n], when probed."""
        return np.array(self._probe.data()[:PROBED_SYMBOLS], np.complex64)

    @property
    def at_work(self) -> bool:
        """Whether a network, or the comparison of a picture, is at work: that takes as long as it takes."""
        receiver = self.receiver
        return self.transmitter.encoder.encoding or receiver.decoder.decoding or receiver.sink.working

    def _moved(self) -> tuple[int, ...]:
        """Items that have passed the blocks so far."""
        sender, receiver = self.transmitter, self.receiver
        written = [part.nitems_written(0) for part in (sender.encoder, sender.modulator, receiver.demodulator)]
        return *written, receiver.demodulator.nitems_read(0), receiver.decoder.nitems_read(0)

    def results(self) -> Iterator[Result]:
        """Runs the graph and yields each picture as it arrives.

        Raises:
            UserError: the graph stands still.
            Exception: whatever a block failed with.
        """
        parts = [self.transmitter, self.receiver]
        parts += [part for part in (self.losses, self.channel) if isinstance(part, ImpairedStream)]
        self.start()
        try:
            moved, since = None, time.monotonic()
            while True:
                if failure := end_failure(*parts):
                    raise failure
                try:
                    result = self._results.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    if self.at_work or self._moved() != moved:
                        moved, since = self._moved(), time.monotonic()
                    if time.monotonic() - since > STALLED_SECONDS:
                        raise UserError(
                            f"the flowgraph has stalled: no sample, burst or picture moved for {STALLED_SECONDS:.0f} s"
                        ) from None
                    continue
                if result is None:
                    break
                yield result
                since = time.monotonic()
        finally:
            self.stop()
            self.wait()
        if failure := end_failure(*parts):
            raise failure


def _channel(air: Air, fft_size: int) -> tuple[gr.basic_block, str, float | None]:
    """The channel's block, and its name and Es/N0 in dB for reports; None where a scenario has a noise of its own."""
    cycles_per_sample = air.cfo / fft_size
    if air.scenario is None:
        model = channels.channel_model(
            noise_voltage=10 ** (-air.snr_db / 20),
            frequency_offset=cycles_per_sample,
            epsilon=1.0,
            taps=[complex(tap) for tap in taps(air.channel)],
            noise_seed=air.seed,
        )
        return model, air.channel, air.snr_db
    told = air.snr_db if "awgn" not in air.scenario else None
    air.scenario.fill(
        multipath={"taps": air.channel}, cfo={"cycles_per_sample": cycles_per_sample}, awgn={"snr_db": air.snr_db}
    )
    return ImpairedStream(air.scenario), air.scenario.name, told
