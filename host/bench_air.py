"""``gr-jscc bench air``: a continuous stream through the virtual air."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures

GROWTH_BAR_MB = 20.0


def air(
    seconds: Annotated[float, typer.Option(min=1, help="How long to stream, after warming up.")] = 60.0,
    json_lines: options.Json = False,
) -> None:
    """Stream bursts at 20 dB from one process to another, as fast as this machine can, and count the losses."""
    print_figures(_figures(seconds), "virtual air", json_lines)


def _figures(seconds: float) -> Iterator[Figure]:
    from gr_jscc.benchmarks import air as air_trial

    with tempfile.TemporaryDirectory() as folder:
        stretches = list(air_trial.stream(f"zmq:ipc://{folder}/air", seconds, max(1.0, seconds / 20)))
    last = stretches[-1]
    at = {"snr_db": air_trial.SNR_DB, "seconds": round(last.seconds), "bursts": last.bursts}
    yield Figure("missed_bursts", last.lost, "bursts", at, most=0)
    yield Figure("air_msps", float(np.median([s.msps for s in stretches])), "Msps", at)
    yield Figure("memory_growth_mb", last.growth_mb, "MB", {**at, "chain": "virtual air"}, most=GROWTH_BAR_MB)
