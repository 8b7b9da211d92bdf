"""The virtual radio: a SoapySDR driver without hardware, ``driver=jscc``, with every fault a radio has.

Its C++ sources lie beside this file; `gr_jscc.radio.virtual.building` builds them. docs/guide/virtual-radio.md
describes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from pathlib import Path

from gr_jscc.files.installation import checkout, data_folder

FOLDER = Path(__file__).resolve().parent
MODULE_NAME = "libjsccVirtualRadio.so"
SHARED_MEMORY = Path("/dev/shm")
AIR_PREFIX = "gr-jscc-air-"

__all__ = ["build_folder", "cleanup", "module_folder", "source_files"]


def source_files() -> list[Path]:
    """What the driver is built from."""
    return [FOLDER / "CMakeLists.txt", *sorted(FOLDER.glob("*.[ch]pp"))]


def build_folder() -> Path:
    """Where the driver is built: in a checkout, or with the user's data and apart for each version of the sources."""
    if root := checkout():
        return root / "build" / "virtual-radio"
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in source_files())).hexdigest()
    return data_folder() / "virtual-radio" / digest[:8]


def module_folder() -> Path | None:
    """The folder to put on SOAPY_SDR_PLUGIN_PATH before SoapySDR is imported; None where the driver was not built."""
    folder = build_folder()
    return folder if (folder / MODULE_NAME).is_file() else None


def cleanup() -> list[str]:
    """Removes airs that processes left behind when they were killed; returns their names.

    Airs clean up after themselves when their last device is closed or a new one joins. Those in use stay, and
    those of other users.
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
    except (FileNotFoundError, PermissionError):  # gone meanwhile, or another user's
        return True
    return struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK
