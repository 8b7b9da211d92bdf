"""The figures of a run: lines of ``log.jsonl``, and TensorBoard events where it is installed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path


class Log:
    """Appends to the logs of a run's folder.

    Args:
        folder: exists.

    Raises:
        OSError: also from `write`, when the disk is full or cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = Log(Path(folder))
        ...     log.write(50, {"loss": -6.25})
        ...     log.close()
        ...     print((Path(folder) / "log.jsonl").read_text(), end="")
        {"step": 50, "loss": -6.25}
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "log.jsonl"
        cut_off = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")  # by a power failure
        self._file = path.open("a", encoding="utf-8")
        if cut_off:
            self._file.write("\n")
        try:
            self._board = _Board(folder / "tensorboard")
        except ImportError:
            self._board = None

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Figures after so many steps, finite numbers."""
        self._file.write(json.dumps({"step": step, **{k: round(v, 5) for k, v in figures.items()}}) + "\n")
        self._file.flush()
        if self._board is not None:
            self._board.write(step, figures)

    def close(self) -> None:
        """Ends it, without a word of what could not be written: `write` has said it."""
        for file in (self._file, self._board):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


class _Board:
    """TensorBoard's events, written at once: `SummaryWriter` has a thread for it, whose errors nobody can catch."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb")
        self._records = RecordWriter(self._file)
        self._add(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, step: int, figures: dict[str, float]) -> None:
        values = [self._summary.Value(tag=key, simple_value=value) for key, value in figures.items()]
        self._add(self._event(wall_time=time.time(), step=step, summary=self._summary(value=values)))

    def close(self) -> None:
        self._file.close()

    def _add(self, event) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()
