"""``gr-jscc bench modem``: what the modem loses, misses and costs, beside GNU Radio's own OFDM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.benchmarks import modem_figures as figures
from gr_jscc.data import demo_image
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def modem(
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of the trials, for a quick look.")] = False,
    images: Annotated[
        list[Path] | None, typer.Option(help="Images for the PSNR figures; default: the demo photo.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only figures whose name contains this text.")] = None,
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Measure the OFDM modem on simulated channels: losses in dB, reliability, speed.

    The default numerology with bursts of 2400 symbols of random phase, timing and carrier offset.
    """
    share = 0.05 if quick else 1.0
    photos = images or [Path(demo_image())]
    groups: list[tuple[tuple[str, ...], Callable[[], Iterator[Figure]]]] = [
        (("implementation_loss_db", "noise_var_ratio", "snr_bias_db"), lambda: figures.losses(share, seed)),
        (
            ("noise_var_ratio", "implementation_loss_db", "erased_symbols", "mmse_ratio"),
            lambda: figures.spoilt(share, seed),
        ),
        (
            ("missed_bursts", "false_bursts", "header_error_rate", "wrong_headers"),
            lambda: figures.reliability(share, seed),
        ),
        (("demodulator_msps", "modulator_msps", "sample_ns", "memory_growth_mb"), lambda: figures.speed(share, seed)),
        (("flowgraph_speedup", "flowgraph_msps"), lambda: figures.flowgraphs(share)),
        (("psnr_below_ideal_db",), lambda: figures.pictures(photos)),
        (("papr_db", "papr_cost_db"), lambda: figures.peaks(photos, seed)),
    ]
    chosen = [run for names, run in groups if not only or any(part in name for part in only for name in names)]
    print_figures((figure for run in chosen for figure in run()), "modem", json_lines)
