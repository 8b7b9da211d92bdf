"""The virtual radio: a SoapySDR driver without hardware, ``driver=jscc``, with every fault a radio has.

Its C++ sources lie beside this file; ``make virtual-radio`` builds them. docs/guide/virtual-radio.md describes it.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BUILD_FOLDER = FOLDER.parents[2] / "build" / "virtual-radio"
MODULE_NAME = "libjsccVirtualRadio.so"
SHARED_MEMORY = Path("/dev/shm")
AIR_PREFIX = "gr-jscc-air-"

__all__ = ["cleanup", "module_folder"]


def module_folder() -> Path | None:
    """The folder to put on SOAPY_SDR_PLUGIN_PATH before SoapySDR is imported; None where the driver was not built."""
    return BUILD_FOLDER if (BUILD_FOLDER / MODULE_NAME).is_file() else None


def cleanup() -> list[str]:
    """Removes airs that processes left behind when they were killed; returns their names.

    Airs clean up after themselves when their last device is closed or a new one joins. Those in use stay.
    """
    removed = []
    for table in sorted(SHARED_MEMORY.glob(f"{AIR_PREFIX}*")):
        name = table.name.removeprefix(AIR_PREFIX)
        if "." in name or _in_use(table):  # a dot: a ring, which goes with its table
            continue
        for file in [*SHARED_MEMORY.glob(f"{table.name}.*"), table]:
            file.unlink(missing_ok=True)
        removed.append(name)
    return removed


def _in_use(table: Path) -> bool:
    """Whether a device holds a lock on its byte of the table, see air.hpp."""
    # struct flock of Linux with 64-bit offsets: l_type, l_whence, l_start, l_len (0: to the end of the file), l_pid
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with table.open("r+b") as file:
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
    except FileNotFoundError:
        return True
    return struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK
