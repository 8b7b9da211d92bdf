"""``gr-jscc sweep``: measures an experiment's cells on all cores or on a cluster, and stores them."""

from __future__ import annotations

import json
import os
import shlex
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.files.places import writable_folder
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal
from gr_jscc.host.options import panels
from gr_jscc.metrics.picture import why_no_lpips

if TYPE_CHECKING:
    from distributed.security import Security
    from rich.console import Console

    from gr_jscc.sweeps.runner import Work
    from gr_jscc.sweeps.store import Store


def sweep(
    experiment: Annotated[
        str, typer.Argument(help="A shipped experiment (--list) or a TOML file.", show_default=False)
    ] = "",
    store: Annotated[
        Path, typer.Option(rich_help_panel=panels.OUTPUT, help="Folder for the results; sweeps may share one.")
    ] = Path("sweep"),
    data: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=panels.INPUT,
            help="Folder with the image sets, such as kodak/; default: the current folder.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(rich_help_panel=panels.CLUSTER, min=0, help="Processes on this machine; 0: one per core.")
    ] = 0,
    scheduler: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.CLUSTER,
            help="Address of a Dask scheduler, tls://HOST:PORT with a key, instead of this machine.",
            show_default=False,
        ),
    ] = "",
    cluster_key: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=panels.SECURITY,
            help="Key of the scheduler's cluster, from gr-jscc keys cluster.",
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            rich_help_panel=panels.SECURITY,
            help="Use a scheduler that others can reach, tcp://HOST:PORT, without a key.",
        ),
    ] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the shipped experiments.")] = False,
    device: options.Device = "cpu",
    json_lines: options.Json = False,
) -> None:
    """Measure codecs × pictures × SNR × CBR × channels × seeds, and keep every figure.

    If a sweep is interrupted, its results are in the store, and the same command continues from there. gr-jscc report
    makes tables, plots and a page from it. docs/guide/sweeps.md explains how to write experiments.
    """
    from gr_jscc.sweeps.cluster_key import cluster_security
    from gr_jscc.sweeps.experiment import load_experiment, shipped_experiments

    if list_them:
        for name in shipped_experiments():
            print(f"{name:20} {load_experiment(name).title}")
        return
    if not experiment:
        raise UserError("which experiment? A name (gr-jscc sweep --list) or a TOML file")
    wanted = load_experiment(experiment)
    security = cluster_security(scheduler, cluster_key, insecure) if scheduler else None
    writable_folder(store)  # told before pictures are read and models loaded
    if not scheduler:  # whose workers may have a GPU where this machine has none
        options.check_device(device)

    from gr_jscc.sweeps.cells import make_plan
    from gr_jscc.sweeps.runner import plan_content, work_left
    from gr_jscc.sweeps.store import Store, strays_line

    console = terminal(stderr=True)
    plan = make_plan(wanted, data)
    for remark in filter(None, [*plan.remarks, why_no_lpips()]):
        console.print(shown(remark), soft_wrap=True)
    kept = Store.create(store)
    try:
        if strays := kept.strays():
            console.print(shown(strays_line(strays)), soft_wrap=True)
        chosen = [*(["--data", str(data)] if data else []), *(["--device", device] if device != "cpu" else [])]
        command = shlex.join(["gr-jscc", "sweep", experiment, "--store", str(store), *chosen])
        content, before = plan_content(plan, command), kept.experiments().get(wanted.name)
        if before and before["experiment"] != content["experiment"]:
            line = f"{store} had another experiment {wanted.name}, which this one replaces; its results stay"
            console.print(shown(line), soft_wrap=True)
        kept.save_experiment(wanted.name, content)
        work = work_left(plan, kept)
        if work.done:
            told = f"{work.done} of {work.done + work.cells} cells are in {store} already"
            console.print(shown(told), soft_wrap=True)
        failed = _run(work, kept, workers, (scheduler, security), device, console, json_lines) if work.tasks else 0
    finally:
        kept.close()
    if not json_lines:
        print(f"{work.done + work.cells - failed} cells of {wanted.name} in {store}; next: gr-jscc report {store}")
    if failed:
        raise UserError(f"{failed} of {work.cells} cells failed; the same command tries them again")


def _run(
    work: Work, store: Store, workers: int, scheduler: tuple[str, Security | None], device: str, console: Console,
    json_lines: bool,
) -> int:  # fmt: skip
    """Measures what is left; returns how many cells failed."""
    from gr_jscc.sweeps.cluster import local_client, remote_client
    from gr_jscc.sweeps.modes import send
    from gr_jscc.sweeps.runner import run_work

    most = workers or os.cpu_count() or 1
    cluster = remote_client(*scheduler) if scheduler[0] else local_client(min(most, len(work.tasks)))
    done = failed = 0
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left:"), TimeRemainingColumn(elapsed_when_finished=False),
    )  # fmt: skip
    try:
        with options.stopped_by_signals(), cluster as client, Progress(*columns, console=console) as progress:
            bar = progress.add_task("measuring", total=work.cells)
            begun = time.monotonic()
            for planned, measured in run_work(client, work.tasks, partial(send, device), store):
                done += 1
                error = measured.row["error"]
                failed += bool(error)
                if error:
                    cell = planned.cell
                    place = f"{planned.scheme}, {cell.image}, {cell.snr_db:g} dB, CBR {cell.cbr:.4g}, {cell.mode}"
                    progress.console.print(shown(f"failed: {place}: {error}"), soft_wrap=True)
                progress.advance(bar)
                if json_lines:
                    print(json.dumps({"scheme": planned.scheme, **measured.row}), flush=True)
            seconds = time.monotonic() - begun
            threads = sum(client.nthreads().values())
    except KeyboardInterrupt:
        console.print(f"{done} of {work.cells} cells were measured; the same command continues", soft_wrap=True)
        raise
    if json_lines:
        at = {"workers": threads}
        for figure in (
            Figure("cells_measured", done - failed, "cells", at),
            Figure("cells_failed", failed, "cells", at, most=0),
            Figure("sweep_seconds", seconds, "s", {**at, "cells": done}),
        ):
            print(json.dumps(figure.line()))
    return failed
