"""What a peer's reports say, as far as it makes sense: the one place that judges it.

Nothing of it is a path, markup or a format. A text becomes a file's name by `gr_jscc.files.names.safe_stem` alone, and
meets a terminal by `gr_jscc.plain_text.shown`.
"""

from __future__ import annotations

import itertools
import math
import re

LONGEST = 255  # characters of a text
MOST_FIELDS = 64  # of a report that are kept
_KEY = re.compile(r"[0-9a-f]{16}", re.ASCII)


def text(content: dict, field: str) -> str:
    """A text, cut to `LONGEST` characters; "" where there is none."""
    value = content.get(field)
    return value[:LONGEST] if isinstance(value, str) else ""


def key(content: dict) -> str:
    """What identifies a picture in its run, 16 hexadecimal digits; "" where that is not what it says."""
    value = content.get("key")
    return value if isinstance(value, str) and _KEY.fullmatch(value) else ""


def number(content: dict, field: str) -> float | None:
    """A finite number; None where there is none."""
    value = content.get(field)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def whole(content: dict, field: str, default: int) -> int:
    """A whole number from 0 to 2^53, which a float holds exactly; ``default`` where there is none."""
    value = content.get(field)
    return value if type(value) is int and 0 <= value < 1 << 53 else default


def brief(content: dict) -> dict:
    """Of a report its own texts and numbers alone, the texts cut: what may be kept of a peer's words."""
    short = {field: value for field, value in content.items() if len(field) <= LONGEST}
    plain = {field: value for field, value in short.items() if isinstance(value, (str, int, float, type(None)))}
    cut = {field: value[:LONGEST] if isinstance(value, str) else value for field, value in plain.items()}
    return dict(itertools.islice(cut.items(), MOST_FIELDS))
