"""Links that need no GNU Radio: the textbook channel, and the whole OFDM link in numpy."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gr_jscc.channel import Scenario
from gr_jscc.channel.profiles import check_snr, taps
from gr_jscc.codecs.base import Codec
from gr_jscc.flowgraphs.ideal import ideal_picture
from gr_jscc.flowgraphs.simulated import simulated_picture
from gr_jscc.interface.link import Link
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.reports.collector import Result


@dataclass
class IdealLink(Link):
    """The channel that papers simulate: white noise on the symbols, known exactly, and nothing is lost.

    Codecs with feedback get it without noise. It gives what ``gr-jscc loopback --ideal`` gives.

    Attributes:
        snr_db: Es/N0, dB.
        channel: ``awgn`` or ``multipath``.
        seed: of the noise.
        settings: how rounds become bursts, by which headers and side information are charged.
        every_round: look at the picture after each round; else the report has only the last one's PSNR.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> sent = IdealLink(snr_db=5).send(parrots, "deepjscc", cbr=1 / 24)
        >>> sent.psnr_db > 24, round(sent.report["cbr"]["payload"], 4)
        (True, 0.0417)
    """

    name: ClassVar[str] = "ideal"

    snr_db: float = 10.0
    channel: str = "awgn"
    seed: int = 1
    settings: LinkSettings | None = None
    every_round: bool = False

    def __post_init__(self) -> None:
        self.snr_db = check_snr(self.snr_db, "snr_db")
        taps(self.channel)

    def _results(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Iterator[Result]:
        rng = np.random.default_rng(self.seed)
        return ideal_picture(codec, (name, image), cbr, self.channel, self.snr_db, rng, self.settings, self.every_round)


@dataclass
class SimulatedLink(Link):
    """The OFDM link, its receiver and a simulated channel, in numpy: as `FlowgraphLink`, without GNU Radio.

    There is no back-channel: lost bursts stay lost, and codecs with feedback do without.

    Attributes:
        snr_db: Es/N0 per data subcarrier, dB.
        channel: ``awgn`` or ``multipath``.
        seed: of everything random.
        cfo: carrier frequency offset in subcarrier spacings.
        loss: probability that a burst is erased in the air.
        scenario: a channel of one's own; what it does not set is as above.
        settings: how rounds become bursts, and those samples.
        every_round: as in `IdealLink`.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> sent = SimulatedLink(snr_db=10, loss=0.3).send(parrots, "deepjscc")
        >>> sent.report["bursts"]["lost"] > 0, sent.psnr_db > 20
        (True, True)
    """

    name: ClassVar[str] = "simulated"

    snr_db: float = 10.0
    channel: str = "awgn"
    seed: int = 1
    cfo: float = 0.1
    loss: float = 0.0
    scenario: Scenario | None = None
    settings: LinkSettings | None = None
    every_round: bool = False

    def __post_init__(self) -> None:
        self.snr_db = check_snr(self.snr_db, "snr_db")
        taps(self.channel)
        self._air()

    def _air(self) -> tuple[Scenario, float | None]:
        """The channel from its beginning, and the Es/N0 in dB that holds for all of it, if one does."""
        own = copy.deepcopy(self.scenario) or Scenario(seed=self.seed, name=self.channel)
        told = None if "awgn" in own else self.snr_db
        lossy = {"loss": {"probability": self.loss}} if self.loss else {}
        layout = (self.settings or LinkSettings()).numerology
        offset = {"cycles_per_sample": self.cfo / layout.fft_size}
        own.fill(**lossy, multipath={"taps": self.channel}, cfo=offset, awgn={"snr_db": self.snr_db})
        return own, told

    def _results(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Iterator[Result]:
        scenario, snr_db = self._air()
        return simulated_picture(codec, (name, image), cbr, scenario, snr_db, self.settings, self.every_round)
