"""A picture that was sent: what arrived, its figures, and how a notebook shows both."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gr_jscc.codecs.grey import grey_picture
from gr_jscc.reports.row import Row, row_of

GAP = 8  # pixels between the two pictures
WIDEST = 2048  # pixels of both together, as shown


@dataclass(frozen=True, eq=False, repr=False)
class Sent:
    """A picture that was sent over a link. A notebook shows the original beside it.

    Attributes:
        original: uint8[H, W, 3].
        picture: uint8[H, W, 3] as received; None where nothing could be decoded.
        report: nested, see `gr_jscc.reports.report.build_report`.
        link: the link's name, ``ideal``, ``simulated``, ``flowgraph`` or ``radio``.
        cbr: that was asked for.
        seed: of the link's noise; None where it has none.

    Example:
        >>> from gr_jscc import send
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> sent = send(parrots, snr_db=10)
        >>> str(sent).partition(":")[0]
        'picture by deepjscc over ideal-awgn at 10 dB'
        >>> sent.picture.shape, sent.row["psnr_db"] == sent.psnr_db
        ((192, 256, 3), True)
    """

    original: np.ndarray
    picture: np.ndarray | None
    report: dict
    link: str
    cbr: float
    seed: int | None = None

    @property
    def arrived(self) -> bool:
        """Whether anything of the picture came; a grey one that stands for nothing has not."""
        return self.report["arrived"]

    @property
    def psnr_db(self) -> float | None:
        """Peak signal-to-noise ratio, dB; None without a picture."""
        return self.report["psnr_db"]

    @property
    def ms_ssim(self) -> float | None:
        """Multi-scale structural similarity, 0 to 1; None without a picture, and of small ones."""
        return self.report["ms_ssim"]

    @property
    def row(self) -> Row:
        """The report as a row of a table, see `row_of`; of `evaluate` without its column ``error``."""
        return row_of(self.report, link=self.link, cbr=self.cbr, seed=self.seed)

    def __repr__(self) -> str:
        report, cbr = self.report, self.report["cbr"]
        where = report["channel"] if report["snr_db"] is None else f"{report['channel']} at {report['snr_db']:g} dB"
        line = f"{report['image']['name']} by {report['codec']} over {where}: "
        line += f"PSNR {self.psnr_db:.2f} dB" if self.arrived and self.psnr_db is not None else "not received"
        known = cbr["payload"] is not None
        return line + (f", CBR {cbr['payload']:.4f}, in all {cbr['total']:.4f}" if known else "")

    def _repr_png_(self) -> bytes:
        """Both side by side: what Jupyter shows."""
        height, width = self.original.shape[:2]
        received = grey_picture(height, width) if self.picture is None else self.picture
        gap = np.full((height, GAP, 3), 255, np.uint8)
        both = Image.fromarray(np.concatenate([self.original, gap, received], axis=1))
        both.thumbnail((WIDEST, WIDEST))
        stream = io.BytesIO()
        both.save(stream, "PNG", optimize=True)
        return stream.getvalue()
