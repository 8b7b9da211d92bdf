"""Curves of a report: a metric over the CBR or the SNR, with intervals, published curves dashed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from gr_jscc.plots import LOSSLESS, draw, plain

DPI = 150
# Okabe and Ito's colours, which colour-blind readers tell apart; yellow is left out on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = "osD^vP*"
DASHES = ((4, 2), (1, 1.5), (6, 2, 1, 2), (8, 3), (3, 1, 1, 1, 1, 1), (2, 4))
REFERENCE_COLOUR = "#777777"


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        label: in the legend.
        points: (x, y, low, high), low and high None where there is no interval; sorted by x.
        style: number of its colour and marker; the same scheme has the same in every plot.
        published: whether it is a reference, and dashed.

    Example:
        >>> Line("NTSCC", [(5.0, 26.1, 25.7, 26.5), (10.0, 28.9, None, None)], style=0).published
        False
    """

    label: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    style: int | None
    published: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves over the CBR or the SNR.

    Attributes:
        name: for file names.
        title: in a line.
        x_label, y_label: of the axes.
        lines: the curves.
        notes: what a reader must know.

    Example:
        >>> line = Line("NTSCC", [(5.0, 26.1, 25.7, 26.5), (10.0, 28.9, None, None)], style=0)
        >>> plot = Plot("psnr", "PSNR over SNR", "SNR, dB", "PSNR, dB", [line], notes=[])
        >>> [line.label for line in plot.lines]  # plot.image("png") draws it
        ['NTSCC']
    """

    name: str
    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    notes: list[str]

    def image(self, kind: str = "webp") -> bytes:
        """The plot as ``webp``, less than half of a PNG's size and as exact, ``png`` or ``pdf``."""
        figure = Figure(figsize=(8, 4.6), layout="constrained")
        axes = figure.subplots()
        dashes = 0
        for line in self.lines:
            x, y = [point[0] for point in line.points], [point[1] for point in line.points]
            if line.published:
                colour = REFERENCE_COLOUR if line.style is None else COLOURS[line.style % len(COLOURS)]
                dash = DASHES[dashes % len(DASHES)]
                axes.plot(x, y, color=colour, dashes=dash, linewidth=1.2, alpha=0.9, label=plain(line.label), zorder=1)
                dashes += 1
                continue
            colour, marker = COLOURS[line.style % len(COLOURS)], MARKERS[line.style % len(MARKERS)]
            axes.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=1.8, label=plain(line.label), zorder=3)
            known = [point for point in line.points if point[2] is not None]
            if known:
                xs, ys, low, high = np.array(known, dtype=float).T
                spread = np.maximum([ys - low, high - ys], 0)
                axes.errorbar(xs, ys, spread, fmt="none", ecolor=colour, elinewidth=0.9, capsize=3, alpha=0.6, zorder=2)
        axes.set(xlabel=self.x_label, ylabel=self.y_label)
        axes.set_title(plain(self.title), fontsize=11)
        axes.grid(alpha=0.25)
        figure.legend(loc="outside right upper", fontsize=9, frameon=False, handlelength=3)
        stream = io.BytesIO()
        # No date inside: the same figures give the same file.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        options = LOSSLESS if kind == "webp" else {"format": kind, "metadata": metadata}
        draw(figure, stream, dpi=DPI, **options)
        return stream.getvalue()
