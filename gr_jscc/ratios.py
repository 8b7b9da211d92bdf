"""Ratios as people write them: ``1/12`` or ``0.0833``."""

from __future__ import annotations

import re

NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
RATIO = re.compile(rf"\s*({NUMBER})\s*(?:/\s*({NUMBER})\s*)?")


def parse_ratio(text: str) -> float:
    """The number that a text stands for. Python's own reading would also take ``1_2`` for 12.

    Raises:
        ValueError: it is no ratio, or one by nothing.
    """
    found = RATIO.fullmatch(text)
    if not found or (found[2] and not float(found[2])):
        raise ValueError(f"not a ratio such as 1/12: {text!r}")
    return float(found[1]) / float(found[2] or 1)
