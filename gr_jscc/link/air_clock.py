"""How far the samples have come: what the receiving end of the link waits by.

Seconds say nothing of bursts that lie in buffers. At 5e4 samples a second one buffer is more than a second long, at
1e7 a hundredth of one, and a busy machine makes any of them longer.
"""

from __future__ import annotations

import collections
import itertools
import time
from collections.abc import Callable

ANCHORS = 8  # rounds heard of late that tell where the transmitter's samples lie among the receiver's
TICK_SECONDS = 0.25  # most that counts between two looks at the clock
REMEMBERED = 256  # rounds whose place is known
GAP_SAMPLES = (
    1 << 14
)  # without a burst, some three long: the very first train has ended; the silence after it is longer
JITTER_SAMPLES = 512  # by which two bursts may lie nearer or farther than they were sent

#: (transfer, round).
Round = tuple[int, int]


class AirClock:
    """Where the receiver stands in its stream of samples, and where in it the transmitter's bursts must lie.

    The transmitter counts the samples that it makes, and says at which of them the last burst of a train began. The
    receiver counts those that come. Bursts that were heard tell how far the two counts are apart. Where a radio fills
    pauses with silence bursts come later than that, never earlier.

    Args:
        clock: seconds.

    Attributes:
        settled: sample of the receiver's stream before which no further burst will be found.
        last_start: at which the last burst began; -1 before the first.

    Example:
        >>> clock = AirClock()
        >>> clock.sent((7, 0), start=1_000, first=True)  # the transmitter's counts, of two rounds
        >>> clock.sent((7, 1), start=9_000, first=True)
        >>> clock.heard((7, 0), start=51_000)  # the first of them came 50 000 samples later
        >>> clock.progress(arrived=60_000, settled=60_000, busy=False)
        >>> clock.has_come((7, 1))
        True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.settled = 0
        self.last_start = -1
        self._clock = clock
        self._arrived = 0
        self._busy = False
        self._counted = False
        self._still, self._ticked = 0.0, clock()
        self._starts: collections.OrderedDict[Round, int] = collections.OrderedDict()  # of their last bursts, as heard
        self._sent: collections.OrderedDict[Round, int] = collections.OrderedDict()  # the same, as sent
        self._first: dict[Round, int] = {}  # of `_sent`, those of first sendings
        self._near: list[tuple[Round, int]] | None = None  # what `_anchors` found; None when it is to look again

    def progress(self, arrived: int, settled: int, busy: bool) -> None:
        """Samples have come, or were searched for bursts.

        Args:
            arrived: samples that came so far.
            settled: see the class.
            busy: the search goes on: some that came are not settled yet, though they could be.
        """
        if (arrived, settled, busy) != (self._arrived, self.settled, self._busy):
            self._still = 0.0
        self._arrived, self.settled, self._busy, self._counted = arrived, max(settled, self.settled), busy, True

    def tick(self) -> None:
        """Looks at the clock, as is done several times a second."""
        now = self._clock()
        # A process that had no turn for longer could not have heard of samples, either.
        self._still += min(now - self._ticked, TICK_SECONDS)
        self._ticked = now

    def heard(self, key: Round, start: int) -> None:
        """A burst of a round came that began at a sample of the stream."""
        self._still = 0.0
        self.last_start = max(start, self.last_start)
        self.settled = max(start, self.settled)
        _remember(self._starts, key, start)
        self._near = None

    def sent(self, key: Round, start: int, first: bool) -> None:
        """The transmitter's count at the last burst of a train of a round; ``first`` unless it repeats."""
        for forgotten in _remember(self._sent, key, start):
            self._first.pop(forgotten, None)
        self._near = None
        if first:
            self._first[key] = start

    def forget(self) -> None:
        """The transmitter is another process, and counts anew."""
        self._starts.clear()
        self._sent.clear()
        self._first.clear()
        self._near = None

    def start_of(self, key: Round) -> int | None:
        """The sample at which the last burst of a round began that was heard; None when none was, or long ago."""
        return self._starts.get(key)

    def knows(self, key: Round) -> bool:
        """Whether the transmitter told where it sent a round."""
        return key in self._sent

    def has_come(self, key: Round) -> bool:
        """Whether all that was sent of a round must have come; False also where that cannot be told."""
        if key not in self._sent:
            return False
        # The last burst that was heard of the round itself says nothing: more of it may follow.
        others = [distance for name, distance in self._anchors() if name != key][:ANCHORS]
        if not others:
            return key in self._starts and self.settled - self._starts[key] >= GAP_SAMPLES
        ahead = max(others)
        return self.settled >= self._sent[key] + ahead + (JITTER_SAMPLES if self._counted else 0)

    def _anchors(self) -> list[tuple[Round, int]]:
        """The rounds sent last of those that were heard, and how far the counts are apart there.

        Kept until more is heard or told: of many rounds in flight, each burst asks for each.
        """
        if self._near is None:
            both = (name for name in reversed(self._sent) if name in self._starts)
            nearest = itertools.islice(both, ANCHORS + 1)  # one of them may be the round that is asked of
            self._near = [(name, self._starts[name] - self._sent[name]) for name in nearest]
        return self._near

    def is_after(self, later: Round, key: Round) -> bool:
        """Whether a round was first sent after the last train of another."""
        return later in self._first and key in self._sent and self._first[later] > self._sent[key]

    @property
    def still_seconds(self) -> float:
        """For how long no sample has come, and none is being searched, as far as this process was awake."""
        return 0.0 if self._busy else self._still

    @property
    def counted(self) -> bool:
        """Whether samples are told of, and not only bursts."""
        return self._counted


def _remember(places: collections.OrderedDict[Round, int], key: Round, start: int) -> list[Round]:
    """Notes a place as the newest; returns what was forgotten for it."""
    places[key] = start
    places.move_to_end(key)
    forgotten = []
    while len(places) > REMEMBERED:
        forgotten.append(places.popitem(last=False)[0])
    return forgotten
