"""``gr-jscc bench sweep``: what a sweep costs beside a bare loop over the codecs."""

from __future__ import annotations

from typing import Annotated

import typer

from gr_jscc.benchmarks.sweep import sweep_figures
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def sweep(
    workers: Annotated[int, typer.Option(min=2, help="Processes whose speed is compared with one's.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of everything, in turn; medians are shown.")] = 1,
    json_lines: options.Json = False,
) -> None:
    """Measure a sweep of 60 cells: its CPU time over that of a bare loop, and what more workers gain."""
    print_figures(sweep_figures(workers, repeats), "sweeps", json_lines)
