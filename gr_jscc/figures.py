"""Figures as benchmarks print them, one object a line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured number; its name is explained in docs/reference/figures.md.

    Attributes:
        name: of the figure.
        value: measured; NaN where nothing could be.
        unit: of the value, ``1`` for ratios.
        at: conditions.
        most, least: the bar, where there is one.

    Example:
        >>> Figure("psnr_db", 31.2, "dB", {"snr_db": 10}, least=30.0).value
        31.2
    """

    name: str
    value: float
    unit: str
    at: dict = field(default_factory=dict)
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without a bar. What could not be measured meets none."""
        if self.most is None and self.least is None:
            return None
        if math.isnan(self.value):
            return False
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def bar(self) -> float | list[float] | None:
        """The bar as printed: one number, or [least, most]."""
        if self.most is not None and self.least is not None:
            return [self.least, self.most]
        return self.least if self.most is None else self.most

    def line(self) -> dict:
        """The object to print."""
        value = None if math.isnan(self.value) else round(self.value, 4)
        out = {"figure": self.name, "at": self.at, "value": value, "unit": self.unit}
        return out if self.holds is None else {**out, "bar": self.bar, "holds": self.holds}
