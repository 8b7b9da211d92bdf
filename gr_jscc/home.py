"""A home for what GNU Radio, numba, matplotlib and PyTorch keep between runs, where the user's cannot be written."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def ensure_home() -> str:
    """Points ``HOME`` to a temporary folder of this user where the one that it names is missing or cannot be written.

    GNU Radio, numba and matplotlib do not start or complain without. What `gr-jscc lpips` has put into the old one is
    still found. Programs that this one starts inherit it.

    Returns:
        What a person should know, a line; "" where nothing was wrong.
    """
    old = os.environ.get("HOME") or os.path.expanduser("~")
    if os.path.isdir(old) and os.access(old, os.W_OK | os.X_OK):
        return ""
    folder = _own_folder(Path(tempfile.gettempdir()) / f"gr-jscc-home-{os.getuid()}")
    os.environ["HOME"] = str(folder)
    data = Path(old, ".local", "share")
    if os.access(data / "gr-jscc", os.R_OK | os.X_OK):
        os.environ.setdefault("XDG_DATA_HOME", str(data))
    return f"cannot write to the home folder {old}: settings and caches go to {folder} and may be lost"


def _own_folder(wanted: Path) -> Path:
    """``wanted``, so that the next run finds the same caches; another where somebody else made that."""
    try:
        wanted.mkdir(mode=0o700, exist_ok=True)
        found = wanted.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="gr-jscc-home-"))
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return wanted if ours else Path(tempfile.mkdtemp(prefix="gr-jscc-home-"))
