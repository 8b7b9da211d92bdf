"""How much memory a process holds, and how it lets go of what it does not use."""

from __future__ import annotations

import ctypes
import gc
import os
import time


def resident_mb(process: int | None = None) -> float:
    """Memory of a process that is in use, MB; of this one, what it can let go is let go before.

    Raises:
        OSError: there is no such process any more.
    """
    if process is None:
        gc.collect()
    with open(f"/proc/{process or 'self'}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class MemoryTrim:
    """Hands memory that the allocator keeps without using it back to the system, now and then.

    Pictures of a few megabytes come and go for hours amid small things that stay, and leave holes that glibc keeps:
    some 800 bytes a picture, without any leak. Nothing is done where the allocator is another.

    Args:
        every: seconds.

    Example:
        >>> trim = MemoryTrim(every=30.0)
        >>> trim.beat()
    """

    def __init__(self, every: float = 30.0) -> None:
        self._every, self._then = every, time.monotonic()
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def beat(self) -> None:
        """To be called whenever a program comes round."""
        if self._trim is not None and time.monotonic() - self._then >= self._every:
            self._trim(0)
            self._then = time.monotonic()
