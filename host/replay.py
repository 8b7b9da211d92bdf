"""``gr-jscc replay``: pictures and reports out of a recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gr_jscc import telling
from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.files.places import writable_file
from gr_jscc.host import options
from gr_jscc.host.console import shown, some_of, terminal
from gr_jscc.host.live import number
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.reports.archive import Archive
from gr_jscc.threads import half_of_the_cores

IGNORED = {"seconds"}  # in a report: what differs whenever something is done again


def replay(
    recording: Annotated[
        Path,
        typer.Argument(help="SigMF recording, NAME.sigmf-meta, from rx --record or any radio.", show_default=False),
    ],
    originals: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.INPUT,
            help="Folder with the images that were sent, for PSNR; default: the receiver's, if it still exists.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path, typer.Option(rich_help_panel=panels.OUTPUT, help="Folder for each image's picture and report.json.")
    ] = Path("replayed"),
    codec: Annotated[
        str,
        typer.Option(
            "--codec",
            rich_help_panel=panels.CODEC,
            help="Codec, if the recording does not name it.",
            show_default=False,
        ),
    ] = "",
    weights: options.Weights = "",
    plot: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=panels.OUTPUT,
            help="Also draw the spectrogram with bursts and pictures marked, as PNG.",
            show_default=False,
        ),
    ] = None,
    sample_rate: Annotated[
        float,
        typer.Option(
            "--sample-rate",
            rich_help_panel=panels.INPUT,
            min=1.0,
            max=options.HIGHEST_HZ,
            help="Samples per second, if the recording does not say.",
        ),
    ] = 1e6,
    numerology: Annotated[
        str,
        typer.Option(
            "--numerology",
            rich_help_panel=panels.INPUT,
            help=f"If the recording does not name it. {options.NUMEROLOGY_HELP}",
            show_default=False,
        ),
    ] = "",
    device: options.Device = "cpu",
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            rich_help_panel=panels.CODEC,
            help="Of the networks: fp32, bf16 or fp16. Default: what the receiver had.",
            show_default=False,
        ),
    ] = None,
    json_lines: options.Json = False,
) -> None:
    """Receive again from a recording, without a radio or a transmitter, and compare with the live run.

    A recording made by gr-jscc rx --record gives every picture exactly as in the live run. Any other SigMF
    recording of complex samples is received as it is.
    """
    options.check_device(device)
    layout = load_numerology(numerology) if numerology else None

    import torch

    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.radio.sigmf_file import read_recording
    from gr_jscc.recordings.replay import Replay
    from gr_jscc.reports.originals import finder

    source = read_recording(recording)
    if source.stored.remark:
        telling.remark("replay", source.stored.remark)
    fields = source.fields
    # With another number of threads than the receiver's, sums are rounded otherwise; what rx would take is the default.
    threads = fields.get("jscc:threads")
    known = isinstance(threads, int) and threads > 0
    torch.set_num_threads(threads if known else half_of_the_cores())
    archive, comparison = Archive(out), _Comparison()
    if plot:
        from gr_jscc.recordings.spectrogram import plot_recording

        plot_recording(writable_file(plot), source, sample_rate)
    weights = weights or ("" if codec else fields.get("jscc:weights", ""))
    precision = precision or str(fields.get("jscc:precision", "fp32"))
    name = codec or _recorded_codec(fields)
    with loading(name):
        loaded = load_codec(name, weights or None, device, precision)
    find = finder(originals) if originals else _receivers_originals(fields.get("jscc:originals"))
    again = Replay(source, loaded, find, sample_rate, layout)
    console = terminal(stderr=True)
    bar = Progress(
        "replaying", BarColumn(), TimeRemainingColumn(), console=console, transient=True,
        disable=json_lines or not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("replaying", total=source.samples)
        for picture in again.run(lambda samples: bar.update(task, completed=samples)):
            if not picture.result.final:
                if picture.result.layered:
                    archive.save_estimate(picture.result)
                continue
            archive.save(picture.result)
            line = comparison.take(picture)
            if json_lines:
                print(json.dumps(line), flush=True)
    if archive.replaced:
        told = f"{out}: replaced an earlier run's results for {some_of(archive.replaced)}"
        console.print(shown(told), soft_wrap=True)
    if again.refused:
        console.print(
            f"{again.refused} rounds were made with other weights or another codec: see --codec and --weights"
        )
    comparison.conclude(recording, out, json_lines)


def _recorded_codec(fields: dict) -> str:
    """The receiver's codec. A recording may come from anywhere, so it never says which code of others is run here.

    Raises:
        UserError: it is none that ships.
    """
    from gr_jscc.codecs.registry import CODECS

    name = fields.get("jscc:codec", "deepjscc")
    if name not in CODECS:
        raise UserError(f"the recording was received with codec {name!r}, which does not ship: name it with --codec")
    return name


def _receivers_originals(folder: object) -> Callable[[str], np.ndarray | None]:
    """Finds originals where the receiver had them; as nobody asked for these, it does without where there are none."""
    from gr_jscc.reports.originals import finder

    try:
        if isinstance(folder, str) and Path(folder).is_dir():
            return finder(folder)
    except (UserError, OSError, ValueError) as error:
        telling.remark("replay", f"without the receiver's originals: {error}")
    return finder("")


@dataclass
class _Comparison:
    """Of the pictures now with those of the live run."""

    rows: list[dict] = field(default_factory=list)

    def take(self, picture) -> dict:
        """Takes a final `Replayed`; returns its report with the key ``live``: what there is to compare."""
        report, live = picture.result.report, picture.live
        compared = {"psnr_db": None, "same_picture": picture.same, "differs": None}
        if live is not None:
            compared["psnr_db"] = live["psnr_db"]
            compared["differs"] = sorted(key for key in live if key not in IGNORED and live[key] != report.get(key))
        self.rows.append({**report, "live": compared})
        return self.rows[-1]

    def conclude(self, recording: Path, out: Path, json_lines: bool) -> None:
        """Prints the comparison.

        Raises:
            UserError: nothing came out.
        """
        if not self.rows:
            raise UserError(f"no picture in {recording}")
        figures = self._figures()
        if json_lines:
            for figure in figures:
                print(json.dumps(figure.line()))
            return
        table = Table()
        for name in ("image", "PSNR dB", "live", "bursts", "lost", "SNR dB", "picture"):
            is_name = name in ("image", "picture")
            table.add_column(name, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
        for row in self.rows:
            same = {None: "", True: "identical", False: Text("differs", "red")}[row["live"]["same_picture"]]
            table.add_row(
                shown(row["image"]["name"]), number(row["psnr_db"]), number(row["live"]["psnr_db"]),
                str(row["bursts"]["sent"]), str(row["bursts"]["lost"]), number(row["link"]["snr_est_db"]), same,
            )  # fmt: skip
        console = terminal()
        console.print(table)
        known = [row["psnr_db"] for row in self.rows if row["psnr_db"] is not None]
        if known:
            console.print(f"mean PSNR {np.mean(known):.2f} dB")
        same = [row["live"]["same_picture"] for row in self.rows if row["live"]["same_picture"] is not None]
        if same:
            console.print(f"{sum(same)} of {len(same)} pictures identical to the live run, bit for bit")
        console.print(shown(f"pictures and reports: {out}/"), soft_wrap=True)

    def _figures(self) -> list[Figure]:
        """Named in docs/reference/figures.md; those of which nothing is known are left out."""
        at = {"images": len(self.rows)}
        known = [row["psnr_db"] for row in self.rows if row["psnr_db"] is not None]
        figures = [Figure("psnr_db", float(np.mean(known)), "dB", at)] if known else []
        both = [row for row in self.rows if None not in (row["psnr_db"], row["live"]["psnr_db"])]
        if both:
            worst = max(abs(row["psnr_db"] - row["live"]["psnr_db"]) for row in both)
            figures.append(Figure("replay_psnr_error_db", worst, "dB", at, most=0.0))
        same = [row["live"]["same_picture"] for row in self.rows if row["live"]["same_picture"] is not None]
        if same:
            figures.append(Figure("replay_pictures_differ", same.count(False), "pictures", at, most=0.0))
        return figures
