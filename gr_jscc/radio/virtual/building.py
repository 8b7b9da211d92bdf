"""Builds the virtual radio from the sources beside this file, with CMake."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_folder
from gr_jscc.radio.virtual import FOLDER, MODULE_NAME, build_folder, source_files

HEADER = Path("/usr/include/SoapySDR/Device.hpp")
TOOLS = ("cmake", "g++")
DEVELOPMENT = "libsoapysdr-dev"
STAMP = "stamp"  # in the folder: what was built


class BuildError(UserError):
    """The virtual radio cannot be built; the message is one line for a person.

    Example:
        >>> str(BuildError("the virtual radio needs cmake"))
        'the virtual radio needs cmake'
    """


def missing_tools() -> list[str]:
    """Debian packages that building needs and that are not there."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    return missing + ([] if HEADER.exists() else [DEVELOPMENT])


def build(say: Callable[[str], object]) -> Path:
    """Builds the driver unless it is there, from these sources and for this SoapySDR.

    Args:
        say: is told that a build begins.

    Returns:
        the folder with the driver.

    Raises:
        BuildError: a tool is missing, or the compiler fails; the whole log is in ``build.log``.
        UserError: the folder cannot be written.
    """
    folder, stamp = build_folder(), _stamp()
    with contextlib.suppress(OSError):
        if (folder / STAMP).read_text(encoding="ascii") == stamp and (folder / MODULE_NAME).is_file():
            return folder
    for tool in TOOLS:
        if not shutil.which(tool):
            raise BuildError(f"the virtual radio needs {tool}: sudo apt-get install cmake g++ {DEVELOPMENT}")
    say(f"building the virtual radio in {folder}")
    log = writable_folder(folder) / "build.log"
    configure = ["cmake", "-S", str(FOLDER), "-B", str(folder)]
    with log.open("w", encoding="utf-8") as file:
        done = _runs(configure, file)
        if not done:  # a cache of another folder or of a removed compiler: without it CMake starts afresh
            (folder / "CMakeCache.txt").unlink(missing_ok=True)
            shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)
            done = _runs(configure, file)
        done = done and _runs(["cmake", "--build", str(folder), "--parallel", "2"], file)
    if not done:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        fault = next((line.strip() for line in lines if "error" in line.lower()), lines[-1] if lines else "")
        raise BuildError(f"the virtual radio could not be built: {fault} (full log: {log})")
    (folder / STAMP).write_text(stamp, encoding="ascii")
    return folder


def _runs(command: list[str], log) -> bool:
    return subprocess.run(command, stdout=log, stderr=log).returncode == 0


def _stamp() -> str:
    """What the result depends on: the sources, where they are, and SoapySDR's version."""
    digest = hashlib.sha256(str(FOLDER).encode())
    for file in source_files():
        digest.update(file.read_bytes())
    with contextlib.suppress(OSError):
        asked = ["dpkg-query", "-W", "-f=${Version}", DEVELOPMENT]
        digest.update(subprocess.run(asked, capture_output=True).stdout)
    return digest.hexdigest()
