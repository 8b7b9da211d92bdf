"""Received pictures and reports to files and to the program that runs the graph."""

from __future__ import annotations

import queue
from pathlib import Path

from gr_jscc.blocks.image_sink import ImageSink
from gr_jscc.evaluation.collector import Result
from gr_jscc.evaluation.report import write_json
from gr_jscc.imaging import save_image


class image_file_sink(ImageSink):  # noqa: N801
    """Writes every received picture as ``NAME.png`` and its report as ``NAME.json``; needs no display.

    Message port ``events`` in: connect ``sent``, ``air`` and ``received`` to it (see `gr_jscc.blocks`).

    Args:
        folder: for the files, made if missing; "" writes none.
        channel, snr_db, sample_rate: for the report.

    Attributes:
        results: queue of `Result`, and None at the end of the run.
    """

    def __init__(
        self, folder: str = "", channel: str = "", snr_db: float | None = None, sample_rate: float = 1e6
    ) -> None:
        super().__init__("JSCC Image File Sink", channel, snr_db, sample_rate)
        self.folder = Path(folder) if folder else None
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.results: queue.Queue[Result | None] = queue.Queue()

    def on_result(self, result: Result) -> None:
        if self.folder:
            stem = Path(result.report["image"]["name"]).stem
            if result.received is not None:
                save_image(self.folder / f"{stem}.png", result.received)
            write_json(self.folder / f"{stem}.json", result.report)
        self.results.put(result)

    def on_end(self) -> None:
        self.results.put(None)
