"""One line about the images of a folder that are not used, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gr_jscc.plain_text import shown

NAMED = 12  # the others are only counted


def left_out_line(left_out: Sequence[tuple[Path, str]], total: int, what: str = "images") -> str:
    """Such as ``skipped 1 of 3 images: a.png (damaged)``; no more than `NAMED` are named.

    Args:
        left_out: files and why, in a few words; at least one.
        total: files that were looked at.
        what: they are.
    """
    named = [f"{shown(path.name)} ({shown(reason)})" for path, reason in left_out[:NAMED]]
    more = len(left_out) - len(named)
    return f"skipped {len(left_out)} of {total} {what}: {', '.join(named)}" + (f" and {more} more" if more else "")


def why(path: Path, error: Exception) -> str:
    """What an error says about a file, without its name."""
    return str(error).removeprefix(f"{path}: ")
