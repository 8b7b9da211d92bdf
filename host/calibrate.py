"""``gr-jscc calibrate``: measures what a radio does wrong, and writes it into its profile."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_folder
from gr_jscc.host import options
from gr_jscc.host.console import terminal
from gr_jscc.host.options import panels
from gr_jscc.host.printing import print_figures
from gr_jscc.radio import parse_radio

if TYPE_CHECKING:
    from gr_jscc.calibration.rig import Rig
    from gr_jscc.calibration.steps import Wanted
    from gr_jscc.radio.limits import Limits
    from gr_jscc.radio.profile import Profile

STEPS = ("noise", "carrier", "dc", "iq", "compression", "power", "snr", "estimator", "latency")
SWEPT_DB = 20.0  # above the profile's gain that the tables go, unless told otherwise
GAINS = 10  # rows of the tables, about

BEFORE = """\
Connect the transmitter's output to the receiver's input with a cable and an attenuator of at least 30 dB (60 dB for
outputs above 10 dBm). Without it the receiver can be destroyed. Both radios send and receive at {frequency:.3f} MHz;
the transmitter goes up to {highest:g} dB of its stage {stage} and to digital full scale. Let both warm up for ten
minutes, as oscillators drift meanwhile."""


def calibrate(
    tx: Annotated[
        str,
        typer.Option(
            "--tx",
            rich_help_panel=panels.RADIO,
            help="Address of the radio that sends, e.g. soapy:driver=hackrf,serial=…",
        ),
    ],
    rx: Annotated[
        str,
        typer.Option(
            "--rx",
            rich_help_panel=panels.RADIO,
            help="Address of the radio that receives; may be the same radio if it is full-duplex.",
        ),
    ],
    profile: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.RADIO,
            help="Profile of both radios, or of the receiver: a shipped profile's name or a TOML file.",
        ),
    ] = "",
    tx_profile: Annotated[
        str, typer.Option(rich_help_panel=panels.RADIO, help="Profile of the transmitter, if it differs.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=panels.OUTPUT,
            help="The profile to write. For two devices NAME.toml becomes NAME-tx.toml and NAME-rx.toml.",
            show_default=False,
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(rich_help_panel=panels.OUTPUT, help="Folder for a plot of each step.", show_default=False),
    ] = None,
    steps: Annotated[
        str, typer.Option(help=f"Only these, of {','.join(STEPS)}; results of other steps in --out are kept.")
    ] = "",
    evm: Annotated[
        float, typer.Option(min=-60, max=-10, help="Distortion that the transmitter may add, dB: sets its amplitude.")
    ] = -30.0,
    psnr: Annotated[
        float | None,
        typer.Option(
            min=10,
            max=50,
            show_default=False,
            help="Instead of --evm: the PSNR that the demo photo must reach (deepjscc, CBR 1/12), dB.",
        ),
    ] = None,
    stage: Annotated[
        str,
        typer.Option(
            help="Gain stage of the transmitter that the tables vary; default: the one with the widest range."
        ),
    ] = "",
    max_gain: Annotated[
        float | None,
        typer.Option(
            min=-200,
            max=200,
            help=f"Highest gain of that stage in dB; default: {SWEPT_DB:g} above the profile's.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only report what limits the link now; write nothing.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0, help="How long --check measures.")] = 120.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether everything is connected.")] = False,
    json_lines: options.Json = False,
) -> None:
    """Calibrate two radios over a cable, or one radio with itself, step by step; or check what limits a link.

    Measures noise floor, carrier offset, DC offset, IQ imbalance, compression, power and SNR over gain, the SNR
    estimator and latency, and writes a profile that tx and rx use (--profile FILE).
    """
    from gr_jscc.calibration.device_files import DeviceFiles, findings_of
    from gr_jscc.calibration.rig import Rig
    from gr_jscc.radio.profile import default_profile, load_profile

    chosen = _chosen(steps)
    if not check:
        if out is None:
            raise UserError("give the profile to write with --out, or only measure with --check")
        writable_folder(out.parent)  # told before anything is measured
    profiles = []
    for address, name in ((tx, tx_profile or profile), (rx, profile)):
        radio = parse_radio(address)
        profiles.append(load_profile(name) if name else default_profile(radio.kind, radio.place))
    rig = Rig(tx, rx, *profiles)
    console = terminal(stderr=True)
    if check:
        _ask(rig, None, yes, console)
        with options.stopped_by_signals():
            _check(rig, seconds, console, json_lines)
        return
    sender, limits, receiver = rig.devices()
    files = DeviceFiles.beside(out, tx == rx or (sender.serial or tx) == (receiver.serial or rx))
    if steps and files.there:
        rig = Rig(tx, rx, *files.load())
    wanted = _wanted(rig, limits, stage, max_gain, evm)
    _ask(rig, wanted, yes, console)
    findings = findings_of(rig.tx_profile, rig.rx_profile) if steps else findings_of(*map(_plain, profiles))
    with options.stopped_by_signals():
        if psnr is not None:
            wanted = _for_quality(rig, wanted, psnr)
        _measure(rig, findings, wanted, chosen, console, quiet=json_lines)
    files.save(rig.tx_profile, rig.rx_profile, findings, (sender.serial or "", receiver.serial or ""))
    if plots is not None:
        from gr_jscc.calibration.plots import draw

        for name, data in findings.data.items():
            draw(plots, name, data)
    print_figures(findings.figures, f"calibration of {rig.tx_profile.device.name}", json_lines)
    if not json_lines:
        for warning in findings.warnings:
            console.print(warning, style="yellow", highlight=False, soft_wrap=True)
        print(f"written: {' and '.join(dict.fromkeys(map(str, (files.tx, files.rx))))}")


def _plain(profile: Profile) -> Profile:
    """The profile without an earlier calibration."""
    return profile.model_copy(update={"calibration": None})


def _chosen(steps: str) -> list[str]:
    names = [name.strip() for name in steps.split(",") if name.strip()]
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        raise UserError(f"--steps: there is no step {unknown[0]!r}; there are {', '.join(STEPS)}")
    return [name for name in STEPS if not names or name in names]


def _wanted(rig: Rig, limits: Limits, stage: str, max_gain: float | None, evm_db: float) -> Wanted:
    """The gains to try.

    Raises:
        UserError: no such stage, or a most gain that leaves none.
    """
    from gr_jscc.calibration.steps import Wanted

    if not limits.gains:
        raise UserError("the transmitter has no gain stage to vary")
    stage = stage or max(limits.gains, key=lambda name: limits.gains[name].high - limits.gains[name].low)
    if stage not in limits.gains:
        raise UserError(f"--stage: the transmitter has no gain stage {stage!r}; it has {', '.join(limits.gains)}")
    allowed = limits.gains[stage]
    usual = rig.tx_profile.direction("tx").gains.get(stage, allowed.low)
    most = min(allowed.high, usual + SWEPT_DB if max_gain is None else max_gain)
    if most <= allowed.low:
        raise UserError(f"--max-gain must be above {allowed.low:g} dB, the minimum of the stage {stage}")
    step = max(allowed.step, 1.0)
    step *= max(1, round((most - allowed.low) / GAINS / step))
    count = int((most - allowed.low) / step + 1e-9) + 1
    return Wanted(evm_db, stage, tuple(allowed.low + step * index for index in range(count)))


def _ask(rig: Rig, wanted: Wanted | None, yes: bool, console: Console) -> None:
    """Has the person confirm that everything is connected.

    Raises:
        UserError: nobody is there to ask.
        typer.Abort: it is not.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("cannot ask whether the cable and the attenuator are connected: if they are, give --yes")
    if wanted is not None:
        frequency = rig.frequency / 1e6
        console.print(BEFORE.format(frequency=frequency, highest=wanted.gains[-1], stage=wanted.stage), highlight=False)
    typer.confirm("Is everything connected?", abort=True, err=True)


def _measure(rig: Rig, findings, wanted: Wanted, chosen: list[str], console: Console, quiet: bool) -> None:
    """Runs the steps one after the other.

    Raises:
        UserError: the first step that fails, by name.
    """
    from gr_jscc.calibration.comb import CalibrationError
    from gr_jscc.calibration.steps import STEPS as PROCEDURES

    columns = SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("", total=len(chosen))
        for name in chosen:
            progress.update(task, description=PROCEDURES[name].title)
            before = len(findings.figures)
            try:
                PROCEDURES[name].run(rig, findings, wanted)
            except CalibrationError as error:
                raise UserError(f"step {name}: {error}; nothing was written") from error
            progress.advance(task)
            if quiet:
                continue
            told = ", ".join(_told(figure) for figure in findings.figures[before:])
            told = told or "not measured: these devices have no time stamps"
            progress.console.print(f"{PROCEDURES[name].title}: {told}", highlight=False, soft_wrap=True)


def _told(figure) -> str:
    at = ", ".join(str(value) for key, value in figure.at.items() if key in ("of", "evm_db"))
    corrected = {True: "corrected ", False: ""}[figure.at.get("corrected", False)]
    unit = "" if figure.unit == "1" else f" {figure.unit}"
    return f"{corrected}{figure.name} {figure.value:.4g}{unit}" + (f" ({at})" if at else "")


def _for_quality(rig: Rig, wanted: Wanted, psnr_db: float) -> Wanted:
    """The distortion that the demo photo can bear on this link."""
    import dataclasses

    import numpy as np

    from gr_jscc.benchmarks.picture_quality import ideal_quality
    from gr_jscc.calibration.bursts import burst_samples
    from gr_jscc.calibration.compression import evm_for_quality
    from gr_jscc.calibration.gain_to_snr import link_snr_db

    waveform = burst_samples()
    snr_db = link_snr_db(rig.link(waveform, 2 * len(waveform)).samples)
    if not np.isfinite(snr_db):
        raise UserError("no burst arrives: check the cable, the frequency and the gains")
    return dataclasses.replace(wanted, evm_db=evm_for_quality(psnr_db, snr_db, ideal_quality()))


def _check(rig: Rig, seconds: float, console: Console, json_lines: bool) -> None:
    from gr_jscc.calibration.check import check_link

    with console.status("measuring") as status:
        for found in check_link(rig, seconds):
            budget = found.budget
            status.update(f"{found.seconds:.0f} of {seconds:.0f} s, {budget.bursts} bursts at {budget.snr_db:.1f} dB")
    print_figures(found.figures(), "what limits the link", json_lines)
    print(json.dumps({"advice": found.advice}) if json_lines else found.advice)
