"""Where the points of a strip chart lie, in which each value has a strip of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MARGIN = 0.08  # of a strip, above and below its values


def value_range(values: Sequence[float], least: float) -> tuple[float, float]:
    """From where to where a strip of values goes, which is at least so wide; NaN stands for no value.

    Example:
        >>> value_range([10.0, 10.0], least=4.0)
        (8.0, 12.0)
        >>> value_range([0.0, 100.0, float("nan")], least=4.0)
        (-8.0, 108.0)
    """
    known = [value for value in values if np.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if high - low < least:
        middle = (low + high) / 2
        return middle - least / 2, middle + least / 2
    return low - MARGIN * (high - low), high + MARGIN * (high - low)


def strip_points(
    times: Sequence[float], values: Sequence[float], span: tuple[float, float], limits: tuple[float, float]
) -> np.ndarray:
    """Values over time as float64[n, 2]: 0 to 1 from left to right, and 0 to 1 from the top down.

    Args:
        times: seconds.
        values: as many; those that are NaN are left out.
        span: times at the left and at the right.
        limits: values at the bottom and at the top.

    Example:
        >>> strip_points([0.0, 5.0, 10.0], [1.0, float("nan"), 3.0], span=(0.0, 10.0), limits=(1.0, 3.0)).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    points = np.array([(at, value) for at, value in zip(times, values) if np.isfinite(value)], float).reshape(-1, 2)
    left, right = span
    low, high = limits
    return np.stack([(points[:, 0] - left) / (right - left), (high - points[:, 1]) / (high - low)], axis=1)
