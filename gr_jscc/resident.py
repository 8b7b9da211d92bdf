"""How much memory a process holds."""

from __future__ import annotations

import gc
import os


def resident_mb(process: int | None = None) -> float:
    """Memory of a process that is in use, MB; of this one, what it can let go is let go before.

    Raises:
        OSError: there is no such process any more.
    """
    if process is None:
        gc.collect()
    with open(f"/proc/{process or 'self'}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
