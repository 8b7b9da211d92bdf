"""The picture strip of a report: the original, what each scheme made of it, and where it spent its channel uses."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gr_jscc.codecs.base import UseMap
from gr_jscc.plots import draw, plain

QUALITY = 92  # of WebP
DPI = 150
MOST_COLUMNS = 4
PANEL_INCHES = 2.6
SCALE_INCHES = 0.65
COLOURS = "viridis"  # grows lighter evenly, for colour-blind readers and in grey print, too
COVER = 0.65  # opacity of the colours over the picture
FAINT = (-191, 446)  # levels drawn black and white where colours go over: a picture keeps to the middle greys


@dataclass(frozen=True)
class Panel:
    """One picture of a strip.

    Attributes:
        picture: uint8[H, W, 3].
        caption: lines below it.
        uses: float32[H, W], complex channel uses of the patch that each pixel is in, drawn over the picture; or None.

    Example:
        >>> Panel(np.zeros((4, 6, 3), np.uint8), caption="original").uses is None
        True
    """

    picture: np.ndarray
    caption: str
    uses: np.ndarray | None = None


@dataclass(frozen=True)
class PictureStrip:
    """Pictures of the same part, the original first.

    Attributes:
        name: for file names.
        title: in a line.
        panels: of the same size.

    Example:
        >>> panels = [Panel(np.full((8, 12, 3), grey, np.uint8), f"grey {grey}") for grey in (60, 200)]
        >>> [panel.caption for panel in PictureStrip("greys", "Two greys", panels).panels]
        ['grey 60', 'grey 200']
    """

    name: str
    title: str
    panels: list[Panel]

    def image(self, kind: str = "webp") -> bytes:
        """As ``webp``, a fifth of a PNG's size, at a quality that hides none of what codecs do; or ``png``."""
        columns = min(len(self.panels), MOST_COLUMNS)
        rows = -(-len(self.panels) // columns)
        height, width = self.panels[0].picture.shape[:2]
        panel_height = PANEL_INCHES * height / width + 0.55
        maps = [panel.uses for panel in self.panels if panel.uses is not None]
        # All maps of a strip have one scale, by octaves: from the least to the most is a factor of 16 and more.
        norm = LogNorm(max(min(map(np.min, maps)), 1), max(map(np.max, maps))) if maps else None
        size = PANEL_INCHES * columns, panel_height * rows + (SCALE_INCHES if maps else 0)
        figure = Figure(figsize=size, layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axes in grid:
            axes.axis("off")
        for axes, panel in zip(grid, self.panels):
            if panel.uses is None:
                axes.imshow(panel.picture, interpolation="nearest")
            else:
                axes.imshow(
                    panel.picture.mean(axis=2), cmap="gray", vmin=FAINT[0], vmax=FAINT[1], interpolation="nearest"
                )
                axes.imshow(panel.uses, cmap=COLOURS, norm=norm, alpha=COVER, interpolation="nearest")
            axes.set_title(plain(panel.caption), y=-0.03, pad=0, va="top", fontsize=8.5, linespacing=1.3)
        if norm is not None:
            _draw_scale(figure, list(grid), norm)
        stream = io.BytesIO()
        more = {"pil_kwargs": {"quality": QUALITY, "method": 6}} if kind == "webp" else {"metadata": {"Software": None}}
        draw(figure, stream, format=kind, dpi=DPI, **more)
        return stream.getvalue()


def _draw_scale(figure: Figure, grid: list[Axes], norm: LogNorm) -> None:
    """The colours' legend, in numbers, below all panels."""
    scale = figure.colorbar(
        ScalarMappable(norm, COLOURS), ax=grid, location="bottom", aspect=50, shrink=0.7, pad=0.03, format="%g",
        ticks=LogLocator(2), alpha=COVER,
    )  # fmt: skip
    scale.ax.set_facecolor("0.5")  # the colours as they look over a picture's middle grey
    scale.minorticks_off()
    scale.set_label("complex channel uses per patch", fontsize=8.5)
    scale.ax.tick_params(labelsize=8.5)


def over_pixels(uses: UseMap, height: int, width: int) -> np.ndarray:
    """float32[height, width]: of every pixel of a picture, the channel uses of its patch."""
    return uses.uses.repeat(uses.stride, axis=0).repeat(uses.stride, axis=1)[:height, :width]


def cut(picture: np.ndarray, side: int, at: tuple[int, int] | None) -> np.ndarray:
    """A square of a picture, or all of it for a side of 0.

    Args:
        picture: uint8[H, W, 3], or anything else by pixels [H, W, …].
        side: in pixels; cut down to the picture where it is larger.
        at: left and top edge; None for the middle.
    """
    if not side:
        return picture
    height, width = picture.shape[:2]
    left, top = at or ((width - side) // 2, (height - side) // 2)
    left, top = max(0, min(left, width - side)), max(0, min(top, height - side))
    return picture[top : top + side, left : left + side]
