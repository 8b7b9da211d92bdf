"""A duel as a film shows it: both sides with their names and figures, and below them how it went so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from gr_jscc.plots import plain
from gr_jscc.video.duel import Round

COLOURS = ("#0072b2", "#d55e00")  # which colour-blind people tell apart
GAP, TITLE, CHART = 8, 26, 132  # pixels: between the sides, above them, and the chart's height
LOWEST_DB, HIGHEST_DB = 5, 55  # of the chart
_DPI = 100


class DuelPicture:
    """Draws the frames of a duel's film.

    Args:
        names: of the two sides.
        size: width and height of a side, even numbers of pixels.
        seconds: that the duel lasts.
        fps: frames a second.

    Attributes:
        size: width and height of the film, even numbers of pixels.

    Example:
        >>> from gr_jscc.video.duel import Shown
        >>> from gr_jscc.video.frames import Frame
        >>> image = np.zeros((240, 320, 3), np.uint8)
        >>> sides = Shown(image, 30.0, False, 19_000), Shown(image, 9.0, True, 19_100)
        >>> picture = DuelPicture(("deepjscc", "separation"), (320, 240), seconds=10, fps=10)
        >>> picture.draw(Round(Frame(image, 0.0), 12.0, sides)).shape
        (398, 648, 3)
    """

    def __init__(self, names: Sequence[str], size: tuple[int, int], seconds: float, fps: float) -> None:
        self._names, self._side, self._fps = names, size, fps
        self.size = 2 * size[0] + GAP, TITLE + size[1] + CHART
        self._font = ImageFont.load_default(14)
        self._times: list[float] = []
        self._qualities: list[list[float]] = [[], []]
        self._snrs: list[float] = []
        self._frozen = [0, 0]  # frames, of the freeze that lasts
        self._set_up_chart(seconds)

    def _set_up_chart(self, seconds: float) -> None:
        self._canvas = FigureCanvasAgg(Figure((self.size[0] / _DPI, CHART / _DPI), dpi=_DPI))
        left = self._canvas.figure.add_axes((0.07, 0.26, 0.86, 0.68))
        left.set(xlim=(0, seconds), ylim=(LOWEST_DB, HIGHEST_DB))
        left.tick_params(labelsize=7)
        left.set_ylabel("PSNR, dB", fontsize=7)
        left.set_xlabel("seconds", fontsize=7, labelpad=1)
        left.grid(alpha=0.3)
        right = left.twinx()
        right.set(ylim=(-5, 40))
        right.set_ylabel("SNR, dB", fontsize=7, color="#666666")
        right.tick_params(labelsize=7, colors="#666666")
        self._lines = [
            left.plot([], [], color=colour, linewidth=1.4, label=plain(name))[0]
            for name, colour in zip(self._names, COLOURS)
        ]
        self._snr_line = right.plot([], [], color="#666666", linewidth=1, linestyle=":", label="SNR")[0]
        lines = [*self._lines, self._snr_line]
        left.legend(handles=lines, fontsize=6.5, loc="upper right", ncols=3, framealpha=0.8)
        self._snr_text = right.text(0.01, 0.95, "", fontsize=9, va="top", transform=right.transAxes)

    def draw(self, round_: Round) -> np.ndarray:
        """The film's next frame: uint8[height, width, 3]."""
        canvas = Image.new("RGB", self.size, "white")
        pen = ImageDraw.Draw(canvas)
        for side, (name, shown) in enumerate(zip(self._names, round_.sides)):
            left = side * (self._side[0] + GAP)
            self._frozen[side] = self._frozen[side] + 1 if shown.frozen else 0
            canvas.paste(Image.fromarray(np.ascontiguousarray(shown.image)), (left, TITLE))
            pen.text((left + 4, 4), name, COLOURS[side], self._font)
            figure = f"{shown.psnr_db:.1f} dB"
            width = pen.textlength(figure, self._font)
            pen.text((left + self._side[0] - 4 - width, 4), figure, "black", self._font)
            if shown.frozen:
                self._say_frozen(pen, left, self._frozen[side] / self._fps)
        canvas.paste(Image.fromarray(self._chart(round_)), (0, TITLE + self._side[1]))
        return np.asarray(canvas)

    def _say_frozen(self, pen: ImageDraw.ImageDraw, left: int, seconds: float) -> None:
        text = f"frozen for {seconds:.1f} s"
        width = pen.textlength(text, self._font)
        bottom = TITLE + self._side[1]
        pen.rectangle((left, bottom - 24, left + width + 12, bottom - 1), "#b00020")
        pen.text((left + 6, bottom - 21), text, "white", self._font)

    def _chart(self, round_: Round) -> np.ndarray:
        self._times.append(round_.frame.seconds)
        self._snrs.append(round_.snr_db)
        for line, qualities, shown in zip(self._lines, self._qualities, round_.sides):
            qualities.append(shown.psnr_db)
            line.set_data(self._times, qualities)
        self._snr_line.set_data(self._times, self._snrs)
        self._snr_text.set_text(f"SNR {round_.snr_db:.0f} dB")
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
