"""The link in a GNU Radio flowgraph, with GNU Radio's channel model."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.errors import UserError
from gr_jscc.imaging import save_image
from gr_jscc.interface.simulated import SimulatedLink
from gr_jscc.link.loading import Encoding
from gr_jscc.reports.collector import Result


def check_gnuradio(what: str) -> None:
    """Makes sure that GNU Radio is there.

    Args:
        what: needs it.

    Raises:
        UserError: it is not, or cannot be imported.
    """
    try:
        import gnuradio.gr  # noqa: F401
        import pmt  # noqa: F401
    except ImportError as error:
        raise UserError(f"{what} needs GNU Radio, see gr-jscc doctor: {error}") from error


@dataclass
class FlowgraphLink(SimulatedLink):
    """The blocks in a GNU Radio flowgraph, as ``gr-jscc loopback`` has them; needs GNU Radio.

    The halves of the codec run in two threads at the same time.

    Attributes:
        snr_db, channel, seed, cfo, loss, scenario, settings: as of `SimulatedLink`.

    Raises:
        UserError: GNU Radio is not there.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> sent = FlowgraphLink(snr_db=10, channel="multipath").send(parrots)
        >>> sent.link, sent.report["bursts"]["lost"], sent.psnr_db > 28
        ('flowgraph', 0, True)
    """

    name: ClassVar[str] = "flowgraph"

    def __post_init__(self) -> None:
        check_gnuradio("FlowgraphLink")
        super().__post_init__()

    def _results(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Iterator[Result]:
        from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph

        seed = max(1, self.seed)  # GNU Radio takes 0 for "another one each time"
        scenario = copy.deepcopy(self.scenario)
        air = Air(self.channel, self.snr_db, self.cfo, self.loss, scenario, seed=seed)
        with tempfile.TemporaryDirectory(prefix="gr-jscc-") as folder:
            path = Path(folder, "picture.ppm")
            save_image(path, image)
            yield from LoopbackFlowgraph([path], Encoding(codec, cbr), air, self.settings).results()
