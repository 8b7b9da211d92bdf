"""What is sent next: trains of bursts that wait for the modulator, repeats first."""

from __future__ import annotations

import collections

from gr_jscc.link.bursts import Burst


class Trains:
    """Trains in the order of sending; all bursts of one are of the same round.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.link.bursts import LinkSettings, analog_bursts
        >>> bursts = analog_bursts(np.ones(5000, np.complex64), transfer=7, round_=0, settings=LinkSettings())
        >>> trains = Trains()
        >>> trains.add(bursts)
        >>> trains.repeat(bursts[:1])
        >>> len(trains.next()), len(trains.next())  # repeats come first
        (1, 3)
    """

    def __init__(self) -> None:
        self._new: collections.deque[list[Burst]] = collections.deque()
        self._repeats: collections.deque[list[Burst]] = collections.deque()

    def __bool__(self) -> bool:
        return bool(self._new or self._repeats)

    @property
    def new(self) -> int:
        """How many are no repeats."""
        return len(self._new)

    def add(self, bursts: list[Burst]) -> None:
        """A round as first sent."""
        self._new.append(bursts)

    def repeat(self, bursts: list[Burst]) -> None:
        """Some of a round's bursts again."""
        self._repeats.append(bursts)

    def next(self) -> list[Burst] | None:
        """Takes the next one; None when none waits."""
        for queue in (self._repeats, self._new):
            if queue:
                return list(queue.popleft())  # the round keeps its own
        return None

    def withdraw(self, transfer: int, round_: int) -> bool:
        """Takes back the repeat of a round that has arrived meanwhile; false when it is on its way already."""
        for train in self._repeats:
            if (train[0].header.transfer, train[0].header.round) == (transfer, round_):
                self._repeats.remove(train)
                return True
        return False

    def forget(self, transfer: int) -> None:
        """Drops all of a transfer."""
        for queue in (self._new, self._repeats):
            for train in [train for train in queue if train[0].header.transfer == transfer]:
                queue.remove(train)

    def clear(self) -> None:
        """Drops all."""
        self._new.clear()
        self._repeats.clear()
