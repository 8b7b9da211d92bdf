"""A window that shows what was sent and what arrived, side by side. Needs PyQt5."""

from __future__ import annotations

import collections
import math
import time

import numpy as np
from PyQt5.QtCore import QRect, QRectF, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QColor, QImage, QPainter, QPalette, QPixmap
from PyQt5.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from gr_jscc import telling
from gr_jscc.blocks.image_sink import ImageSink
from gr_jscc.blocks.trouble_lines import ALARM, Told, TroubleLines
from gr_jscc.reports.collector import Result

SILENT_SECONDS = 8.0  # after which the view says that nothing arrives
BACKDROP, FAINT = QColor(32, 34, 38), QColor(150, 154, 162)


class image_view_sink(ImageSink):  # noqa: N801
    """Shows each picture as sent and as received, with the figures of its report.

    Message port ``events`` in: connect ``sent``, ``air`` and ``received`` to it (see `gr_jscc.blocks`).
    The block works in its own thread and hands what it has to the window by Qt signals. It must be made
    in the GUI's thread, after the QApplication.

    Args:
        channel, snr_db, sample_rate, remote, originals: see `ImageSink`.
        average: pictures that the running average covers.

    Raises:
        ImageError: there are no originals.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> image_view_sink(average=5).name()
        'JSCC Image View'
    """

    def __init__(
        self,
        channel: str = "",
        snr_db: float | None = None,
        sample_rate: float = 1e6,
        average: int = 10,
        remote: bool = False,
        originals: str = "",
    ) -> None:
        super().__init__("JSCC Image View", channel, snr_db, sample_rate, remote, originals)
        self._news = _News()
        self._view = ImageView(average)
        self._news.result.connect(self._view.show_result)
        self._news.sent.connect(self._view.note_sent)
        self._news.taken.connect(self._view.note_received)
        self._news.told.connect(self._view.show_trouble)
        telling.listen(self._news.take_line)

    def qwidget(self) -> QWidget:
        """The view, to be placed in a window; it stays this block's own until Qt deletes it."""
        return self._view

    def on_air(self) -> None:
        self._news.sent.emit()

    def on_taken(self) -> None:
        self._news.taken.emit()

    def on_result(self, result: Result) -> None:
        self._news.result.emit(result)


class _News(Told):
    """Carries results from the block's thread to the GUI's; lives as long as the block."""

    result = pyqtSignal(object)  # Result
    sent = pyqtSignal()  # a round was modulated
    taken = pyqtSignal()  # the decoder began on a round


class ImageView(QWidget):
    """Two pictures, a row of figures, and what blocks tell of trouble; knows results, not blocks.

    Args:
        average: pictures that the running average covers.

    Attributes:
        result: what is shown, or None.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> ImageView(average=5).result is None
        True
    """

    def __init__(self, average: int = 10, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result: Result | None = None
        self.sent, self.received = PicturePane("Sent"), PicturePane("Received")
        self._psnr: collections.deque[float] = collections.deque(maxlen=max(1, int(average)))
        self._shown = self._lost = 0
        self._waiting_since: float | None = None  # when the oldest picture without an answer was sent
        names = ("PSNR", "Average PSNR", "SNR estimate", "CBR", "Bursts", "Pictures")
        self.figures = {name: Figure(name) for name in names}

        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        panes = QGridLayout()
        panes.setSpacing(6)
        panes.addWidget(self.sent, 0, 0)
        panes.addWidget(self.received, 0, 1)
        row = QGridLayout()
        for column, figure in enumerate(self.figures.values()):
            row.addWidget(figure, 0, column)
            row.setColumnStretch(column, 1)
        layout.addLayout(panes, 0, 0)
        layout.addLayout(row, 1, 0)
        layout.setRowStretch(0, 1)
        self.trouble = TroubleLines()
        layout.addWidget(self.trouble, 2, 0)

        self._clock = QTimer(self)
        self._clock.timeout.connect(self._check_silence)
        self._clock.start(500)

    def note_sent(self) -> None:
        """A picture is on the air; an answer is due."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()

    def note_received(self) -> None:
        """A picture is being decoded, which takes as long as it takes."""
        self._waiting_since = None

    def show_trouble(self, line: str, failed: bool) -> None:
        """Shows a line about a block below the figures, with the latest ones before it; in red once one has failed."""
        self.trouble.tell(line, failed)
        if failed:
            self._waiting_since = None
            self.received.show_message("Stopped", line)

    def show_result(self, result: Result) -> None:
        """Shows a picture that arrived, or that it did not."""
        self.result, self._waiting_since = result, None
        report = result.report
        link, bursts, cbr = report["link"], report["bursts"], report["cbr"]
        self._shown += result.final
        if result.original is None:
            self.sent.caption = report["image"]["name"]
            self.sent.show_message("", "the original is on another host")
        else:
            self.sent.show_picture(result.original, report["image"]["name"])
        self._lost += not report["arrived"]
        if result.received is None:
            self.received.show_message("Picture lost", f"{bursts['received']} of {bursts['sent']} bursts arrived")
        else:
            self.received.show_picture(result.received, f"{report['codec']} · {report['weights']}")
        psnr = report["psnr_db"]
        if psnr is not None and report["arrived"] and result.final:
            self._psnr.append(psnr)

        set_to = f"channel set to {report['snr_db']:.1f} dB" if report["snr_db"] is not None else ""
        self.figures["PSNR"].tell(_decibels(psnr), _ms_ssim(report["ms_ssim"]), alarm=not report["arrived"])
        average = sum(self._psnr) / len(self._psnr) if self._psnr else None
        self.figures["Average PSNR"].tell(_decibels(average), f"last {len(self._psnr)}")
        self.figures["SNR estimate"].tell(_decibels(link["snr_est_db"]), set_to)
        self.figures["CBR"].tell(_ratio(cbr["payload"]), f"{_ratio(cbr['total'])} with side information")
        lost = bursts["lost"]
        self.figures["Bursts"].tell(
            f"{bursts['received']} of {bursts['sent']}", f"{lost} lost" if lost else "none lost", alarm=lost > 0
        )
        self.figures["Pictures"].tell(
            str(self._shown), f"{self._lost} lost" if self._lost else "none lost", alarm=not report["arrived"]
        )

    def _check_silence(self) -> None:
        if self._waiting_since is None:
            return
        seconds = time.monotonic() - self._waiting_since
        if seconds > SILENT_SECONDS:
            self.received.show_message("Nothing received", f"for {seconds:.0f} s")


class PicturePane(QWidget):
    """A picture as large as fits, in its proportions, under a title; or a message in its place.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> PicturePane("Sent").message[1]
        'waiting for the first picture'
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title, self.caption = title, ""
        self._picture: QPixmap | None = None
        self._scaled: QPixmap | None = None
        self.message: tuple[str, str] | None = ("", "waiting for the first picture")
        self.setMinimumSize(180, 140)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)

    def show_picture(self, picture: np.ndarray, caption: str) -> None:
        """Shows uint8[H, W, 3]."""
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        # The pixmap is a copy: the array may go.
        self._picture = QPixmap.fromImage(QImage(picture.data, width, height, 3 * width, QImage.Format_RGB888))
        self._scaled, self.message, self.caption = None, None, caption
        self.update()

    def show_message(self, headline: str, detail: str) -> None:
        """Shows words over the last picture, dimmed."""
        self.message = (headline, detail)
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        bar = int(1.7 * self.fontMetrics().height())
        painter.fillRect(self.rect(), BACKDROP)
        self._paint_title(painter, QRect(0, 0, self.width(), bar))
        self._paint_picture(painter, QRect(0, bar, self.width(), self.height() - bar))

    def _paint_title(self, painter: QPainter, area: QRect) -> None:
        area = area.adjusted(10, 0, -10, 0)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(Qt.white)
        painter.drawText(area, Qt.AlignLeft | Qt.AlignVCenter, self.title)
        painter.setFont(self.font())
        painter.setPen(FAINT)
        room = area.width() - self.fontMetrics().horizontalAdvance(self.title) - 30
        caption = self.fontMetrics().elidedText(self.caption, Qt.ElideMiddle, max(0, room))
        painter.drawText(area, Qt.AlignRight | Qt.AlignVCenter, caption)

    def _paint_picture(self, painter: QPainter, area: QRect) -> None:
        if self._picture is not None:
            size = self._picture.size().scaled(area.size(), Qt.KeepAspectRatio)
            if self._scaled is None or self._scaled.size() != size:
                self._scaled = self._picture.scaled(size, Qt.IgnoreAspectRatio, Qt.SmoothTransformation)
            place = self._scaled.rect()
            place.moveCenter(area.center())
            painter.drawPixmap(place, self._scaled)
        if self.message is None:
            return
        headline, detail = self.message
        if headline:
            painter.fillRect(area, QColor(0, 0, 0, 190))
        font = self.font()
        font.setBold(True)
        font.setPointSizeF(1.8 * font.pointSizeF())
        painter.setFont(font)
        painter.setPen(ALARM)
        middle = QRectF(area)
        middle.setBottom(area.center().y())
        painter.drawText(middle, Qt.AlignHCenter | Qt.AlignBottom, headline)
        painter.setFont(self.font())
        painter.setPen(FAINT)
        middle = QRectF(area)
        middle.setTop(area.center().y() + 6)
        middle.adjust(10, 0, -10, 0)
        painter.drawText(middle, Qt.AlignHCenter | Qt.AlignTop | Qt.TextWordWrap, detail)


class Figure(QWidget):
    """A name, a value in large print, and a remark.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> Figure("PSNR").value
        '–'
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._value, self._remark = QLabel(name), QLabel("–"), QLabel(" ")
        large = self._value.font()
        large.setPointSizeF(1.6 * large.pointSizeF())
        large.setBold(True)
        self._value.setFont(large)
        layout = QGridLayout(self)
        layout.setContentsMargins(10, 0, 0, 2)
        layout.setSpacing(0)
        for row, label in enumerate((self._name, self._value, self._remark)):
            layout.addWidget(label, row, 0)
        for label in (self._name, self._remark):
            palette = label.palette()
            palette.setColor(QPalette.WindowText, _between(palette, 0.35))
            label.setPalette(palette)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Fixed)

    @property
    def value(self) -> str:
        """What is shown in large print."""
        return self._value.text()

    def tell(self, value: str, remark: str, alarm: bool = False) -> None:
        """Shows a value; in red for an alarm."""
        self._value.setText(value)
        self._value.setStyleSheet(f"color: {ALARM.name()}" if alarm else "")
        self._remark.setText(remark or " ")


def _between(palette: QPalette, part: float) -> QColor:
    """A colour that goes so far from the text's to the background's, in light and dark themes."""
    text, back = (palette.color(role).getRgb()[:3] for role in (QPalette.WindowText, QPalette.Window))
    return QColor(*(round(t + part * (b - t)) for t, b in zip(text, back)))


def _decibels(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.1f} dB"


def _ms_ssim(value: float | None) -> str:
    return "" if value is None else f"MS-SSIM {value:.3f}"


def _ratio(value: float | None) -> str:
    return f"1/{1 / value:.1f}".replace(".0", "") if value else "–"
