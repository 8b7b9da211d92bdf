"""Memory that a process has freed, given back to the system."""

from __future__ import annotations

import ctypes
import time

EVERY_SECONDS = 20.0


class FreeMemory:
    """Gives back what is free, now and then.

    The C library keeps what networks free, for their next run. Between it lie small things that stay, so that what
    the next run needs in one piece does not fit, and a process that makes picture after picture grows by hundreds of
    megabytes. Giving back all that is free costs the next run some page faults: too many for every picture, nothing
    for one in `EVERY_SECONDS`.

    Example:
        >>> memory = FreeMemory()
        >>> memory.give_back()  # so soon after the beginning, nothing yet
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's

    def give_back(self) -> None:
        """Call it where large things have just been freed, as often as you like."""
        if self._trim is not None and time.monotonic() - self._since >= EVERY_SECONDS:
            self._trim(0)
            self._since = time.monotonic()
