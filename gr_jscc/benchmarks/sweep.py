"""What a sweep costs beside a bare loop over the codecs."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.imaging import load_image
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db

CODECS = ("deepjscc", "ntscc")
SNRS_DB, CBRS, SEEDS = (2.0, 6.0, 10.0, 14.0, 18.0), (1 / 12, 1 / 24, 1 / 48), (1, 2)
CELLS = len(CODECS) * len(SNRS_DB) * len(CBRS) * len(SEEDS)
EXPERIMENT = f"""title = "What a sweep costs"
snr_db = {list(SNRS_DB)}
cbr = {list(CBRS)}
seeds = {list(SEEDS)}
images = [{{name = "demo", kind = "demo"}}]
schemes = [{", ".join(f'{{label = "{codec}", codec = "{codec}"}}' for codec in CODECS)}]
"""
MOST_CPU, LEAST_SPEEDUP = 1.5, 1.7  # the bars


def sweep_figures(workers: int, repeats: int) -> Iterator[Figure]:
    """CPU time of a sweep over that of the bare loop, start-up, metrics and storage included; and what workers gain.

    Args:
        workers: beside one.
        repeats: of everything, in turn.
    """
    bare, alone, together = [], [], []
    for _ in range(repeats):
        bare.append(bare_loop())
        alone.append(one_sweep(1))
        together.append(one_sweep(workers))
    loop = statistics.median(bare)
    cpu = statistics.median(seconds for seconds, _ in alone)
    at = {"workers": 1, "cells": CELLS}
    yield Figure("bare_loop_cpu_seconds", loop, "s", {"cells": CELLS})
    yield Figure("sweep_cpu_seconds", cpu, "s", at)
    yield Figure("sweep_cpu_ratio", cpu / loop, "1", at, most=MOST_CPU)
    gained = statistics.median(one / several for (_, one), (_, several) in zip(alone, together, strict=True))
    least = LEAST_SPEEDUP if workers == 2 else None
    yield Figure("sweep_speedup", gained, "1", {"workers": workers, "cells": CELLS}, least=least)


def bare_loop() -> float:
    """CPU seconds of all cells' transmitters and receivers and their PSNR, on one thread, with nothing shared."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before, picture = time.process_time(), load_image(demo_image())
    for name in CODECS:
        codec = load_codec(name)
        for cbr in CBRS:
            for snr_db in SNRS_DB:
                for seed in SEEDS:
                    channel = cbr, snr_db, np.ones(1, np.complex64), np.random.default_rng(seed)
                    psnr_db(picture, ideal_transfer(codec, picture, *channel)[-1].picture)
    seconds = time.process_time() - before
    torch.set_num_threads(threads)
    return seconds


def one_sweep(workers: int) -> tuple[float, float]:
    """CPU seconds of ``gr-jscc sweep`` and its workers, and the seconds from the first cell to the last.

    Raises:
        UserError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "cost.toml")
        experiment.write_text(EXPERIMENT)
        command = ["sweep", str(experiment), "--store", str(Path(folder, "store")), "--workers", str(workers), "--json"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, "-m", "gr_jscc.host", *command], env=environment, capture_output=True, text=True
        )
    if done.returncode:
        raise UserError((done.stderr.strip().splitlines() or ["the sweep failed without a word"])[-1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (seconds,) = (
        line["value"] for line in map(json.loads, done.stdout.splitlines()) if line.get("figure") == "sweep_seconds"
    )
    return cpu, seconds
