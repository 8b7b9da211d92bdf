"""When things that come and go happen."""

from __future__ import annotations

import numpy as np


class Episodes:
    """Episodes of a fixed length at random times: gaps between them are geometric, so they come without memory.

    Args:
        rng: draws the gaps, and nothing else.

    Example:
        >>> import numpy as np
        >>> episodes = Episodes(np.random.default_rng(1))
        >>> episodes.set(share=0.5, length=100)
        >>> found = episodes.within(100_000)
        >>> 0.4 < sum(end - begin for begin, end, _ in found) / 100_000 < 0.6
        True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._share, self._length = 0.0, 1
        self._until = 0  # samples until the current episode ends or, if negative, ...
        self._wait: int | None = None  # samples until the next begins; None: never

    def set(self, share: float, length: int) -> None:
        """Sets the share of time they take on average, 0 to 1, and their length in samples."""
        if (share, length) == (self._share, self._length):
            return
        self._share, self._length = share, length
        self._wait = self._gap()

    def _gap(self) -> int | None:
        if self._share <= 0:
            return None
        mean = self._length * (1 - self._share) / self._share
        return int(self._rng.geometric(1 / (1 + mean))) - 1

    def within(self, count: int) -> list[tuple[int, int, bool]]:
        """Episodes in the next ``count`` samples: (begin, end, whether it begins here and not earlier)."""
        found, done = [], 0
        while done < count:
            if self._until:
                end = min(count, done + self._until)
                fresh = self._until == self._length
                found.append((done, end, fresh))
                self._until -= end - done
                done = end
                if not self._until:
                    self._wait = self._gap()
            elif self._wait is None:
                break
            else:
                step = min(count - done, self._wait)
                done += step
                self._wait -= step
                if not self._wait and done < count:
                    self._until = self._length
        return found
