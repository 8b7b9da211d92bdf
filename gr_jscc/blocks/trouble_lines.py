"""What blocks tell of trouble, as windows show it. Needs PyQt5."""

from __future__ import annotations

import contextlib

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QLabel

MOST_LINES = 3
ALARM = QColor(226, 88, 75)


class Told(QObject):
    """Carries lines from any thread to the GUI's; lives as long as the block that shows them.

    Example:
        >>> Told().take_line("radio: unplugged", failed=False)  # nobody listens
    """

    told = pyqtSignal(str, bool)  # a line about any block, and whether it has failed

    def take_line(self, line: str, failed: bool) -> None:
        """Passes a line on, from any thread."""
        # Qt may delete its half of this object before Python does; whoever tells, and other windows, must not suffer.
        with contextlib.suppress(RuntimeError):
            self.told.emit(line, failed)


class TroubleLines(QLabel):
    """The latest lines, hidden while there is none.

    Example:
        >>> from PyQt5.QtWidgets import QApplication
        >>> application = QApplication.instance() or QApplication(["gr-jscc", "-platform", "offscreen"])
        >>> TroubleLines().text()
        ''
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.PlainText)
        self.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.setContentsMargins(10, 0, 10, 4)
        self.hide()
        self._lines: list[str] = []
        self._failed = False

    def tell(self, line: str, failed: bool) -> None:
        """Shows a line about a block, with the latest ones before it; in red once one has failed."""
        self._lines = [*(other for other in self._lines if other != line), line][-MOST_LINES:]
        self._failed = self._failed or failed
        self.setText("\n".join(self._lines))
        self.setStyleSheet(f"color: {ALARM.name()}" if self._failed else "")
        self.show()
