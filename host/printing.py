"""Figures for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from gr_jscc.figures import Figure
from gr_jscc.host.console import shown, terminal


def print_figures(figures: Iterable[Figure], title: str, json_lines: bool) -> None:
    """Prints figures as they are measured: JSON lines, or a table at the end with progress meanwhile."""
    if json_lines:
        for figure in figures:
            print(json.dumps(figure.line()), flush=True)
        return
    table = Table(title=title)
    for name in ("figure", "at", "value", "bar", ""):
        table.add_column(name, justify="right" if name in ("value", "bar") else "left", overflow="fold")
    with terminal(stderr=True).status("measuring") as status:
        for figure in figures:
            at = ", ".join(f"{key} {shown(value)}" for key, value in figure.at.items())
            status.update(Text(f"measured {figure.name} ({at})"))
            mark = {None: "", True: Text("holds", "green"), False: Text("missed", "red")}[figure.holds]
            unit = "" if figure.unit == "1" else f" {figure.unit}"
            bar = "" if figure.bar is None else str(figure.bar)
            table.add_row(figure.name, at, f"{figure.value:.4g}{unit}", bar, mark)
    terminal().print(table)
