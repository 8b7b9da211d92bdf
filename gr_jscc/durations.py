"""Durations as people write them: ``20ms`` or ``0.5s``."""

from __future__ import annotations

import re

from gr_jscc.ratios import NUMBER

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "\N{MICRO SIGN}s": 1e-6, "\N{GREEK SMALL LETTER MU}s": 1e-6}
DURATION = re.compile(rf"\s*({NUMBER})\s*({'|'.join(UNITS)})\s*")


def parse_duration(text: str) -> float:
    """Seconds that a text stands for. A number alone could mean either unit.

    Raises:
        ValueError: it is no duration.

    Example:
        >>> parse_duration("20ms"), parse_duration("1.5 s"), parse_duration("20 µs") == parse_duration("20us")
        (0.02, 1.5, True)
    """
    if not (found := DURATION.fullmatch(text)):
        raise ValueError(f"not a duration such as 20ms or 0.5s: {text!r}")
    return float(found[1]) * UNITS[found[2]]
