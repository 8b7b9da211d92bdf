"""Lines on standard error: for people, or as JSON for programs that collect logs."""

from __future__ import annotations

import datetime
import json
import sys

from gr_jscc.plain_text import shown

FORMATS = ("text", "json")
_format = "text"  # of the program that runs


def log_as(name: str) -> None:
    """Sets the form of what follows, one of `FORMATS`."""
    global _format
    _format = name


def logs_json() -> bool:
    """Whether lines are objects, and what is for a person's eyes is left out."""
    return _format == "json"


def tell(line: object, level: str = "warning", **fields: object) -> None:
    """Writes a line.

    Args:
        line: for a person.
        level: ``info``, ``warning`` or ``error``.
        fields: more for programs; people are not shown them.
    """
    if not logs_json():
        print(f"gr-jscc: {shown(line)}", file=sys.stderr)
        return
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": level, "message": shown(line), **fields}), file=sys.stderr, flush=True)
