"""Received pictures and reports to files and to the program that runs the graph."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from gr_jscc.blocks.image_sink import ImageSink
from gr_jscc.reports.archive import Archive
from gr_jscc.reports.collector import Result


class image_file_sink(ImageSink):  # noqa: N801
    """Writes every received picture as ``NAME/received.png`` with ``NAME/report.json``; needs no display.

    Message port ``events`` in: connect ``sent``, ``air`` and ``received`` to it, or, on a receiving host, only
    ``received`` (see `gr_jscc.blocks`).

    Args:
        folder: for the files, made if missing; "" writes none.
        channel, snr_db, sample_rate, remote, originals, patience, radio: see `ImageSink`.
        results: for a program that runs the graph, which must empty it: each `Result`, and None at the end of the
            stream. Without it nothing is kept in memory.

    Attributes:
        said_bye: set when the transmitter of another host has said that its run is complete.

    Raises:
        UserError: the folder cannot be made, or there are no originals.

    Example:
        >>> image_file_sink("").working
        False
    """

    def __init__(
        self,
        folder: str = "",
        channel: str = "",
        snr_db: float | None = None,
        sample_rate: float = 1e6,
        remote: bool = False,
        originals: str = "",
        patience: float = 60.0,
        radio: Callable[[], dict] | None = None,
        results: queue.Queue[Result | None] | None = None,
    ) -> None:
        self._remote = remote
        self.archive = Archive(folder) if folder else None
        super().__init__("JSCC Image File Sink", channel, snr_db, sample_rate, remote, originals, patience, radio)
        self._results = results
        self.said_bye = threading.Event()

    def on_result(self, result: Result) -> None:
        if self.archive and result.final:
            self.archive.save(result, fresh=self._remote)
        elif self.archive and result.layered:
            self.archive.save_estimate(result, fresh=self._remote)
        if self._results is not None:
            self._results.put(result)

    def on_end(self) -> None:
        if self._results is not None:
            self._results.put(None)

    def on_bye(self) -> None:
        self.said_bye.set()

    def stored_keys(self, run: str) -> set[str]:
        return self.archive.keys(run) if self.archive else set()
