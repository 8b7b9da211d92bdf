"""``gr-jscc loopback``: images through a simulated link on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

from gr_jscc.channel import Scenario, load_scenario
from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.sendable import sendable
from gr_jscc.errors import UserError
from gr_jscc.files.names import readable
from gr_jscc.flowgraphs.ideal import IDEAL, ideal_results
from gr_jscc.host import options
from gr_jscc.host.console import shown, some_of, terminal
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.options import video as video_options
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.reports.archive import COMPARISON, Archive
from gr_jscc.reports.averages import UNITS, average
from gr_jscc.reports.row import row_of


def loopback(
    images: options.Images = None,
    codec: options.Codec = "deepjscc",
    weights: options.Weights = "",
    cbr: options.Cbr = "1/12",
    cbr_max: options.CbrMax = "",
    eta: options.Eta = None,
    refine: options.Refine = 0,
    control_snr: options.ControlSnr = None,
    numerology: options.Numerology = "64",
    burst_symbols: options.BurstSymbols = options.BURST_SYMBOLS,
    snr: options.Snr = 10.0,
    channel: options.Channel = "awgn",
    cfo: options.Cfo = 0.1,
    loss: options.Loss = 0.0,
    scenario: options.Scenario = None,
    ideal: Annotated[
        bool,
        typer.Option("--ideal", rich_help_panel=panels.CHANNEL, help="The textbook channel instead of the OFDM link."),
    ] = False,
    sample_rate: options.SampleRate = 1e6,
    out: Annotated[
        Path, typer.Option(rich_help_panel=panels.OUTPUT, help="Folder for each image's picture and report.json.")
    ] = Path("received"),
    plot: Annotated[
        bool, typer.Option("--plot", rich_help_panel=panels.OUTPUT, help="Also draw sent and received side by side.")
    ] = False,
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    seed: options.Seed = 1,
    json_lines: Annotated[
        bool,
        typer.Option(
            "--json",
            rich_help_panel=panels.OUTPUT,
            help="Print a row an image as JSON, one flat object a line, and nothing else: a table to pandas.",
        ),
    ] = False,
    averages: Annotated[
        bool,
        typer.Option(
            "--figures",
            rich_help_panel=panels.OUTPUT,
            help="Print the averages over the images as JSON, one figure a line, and nothing else.",
        ),
    ] = False,
    video: video_options.Video = "",
    camera: video_options.Camera = "",
    screen: video_options.Screen = False,
    watch: video_options.Watch = "",
    test_pattern: video_options.TestPattern = False,
    fps: video_options.Fps = 10.0,
    size: video_options.Size = "320x240",
    crop: video_options.Crop = "",
    seconds: video_options.Seconds = None,
    film: video_options.Film = None,
) -> None:
    """Send images, or frames, through a simulated link on this machine and report what arrived.

    Runs a GNU Radio flowgraph: encoder, OFDM modulator, channel model, OFDM demodulator, decoder.
    With --ideal only white noise is added to the symbols, as in the papers. Frames (--test-pattern, --camera, …) go
    through the same modem and link one by one, each within its time on the air; --film keeps what was received.
    """
    ratio = options.parse_cbr(cbr_max or cbr)
    options.check_snr(snr)
    options.check_device(device)
    taps(channel)
    if json_lines and averages:
        raise UserError("--json prints a row an image, --figures the averages: give one of them")
    if ideal and (loss or scenario):
        raise UserError("--loss and --scenario need the OFDM link: remove --ideal")
    air = load_scenario(scenario) if scenario else None
    settings = LinkSettings(burst_symbols, control_snr_db=control_snr, numerology=load_numerology(numerology))
    source = video_options.source_of(video, camera, screen, watch, test_pattern, seed)
    if bool(images) == (source is not None):
        raise UserError("give images to send, or one source of frames (--video, --camera, …)")
    console = terminal(stderr=True)
    encoding = Encoding(codec, ratio, weights, device, precision, bool(cbr_max), eta, refine)
    with loading(codec):
        loaded = load_sending_codec(encoding, settings, ideal)
    if source is not None:
        if ideal or plot or averages:
            raise UserError("--ideal, --plot and --figures are for images")
        from gr_jscc.host.video_loopback import loopback_video
        from gr_jscc.video.passage import FrameSender

        form, scene = video_options.form_of(fps, size, crop), air or Scenario(sample_rate=sample_rate, seed=seed)
        lossy = {"loss": {"probability": loss}} if loss else {}
        offset = {"cycles_per_sample": cfo / settings.numerology.fft_size}
        scene.fill(**lossy, multipath={"taps": channel}, cfo=offset, awgn={"snr_db": snr})
        sender = FrameSender(loaded, ratio, replace(settings, refresh=form.in_a_second))
        return loopback_video(source, form, seconds, sender, scene, film, json_lines)
    files = sendable(images, loaded, ratio, lambda line: console.print(shown(line), soft_wrap=True))
    archive = Archive(out)
    if ideal:
        results = ideal_results(loaded, files, ratio, channel, snr, seed, settings, every_round=True)
    else:
        with loading("GNU Radio"):
            from gr_jscc.flowgraphs.loopback import Air, flowgraph_results

        simulated = Air(channel, snr, cfo, loss, air, sample_rate, seed)
        results = flowgraph_results(files, encoding, simulated, settings=settings)
    if replaced := archive.to_be_replaced(readable(path.name) for path in files):
        console.print(shown(f"{out}: replacing an earlier run's results for {some_of(replaced)}"), soft_wrap=True)
    quiet = json_lines or averages or not console.is_terminal
    reports = []
    for result in track(results, "sending", total=len(files), console=console, disable=quiet):
        if not result.final:
            archive.save_estimate(result)
            continue
        reports.append(result.report)
        folder = archive.save(result)
        if plot:
            from gr_jscc.plots import plot_comparison

            plot_comparison(folder / COMPARISON, result.original, result.received, result.report)
        if json_lines:
            print(json.dumps(row_of(result.report, cbr=ratio, seed=seed)), flush=True)
    if json_lines:
        return
    summary = average(reports)
    conditions = {
        "codec": codec, "channel": IDEAL + channel if ideal else air.name if air else channel,
        "snr_db": None if air and "awgn" in air else snr, "cbr": ratio, "images": len(reports), "loss": loss,
    }  # fmt: skip
    if averages:
        for figure, value in summary.items():
            print(json.dumps({"figure": figure, "at": conditions, "value": value, "unit": UNITS[figure]}))
    else:
        show(reports, summary, out)


def show(reports: list[dict], summary: dict[str, float], out: Path) -> None:
    """Prints a table for people."""
    table = Table()
    for name in ("image", "PSNR dB", "MS-SSIM", "CBR", "CBR total", "SNR est.", "lost"):
        is_name = name == "image"
        table.add_column(name, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")

    def text(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    for r in reports:
        table.add_row(
            shown(r["image"]["name"]), text(r["psnr_db"] if r["arrived"] else None, 2),
            text(r["ms_ssim"] if r["arrived"] else None, 4), text(r["cbr"]["payload"], 4), text(r["cbr"]["total"], 4),
            text(r["link"]["snr_est_db"], 2),
            f"{r['bursts']['lost']}/{r['bursts']['sent']}",
        )  # fmt: skip
    console = terminal()
    console.print(table)
    if "psnr_db" in summary:
        paper = f", {summary['cbr_paper']:.4f} as papers count" if "cbr_paper" in summary else ""
        console.print(
            f"average PSNR {summary['psnr_db']:.2f} dB at CBR {summary['cbr_payload']:.4f}{paper}, "
            f"{summary['cbr_total']:.4f} in all"
        )
    if "per_payload_air" in summary:
        console.print(
            f"a payload symbol cost {summary['per_payload_total']:.3f} channel uses, "
            f"{summary['per_payload_air']:.3f} samples of air"
        )
    if summary["images_lost"]:
        console.print(f"{summary['images_lost']} of {len(reports)} images did not arrive")
    console.print(shown(f"pictures and reports: {out}/"), soft_wrap=True)
