"""``gr-jscc bench modem``: what the modem loses, misses and costs, beside GNU Radio's own OFDM."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.benchmarks import modem_figures as figures
from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import DEFAULT_NUMEROLOGY
from gr_jscc.modem.numerology_file import load_numerology


def modem(
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of the trials, for a quick look.")] = False,
    images: Annotated[
        list[Path] | None, typer.Option(help="Images for the PSNR figures; default: the demo photo.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only figures whose name contains this text.")] = None,
    numerology: options.Numerology = "64",
    burst_symbols: options.BurstSymbols = options.BURST_SYMBOLS,
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Measure the OFDM modem on simulated channels: losses in dB, reliability, speed.

    Bursts of random phase, timing and carrier offset. The bars are those of the default numerology and burst length.
    """
    share = 0.05 if quick else 1.0
    settings = LinkSettings(burst_symbols, numerology=load_numerology(numerology))
    photos = images or [Path(demo_image())]
    groups: list[tuple[tuple[str, ...], Callable[[], Iterator[Figure]]]] = [
        (("implementation_loss_db", "noise_var_ratio", "snr_bias_db"), lambda: figures.losses(share, seed, settings)),
        (
            ("motion_cost_db", "implementation_loss_db", "noise_var_ratio", "sdr_db"),
            lambda: figures.moving(share, seed, settings),
        ),
        (
            ("noise_var_ratio", "implementation_loss_db", "erased_symbols", "mmse_ratio"),
            lambda: figures.spoilt(share, seed, settings),
        ),
        (("gain_residue", "phase_residue", "noise_var_spread"), lambda: figures.residues(share, seed, settings)),
        (
            ("missed_bursts", "false_bursts", "header_error_rate", "wrong_headers"),
            lambda: figures.reliability(share, seed, settings),
        ),
        (
            ("demodulator_msps", "modulator_msps", "sample_ns", "memory_growth_mb"),
            lambda: figures.speed(share, seed, settings),
        ),
        (("demodulator_cpu_ns", "busy_neighbour_ratio"), lambda: figures.neighbours(seed)),
        (("flowgraph_speedup", "flowgraph_msps"), lambda: figures.flowgraphs(share, settings)),
        (("psnr_below_ideal_db",), lambda: figures.pictures(photos, settings)),
        (("papr_db", "papr_cost_db"), lambda: figures.peaks(photos, seed, settings)),
    ]
    chosen = [run for names, run in groups if not only or any(part in name for part in only for name in names)]
    if not chosen:
        known = dict.fromkeys(name for names, _ in groups for name in names)
        raise UserError(f"no figure's name contains {' or '.join(only or [])}; there are {', '.join(known)}")
    told = {}
    if settings.numerology != DEFAULT_NUMEROLOGY:
        told["numerology"] = settings.numerology.description
    if burst_symbols != options.BURST_SYMBOLS:
        told["burst_symbols"] = burst_symbols
    found = (dataclasses.replace(figure, at={**figure.at, **told}) for run in chosen for figure in run())
    print_figures(found, "modem", json_lines)
