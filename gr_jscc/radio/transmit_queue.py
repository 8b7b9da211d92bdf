"""What is to be sent, between a flowgraph that runs in bursts and a device that takes samples at its pace."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

QUIET_SECONDS = 0.05  # without new samples, after which a burst is taken to be complete


class TransmitQueue:
    """A bounded queue that gives out nothing that the device would have to pause in.

    After a pause it gives out samples when so many have come that the device stays busy, or when no more come. And of
    a burst it gives out nothing before all of it is there: the start of the next shows that, or that no more comes.

    Args:
        capacity: samples that it holds.
        prefill: samples that must be there after a pause; at most `capacity`.
        clock: seconds.

    Example:
        >>> queue = TransmitQueue(capacity=1000, prefill=0)
        >>> queue.finished
        False
    """

    def __init__(self, capacity: int, prefill: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._prefill, self._clock = capacity, prefill, clock
        self._changed = threading.Condition()
        self._parts: collections.deque[np.ndarray] = collections.deque()
        self._put = self._taken = 0  # samples since the beginning
        self._last_start: int | None = None  # of a burst
        self._last_put = 0.0
        self._running = self._finishing = False

    def __len__(self) -> int:
        return self._put - self._taken

    @property
    def finished(self) -> bool:
        """Whether all has been taken and no more will come."""
        return self._finishing and not len(self)

    def put(self, samples: np.ndarray, starts: Sequence[int] = (), timeout: float = 0.1) -> int:
        """Adds samples, waiting for room.

        Args:
            samples: complex64[n]; a copy is kept.
            starts: places in them where bursts begin.
            timeout: seconds to wait at most.

        Returns:
            how many were added: the first of them, perhaps none.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self) < self._capacity, timeout)
            count = min(len(samples), self._capacity - len(self))
            if count > 0:
                self._parts.append(samples[:count].copy())
                begun = [start for start in starts if start < count]
                if begun:
                    self._last_start = self._put + max(begun)
                self._put += count
                self._last_put = self._clock()
                self._changed.notify_all()
            return max(count, 0)

    def take(self, most: int, timeout: float = 0.0) -> tuple[np.ndarray, bool] | None:
        """Takes samples that are due.

        Args:
            most: samples at most.
            timeout: seconds to wait for them.

        Returns:
            complex64[n], n > 0, and whether a pause follows because no more is due yet; None where nothing is.
        """
        with self._changed:
            end = self._clock() + timeout
            while not (due := self._due()):
                left = end - self._clock()
                if left <= 0 or self.finished:
                    return None
                self._changed.wait(min(left, QUIET_SECONDS / 2))
            count = min(due, most, len(self._parts[0]))
            first = self._parts.popleft()
            if count < len(first):
                self._parts.appendleft(first[count:])
            self._taken += count
            self._running = count < due
            self._changed.notify_all()
            return first[:count], not self._running

    def finish(self) -> None:
        """What is there is all: it is due."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def _due(self) -> int:
        """Samples that may be given out now."""
        whole = len(self)
        quiet = self._finishing or self._clock() - self._last_put > QUIET_SECONDS
        if self._last_start is not None and not quiet:
            whole = max(0, self._last_start - self._taken)
        return whole if self._running or quiet or whole >= self._prefill else 0
