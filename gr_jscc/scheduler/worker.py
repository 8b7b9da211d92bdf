"""A thread that runs a network while the scheduler goes on, behind a bounded queue."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from gr_jscc.free_memory import FreeMemory


class Worker:
    """Calls ``function(item)`` for every submitted item, in order, in one thread.

    Args:
        function: the slow work. An exception ends the worker and is kept in ``failure``.
        depth: items that may wait; `submit` blocks while so many do. 0 sets no limit.
        on_failure: is told the exception at once, in the worker's thread.

    Example:
        >>> done = []
        >>> worker = Worker(done.append, depth=0, on_failure=print)
        >>> worker.start()
        >>> worker.submit("a")
        >>> worker.finish()
        >>> done
        ['a']
    """

    def __init__(
        self, function: Callable[[object], None], depth: int, on_failure: Callable[[Exception], object]
    ) -> None:
        self.failure: Exception | None = None
        self._function, self._on_failure = function, on_failure
        self._queue: queue.Queue = queue.Queue(depth)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._end = object()
        self._open = 0  # items that were submitted and are not done
        self._leaving = self._abandoned = False
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether anything that was submitted is not done; never after a failure, when nothing more will be."""
        return self._open > 0 and self.failure is None

    @property
    def waiting(self) -> int:
        """Items that were submitted and are not done, with the one in work."""
        return self._open

    def start(self) -> None:
        self._thread.start()

    def submit(self, item: object) -> None:
        """Queues an item; waits while the queue is full, which holds back whatever feeds the block."""
        with self._lock:
            if self._leaving:
                return
            self._open += 1
        self._put(item)

    def leave_off(self) -> int:
        """Drops all that waits, and what is submitted from now on; what is in work goes on. Returns how many waited."""
        waiting = []
        with self._lock:
            self._leaving = True
            with contextlib.suppress(queue.Empty):
                while True:
                    waiting.append(self._queue.get_nowait())
            dropped = sum(item is not self._end for item in waiting)
            self._open -= dropped
        if dropped < len(waiting):
            self._queue.put(self._end)
        return dropped

    def abandon(self) -> None:
        """Leaves off, and `finish` will not even wait for what is in work."""
        self.leave_off()
        self._abandoned = True

    def _put(self, item: object) -> None:
        while self.failure is None:
            try:
                return self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue

    def finish(self) -> None:
        """Waits until all that was submitted is done, and ends the thread."""
        if self._thread.is_alive() and not self._abandoned:
            self._put(self._end)
            while self._thread.is_alive() and not self._abandoned:
                self._thread.join(0.1)

    def _run(self) -> None:
        memory = FreeMemory()
        while (item := self._queue.get()) is not self._end:
            try:
                self._function(item)
            except Exception as error:  # of every kind: the block ends its stream with it
                self.failure = error
                self._on_failure(error)
                return
            memory.give_back()
            with self._lock:
                self._open -= 1
