"""A strip chart: values over the last seconds, each on a strip of its own. Needs PyQt5."""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from dataclasses import dataclass

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen, QPolygonF
from PyQt5.QtWidgets import QSizePolicy, QWidget

from gr_jscc.blocks.image_view_sink import BACKDROP, FAINT
from gr_jscc.blocks.trouble_lines import ALARM
from gr_jscc.video.strips import strip_points, value_range

GRID = QColor(64, 67, 74)
STRIP_HEIGHT, NAMES_WIDTH, VALUES_WIDTH = 34, 66, 70  # pixels


@dataclass(frozen=True)
class Strip:
    """How a value is drawn.

    Attributes:
        least: width of the range that it takes at least.
        form: of the value in print.
        colour: of its line.

    Example:
        >>> Strip(6.0, "{:.1f} dB").form.format(31.24)
        '31.2 dB'
    """

    least: float
    form: str
    colour: str = "#4c9be8"


class StripChart(QWidget):
    """Draws values as they come, and a red line where something was lost.

    Args:
        strips: by name, from the top down.
        seconds: that are seen.

    Attributes:
        moments: (seconds, values by name, whether it was lost) of those that are seen, the oldest first.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> chart = StripChart({"PSNR": Strip(6.0, "{:.1f} dB")}, seconds=30)
        >>> for tick in range(100):
        ...     chart.add(float(tick), {"PSNR": 30.0})
        >>> len(chart.moments)
        31
    """

    def __init__(self, strips: Mapping[str, Strip], seconds: float = 30.0) -> None:
        super().__init__()
        self._strips, self._seconds = dict(strips), seconds
        self.moments: collections.deque[tuple[float, dict[str, float], bool]] = collections.deque()
        self.setFixedHeight(STRIP_HEIGHT * len(self._strips) + 6)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)

    def add(self, seconds: float, values: Mapping[str, float | None], lost: bool = False) -> None:
        """Adds values at a time, which is not before the last; None is no value."""
        known = {name: math.nan if values.get(name) is None else float(values[name]) for name in self._strips}
        self.moments.append((seconds, known, lost))
        while self.moments[0][0] < seconds - self._seconds:
            self.moments.popleft()
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.fillRect(self.rect(), BACKDROP)
        font = self.font()
        font.setPointSizeF(0.85 * font.pointSizeF())
        painter.setFont(font)
        area = QRectF(NAMES_WIDTH, 3, max(1, self.width() - NAMES_WIDTH - VALUES_WIDTH), self.height() - 6)
        end = self.moments[-1][0] if self.moments else 0.0
        span = (end - self._seconds, end)
        for number, (name, strip) in enumerate(self._strips.items()):
            top = area.top() + number * STRIP_HEIGHT
            self._paint_strip(painter, QRectF(area.left(), top, area.width(), STRIP_HEIGHT), name, strip, span)
        painter.setPen(QPen(ALARM, 1))
        for seconds, _, lost in self.moments:
            if lost:
                x = area.left() + area.width() * (seconds - span[0]) / self._seconds
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _paint_strip(self, painter: QPainter, area: QRectF, name: str, strip: Strip, span: tuple[float, float]) -> None:
        painter.setPen(GRID)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        times, values = [moment[0] for moment in self.moments], [moment[1][name] for moment in self.moments]
        points = strip_points(times, values, span, value_range(values, strip.least))
        painter.setPen(QPen(QColor(strip.colour), 1.6))
        places = [QPointF(area.left() + x * area.width(), area.top() + 2 + y * (area.height() - 4)) for x, y in points]
        painter.drawPolyline(QPolygonF(places))
        painter.setPen(FAINT)
        painter.drawText(QRectF(8, area.top(), NAMES_WIDTH - 8, area.height()), Qt.AlignVCenter | Qt.AlignLeft, name)
        latest = next((value for value in reversed(values) if math.isfinite(value)), None)
        text = "–" if latest is None else strip.form.format(latest)
        right = QRectF(area.right(), area.top(), VALUES_WIDTH - 8, area.height())
        painter.drawText(right, Qt.AlignVCenter | Qt.AlignRight, text)
