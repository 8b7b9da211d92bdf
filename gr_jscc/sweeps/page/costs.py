"""What schemes cost: parameters, and time for a picture."""

from __future__ import annotations

import re

import numpy as np

from gr_jscc.sweeps.page.points import Conditions, Point
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.views import by_scheme
from gr_jscc.sweeps.page.words import NOTHING
from gr_jscc.sweeps.references import load_references


def times_table(conditions: Conditions, place: str, points: list[Point], parameters: dict[str, int | None]) -> Table:
    rows = []
    for scheme, group in by_scheme(points).items():
        seconds = [seconds for point in group for seconds in point.seconds]
        encode, decode = np.median(seconds, axis=0) if seconds else (np.nan, np.nan)
        rows.append([scheme, _millions(parameters.get(scheme)), *_seconds(encode, decode, encode + decode), "here"])
    for reference in load_references().times:
        if conditions.images in reference.seconds:
            total = reference.seconds[conditions.images]
            row = [f"{reference.scheme}, published", _millions(reference.parameters), NOTHING, NOTHING]
            rows.append([*row, *_seconds(total), reference.device])
    title = f"Parameters and time per picture, {place}"
    columns = ["scheme", "parameters", "encode, s", "decode, s", "both, s", "on"]
    name = re.sub(r"[^a-z0-9]+", "-", title.lower())
    return Table(name, title, columns, rows, ["Medians over all cells; one thread of this machine's CPU."])


def _millions(count: int | None) -> str:
    return NOTHING if count is None else f"{count / 1e6:.2f} M"


def _seconds(*values: float) -> list[str]:
    return [NOTHING if np.isnan(value) else f"{value:.3f}" for value in values]
