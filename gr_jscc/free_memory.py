"""Memory that a process has freed: given back to the system, or kept for what comes next."""

from __future__ import annotations

import contextlib
import ctypes
import time
from functools import cache

EVERY_SECONDS = 20.0
LARGEST_KEPT, MOST_KEPT = 32 << 20, 256 << 20  # bytes, of a block and in all, see `keep_freed_blocks`
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, NEVER = -1, -3, -1  # of glibc's malloc.h and mallopt


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

    def give_back(self) -> None:
        """Call it where large things have just been freed, as often as you like."""
        if time.monotonic() - self._since >= EVERY_SECONDS:
            give_back_freed()
            self._since = time.monotonic()


def give_back_freed() -> None:
    """Gives back all that is free at once."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)


@cache
def keep_freed_blocks() -> None:
    """Has the C library use a large block's memory again for the next, in place of fresh pages.

    For networks, of whose time fresh pages take up to a third. The library keeps blocks up to its upper limit only once
    some were freed, and hands back what is twice as much.
    """
    _set(M_MMAP_THRESHOLD, LARGEST_KEPT)
    _set(M_TRIM_THRESHOLD, MOST_KEPT)


def keep_all_freed() -> None:
    """As `keep_freed_blocks`, however much it is in all: for training, whose every step needs as much again."""
    keep_freed_blocks()
    _set(M_TRIM_THRESHOLD, NEVER)


def _set(parameter: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # another library has no such settings
        ctypes.CDLL(None).mallopt(parameter, value)
