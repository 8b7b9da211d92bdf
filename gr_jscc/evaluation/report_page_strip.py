"""The picture strip of a report: the original and what each scheme made of it, side by side."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

DPI = 150
MOST_COLUMNS = 4
PANEL_INCHES = 2.6


@dataclass(frozen=True)
class Panel:
    """One picture of a strip.

    Attributes:
        picture: uint8[H, W, 3].
        caption: lines below it.
    """

    picture: np.ndarray
    caption: str


@dataclass(frozen=True)
class PictureStrip:
    """Pictures of the same part, the original first.

    Attributes:
        name: for file names.
        title: in a line.
        panels: of the same size.
    """

    name: str
    title: str
    panels: list[Panel]

    def image(self) -> bytes:
        """As PNG."""
        columns = min(len(self.panels), MOST_COLUMNS)
        rows = -(-len(self.panels) // columns)
        height, width = self.panels[0].picture.shape[:2]
        panel_height = PANEL_INCHES * height / width + 0.55
        figure = Figure(figsize=(PANEL_INCHES * columns, panel_height * rows), layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axes in grid:
            axes.axis("off")
        for axes, panel in zip(grid, self.panels):
            axes.imshow(panel.picture, interpolation="nearest")
            axes.set_title(panel.caption, y=-0.03, va="top", fontsize=8.5, linespacing=1.3)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
        return stream.getvalue()


def cut(picture: np.ndarray, side: int, at: tuple[int, int] | None) -> np.ndarray:
    """A square of a picture uint8[H, W, 3], or all of it for a side of 0.

    Args:
        picture: which.
        side: in pixels; cut down to the picture where it is larger.
        at: left and top edge; None for the middle.
    """
    if not side:
        return picture
    height, width = picture.shape[:2]
    left, top = at or ((width - side) // 2, (height - side) // 2)
    left, top = max(0, min(left, width - side)), max(0, min(top, height - side))
    return picture[top : top + side, left : left + side]
