"""How much memory a process holds."""

from __future__ import annotations

import gc
import os


def resident_mb() -> float:
    """Memory of this process that is in use, MB."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
