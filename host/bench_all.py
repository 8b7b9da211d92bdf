"""``gr-jscc bench all``: this build's figures in one table, beside an older build's."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gr_jscc.benchmarks.builds import BENCHES, compare, older_build
from gr_jscc.errors import UserError
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal


def all(
    against: Annotated[
        str, typer.Option(metavar="REV", help="An older commit of this checkout, run in turn with this build.")
    ] = "",
    only: Annotated[list[str] | None, typer.Option(help=f"Only these: {', '.join(BENCHES)}.")] = None,
    turns: Annotated[int, typer.Option(min=1, help="Runs of each build; medians are shown.")] = 3,
    json_lines: options.Json = False,
) -> None:
    """Run the short benchmarks one after the other; with --against also an older build's, and the ratios.

    Ratios are this build's value over the older one's. On a busy machine look at bench_cpu_seconds.
    """
    if unknown := set(only or ()) - BENCHES.keys():
        raise UserError(f"no bench {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}")
    older = older_build(against) if against else None
    table = Table(title="all benchmarks" + (f" against {shown(against)}" if against else ""))
    for name in ("bench", "figure", "at", "value", "older", "ratio"):
        table.add_column(name, justify="right" if name in ("value", "older", "ratio") else "left", overflow="fold")
    with terminal(stderr=True).status("measuring") as status:
        for bench in only or BENCHES:
            status.update(Text(f"measuring {bench}, {turns} of each build"))
            for one in compare(bench, older, turns):
                if json_lines:
                    print(json.dumps(one.line()), flush=True)
                    continue
                at = ", ".join(f"{key} {shown(value)}" for key, value in one.at.items())
                numbers = ("" if x is None else f"{x:.4g}" for x in (one.value, one.reference, one.ratio))
                value, reference, ratio = numbers
                unit = "" if one.unit == "1" else f" {one.unit}"
                table.add_row(one.bench, one.figure, at, value + unit, reference, ratio)
    if not json_lines:
        terminal().print(table)
