"""A thread that runs a network while the scheduler goes on, behind a bounded queue."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable

from gr_jscc.errors import UserError


class Worker:
    """Calls ``function(item)`` for every submitted item, in order, in one thread.

    Args:
        function: the slow work. An exception ends the worker and is kept in ``failure``.
        depth: items that may wait; `submit` blocks while so many do. 0 sets no limit.
    """

    def __init__(self, function: Callable[[object], None], depth: int) -> None:
        self.failure: Exception | None = None
        self._function = function
        self._queue: queue.Queue = queue.Queue(depth)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._end = object()

    def start(self) -> None:
        self._thread.start()

    def submit(self, item: object) -> None:
        """Queues an item; waits while the queue is full, which holds back whatever feeds the block."""
        while self.failure is None:
            try:
                return self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue

    def finish(self) -> None:
        """Waits until all that was submitted is done, and ends the thread."""
        if self._thread.is_alive():
            self.submit(self._end)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not self._end:
            try:
                self._function(item)
            except Exception as error:  # kept for the block, which ends its stream with it
                if not isinstance(error, UserError):
                    traceback.print_exc()
                self.failure = error
                return
