"""``gr-jscc bench calibration``: faults that were put into virtual radios against what calibration recovers of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def calibration(
    seeds: Annotated[int, typer.Option(min=1, help="Number of random sets of faults.")] = 4,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Also send the pictures in this folder over such radios, uncalibrated and calibrated, and over "
            "radios without faults.",
            show_default=False,
        ),
    ] = None,
    snr: options.Snr = 20.0,
    json_lines: options.Json = False,
) -> None:
    """Put faults into virtual radios and measure how well calibration corrects them."""
    if images is not None and not images.is_dir():
        raise UserError(f"--images: there is no folder {images}")
    options.check_snr(snr)
    print_figures(_figures(seeds, images, snr), "calibration", json_lines)


def _figures(seeds: int, images: Path | None, snr_db: float) -> Iterator[Figure]:
    from gr_jscc.benchmarks.calibrated_link import pictures
    from gr_jscc.calibration import virtual_trial as trial

    yield from _front_ends(trial, seeds)
    yield from _carriers(trial, seeds)
    yield from _estimator(trial)
    yield from _compression(trial)
    yield from _latency(trial)
    if images is not None:
        yield from pictures(images, snr_db)


def _front_ends(trial, seeds: int) -> Iterator[Figure]:
    """Carrier, DC and IQ of both ends at once, corrected."""
    for model in ("b210", "hackrf"):
        for seed in range(seeds):
            sender, receiver = trial.Faults.drawn(2 * seed), trial.Faults.drawn(2 * seed + 1, noise_dbfs=-19.0)
            benches = [trial.virtual_bench(model, sender, receiver, seed=noise) for noise in (seed, 1000 + seed)]
            found = trial.recovered_front_end(*benches, trial.relative_ppm(sender, receiver))
            at = {"model": model, "snr_db": 10, "seed": seed}
            for name, rejection, level in (
                ("transmitter", found.tx_rejection_db, found.tx_dc_dbc),
                ("receiver", found.rx_rejection_db, found.rx_dc_dbc),
            ):
                of = {**at, "of": name, "corrected": True}
                yield Figure("image_rejection_db", rejection, "dB", of, least=45)
                yield Figure("dc_dbc", level, "dB", of, most=-50)
            yield Figure("ppm_error", found.ppm_error, "ppm", {**at, "signal": "tones"}, least=-0.02, most=0.02)


def _carriers(trial, seeds: int) -> Iterator[Figure]:
    """The carrier offset at 10 dB, of tones and of the link's own bursts."""
    for seed in range(seeds):
        # Bursts are received up to two subcarriers off: 12 ppm each way at 2 Msps.
        sender = trial.Faults(ppm=(-5.7, 3.3, 0.0, 5.9)[seed % 4])
        receiver = trial.Faults(ppm=(5.1, -4.9, 11.3, 6.4)[seed % 4], noise_dbfs=-24.0)
        bench = trial.virtual_bench("b210", sender, receiver, seed=seed)
        error = trial.burst_ppm_error(bench, trial.relative_ppm(sender, receiver), 0.2, 0.5)
        at = {"snr_db": 10, "seed": seed, "signal": "bursts"}
        yield Figure("ppm_error", error, "ppm", at, least=-0.02, most=0.02)


def _estimator(trial) -> Iterator[Figure]:
    """The SNR estimate against the virtual radio's own formula."""
    for snr_db in (0, 5, 10, 15, 20, 25):
        receiver = trial.Faults(noise_dbfs=-14.0 - snr_db)
        bench = trial.virtual_bench("b210", trial.Faults(), receiver, seed=snr_db)
        against_formula, against_payload = trial.estimator_bias(bench, 10 ** (-14 / 20), snr_db)
        at = {"snr_db": snr_db}
        yield Figure("snr_bias_db", against_formula, "dB", {**at, "truth": "formula"}, least=-0.3, most=0.3)
        yield Figure("snr_bias_db", against_payload, "dB", {**at, "truth": "payload"}, least=-0.3, most=0.3)


def _compression(trial) -> Iterator[Figure]:
    """The 1 dB point."""
    for model, point in (("b210", -3.0), ("b210", -8.5), ("hackrf", -5.0)):
        bench = trial.virtual_bench(model, trial.Faults(compression_dbfs=point), trial.Faults(loss_db=3.0))
        error = trial.compression_error(bench, point)
        yield Figure("compression_error_db", error, "dB", {"model": model, "point_dbfs": point}, least=-0.5, most=0.5)


def _latency(trial) -> Iterator[Figure]:
    """Latency by the clocks of radios that know times."""
    for delay in (0.0, 137.0, 2000.25):
        bench = trial.virtual_bench("b210", trial.Faults(), trial.Faults(delay=delay, noise_dbfs=-40.0))
        yield Figure("latency_error", trial.latency_error(bench, delay), "samples", {"delay": delay}, least=-1, most=1)
