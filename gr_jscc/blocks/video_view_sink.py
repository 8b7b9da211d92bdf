"""A window that shows frames as they come, sent and received, and how it went over time. Needs PyQt5."""

from __future__ import annotations

import math
import time

import pmt
from gnuradio import gr
from PyQt5.QtCore import QRect, Qt, pyqtSignal
from PyQt5.QtGui import QPainter
from PyQt5.QtWidgets import QGridLayout, QWidget

from gr_jscc import telling
from gr_jscc.blocks.image_view_sink import PicturePane
from gr_jscc.blocks.strip_chart import Strip, StripChart
from gr_jscc.blocks.trouble_lines import ALARM, Told, TroubleLines
from gr_jscc.scheduler.events import read_event
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.video.frame_book import FrameBook, FrameFigures

STRIPS = {
    "PSNR": Strip(6.0, "{:.1f} dB"),
    "SNR": Strip(6.0, "{:.1f} dB", "#e0a030"),
    "CBR": Strip(0.02, "{:.4f}", "#8fbc5a"),
    "Latency": Strip(50.0, "{:.0f} ms", "#b48ead"),
    "Dropped": Strip(4.0, "{:.0f}", "#d08770"),
    "Lost": Strip(4.0, "{:.0f}", ALARM.name()),
}


@kept_while_running
class video_view_sink(gr.basic_block):  # noqa: N801
    """Shows each frame as it was sent and as it was received, with a strip chart of its figures.

    Message port ``events`` in: connect to it ``sent``, ``air`` and ``received`` of a chain (see `gr_jscc.blocks`), and
    the source's ``dropped``; where the transmitter is on another host, only ``received``. The block works in its own
    thread and hands what it has to the window by Qt signals. It must be made in the GUI's thread, after the
    QApplication.

    Args:
        title: of the received picture.
        show_sent: whether there is a picture of what was sent.
        seconds: that the chart covers.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> video_view_sink("DeepJSCC").name()
        'JSCC Video Sink'
    """

    def __init__(self, title: str = "Received", show_sent: bool = True, seconds: float = 30.0) -> None:
        gr.basic_block.__init__(self, name="JSCC Video Sink", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self._book = FrameBook()
        self._news = _News()
        self._view = VideoView(title, show_sent, seconds)
        self._news.frame.connect(self._view.show_frame)
        self._news.told.connect(self._view.show_trouble)
        telling.listen(self._news.take_line)
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)
        # It has several neighbours and must hear the last of them: see `ImageSink`.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)

    def qwidget(self) -> QWidget:
        """The view, to be placed in a window; it stays this block's own until Qt deletes it."""
        return self._view

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        kind, fields, image = read_event(message)
        if kind == "sent":
            self._book.sent(fields["transfer"], image, fields["started"])
        elif kind == "air":
            self._book.charged(fields["transfer"], fields["payload"] + fields["side_info"] + fields["header"])
        elif kind == "dropped":
            self._book.dropped = fields["frames"]
        elif kind == "received":
            shown = None if fields["shown_grey"] else image
            figures = self._book.received(fields["transfer"], shown, fields["snr_db"], fields["finished"])
            self._news.frame.emit(figures)
        elif kind == "end":
            self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))


class _News(Told):
    """Carries frames from the block's thread to the GUI's; lives as long as the block."""

    frame = pyqtSignal(object)  # FrameFigures


class VideoView(QWidget):
    """One or two pictures, a strip chart, and what blocks tell of trouble; knows figures, not blocks.

    Args:
        title: of the received picture.
        show_sent: whether there is a picture of what was sent.
        seconds: that the chart covers.

    Attributes:
        figures: of the frame that is shown, or None.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> VideoView().figures is None
        True
    """

    def __init__(self, title: str = "Received", show_sent: bool = True, seconds: float = 30.0) -> None:
        super().__init__()
        self.figures: FrameFigures | None = None
        self.sent, self.received = PicturePane("Sent"), FramePane(title)
        self.chart, self.trouble = StripChart(STRIPS, seconds), TroubleLines()
        self._frozen_since: float | None = None
        panes = QGridLayout()
        panes.setSpacing(6)
        if show_sent:
            panes.addWidget(self.sent, 0, 0)
        panes.addWidget(self.received, 0, 1)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(panes, 0, 0)
        layout.addWidget(self.chart, 1, 0)
        layout.addWidget(self.trouble, 2, 0)
        layout.setRowStretch(0, 1)

    def show_frame(self, figures: FrameFigures) -> None:
        """Shows a frame that came, or that it did not."""
        now, before = time.monotonic(), self.figures
        self.figures = figures
        if figures.original is None:
            self.sent.show_message("", "the original is on another host")
        else:
            self.sent.show_picture(figures.original, "")
        if figures.frozen:
            self._frozen_since = self._frozen_since or now
        else:
            self._frozen_since = None
        self.received.frozen = None if self._frozen_since is None else now - self._frozen_since
        if figures.shown is not None:
            quality = "" if figures.psnr_db is None else f"{figures.psnr_db:.1f} dB"
            self.received.show_picture(figures.shown, quality)
        values = {
            "PSNR": figures.psnr_db, "SNR": figures.snr_db, "CBR": figures.cbr, "Latency": figures.latency_ms,
            "Dropped": figures.dropped, "Lost": figures.lost,
        }  # fmt: skip
        self.chart.add(now, values, figures.lost > (before.lost if before else 0))

    def show_trouble(self, line: str, failed: bool) -> None:
        """Shows a line about a block below the chart, with the latest ones before it; in red once one has failed."""
        self.trouble.tell(line, failed)
        if failed:
            self.received.show_message("Stopped", line)


class FramePane(PicturePane):
    """A picture that may be frozen, which it then says on it.

    Attributes:
        frozen: seconds since it has been; None while it is not.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> FramePane("Received").frozen is None
        True
    """

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.frozen: float | None = None

    def _paint_picture(self, painter: QPainter, area: QRect) -> None:
        super()._paint_picture(painter, area)
        if self.frozen is None or self.message is not None:
            return
        text = f"frozen for {math.floor(10 * self.frozen) / 10:.1f} s"
        width = painter.fontMetrics().horizontalAdvance(text) + 16
        label = QRect(area.left(), area.bottom() - 26, width, 26)
        painter.fillRect(label, ALARM)
        painter.setPen(Qt.white)
        painter.drawText(label, Qt.AlignCenter, text)
