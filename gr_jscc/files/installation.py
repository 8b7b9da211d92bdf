"""Where this copy of gr-jscc lies, a checkout or an installed package, and where it finds what came with it."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """The checkout that this copy belongs to; None where it was installed."""
    root = PACKAGE.parent
    return root if (root / "Makefile").is_file() and (root / "pyproject.toml").is_file() else None


def flowgraphs() -> Path:
    """The folder of the flowgraphs for GNU Radio Companion."""
    root = checkout()
    return root / "flowgraphs" if root else PACKAGE / "data" / "flowgraphs"


def data_folder() -> Path:
    """Where programs keep what they downloaded or built for this user; it need not be there yet."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "gr-jscc"
