"""``gr-jscc demo``: a photo over the simulated link, and pictures of how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import writing
from gr_jscc.flowgraphs.ideal import ideal_results
from gr_jscc.host.console import shown, terminal
from gr_jscc.host.loading import loading
from gr_jscc.link.loading import Encoding
from gr_jscc.reports.archive import REPORT, clear_results, write_result
from gr_jscc.reports.report import write_json

SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0)
SHOWN_DB = 10.0


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and report.json.")] = Path("demo"),
) -> None:
    """Send a photo through a GNU Radio OFDM flowgraph at several SNRs and draw what arrived.

    Leaves picture.png (sent and received), constellation.png, psnr_over_snr.png (the flowgraph beside
    the textbook channel), received.png and report.json.
    """
    with loading("GNU Radio"):
        from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph
    from gr_jscc.plots import plot_comparison, plot_constellation, plot_psnr_over_snr

    console = terminal()
    photo, codec, cbr, channel = Path(demo_image()), "deepjscc", 1 / 12, "awgn"
    if (writable_folder(out) / REPORT).exists():
        console.print(shown(f"{out}: replacing the results of an earlier run"), soft_wrap=True)
    clear_results(out)
    with loading(codec):
        loaded = load_codec(codec)
    curves: dict[str, list[tuple[float, float]]] = {"OFDM flowgraph": [], "ideal channel": []}
    for snr_db in SNRS_DB:
        with console.status(f"sending at {snr_db:g} dB"):
            air = Air(channel, snr_db, cfo=0.1)
            flowgraph = LoopbackFlowgraph([photo], Encoding(codec, cbr), air, probe=snr_db == SHOWN_DB)
            (result,) = flowgraph.results()
            (ideal,) = ideal_results(loaded, [photo], cbr, channel, snr_db, seed=1)
        if not result.report["arrived"]:
            raise UserError(f"the photo did not arrive at {snr_db:g} dB")
        curves["OFDM flowgraph"].append((snr_db, result.report["psnr_db"]))
        curves["ideal channel"].append((snr_db, ideal.report["psnr_db"]))
        console.print(
            f"{snr_db:4g} dB: PSNR {result.report['psnr_db']:.2f} dB through the flowgraph, "
            f"{ideal.report['psnr_db']:.2f} dB over the ideal channel"
        )
        if snr_db == SHOWN_DB:
            write_result(out, result)
            plot_comparison(out / "picture.png", result.original, result.received, result.report)
            title = f"Received symbols at {snr_db:g} dB, after the OFDM receiver"
            plot_constellation(out / "constellation.png", flowgraph.symbols, title)
    plot_psnr_over_snr(out / "psnr_over_snr.png", curves, f"{codec}, CBR 1/12, {photo.name}")
    with writing(out / "psnr_over_snr.json"):
        write_json(out / "psnr_over_snr.json", {label: sorted(points) for label, points in curves.items()})
    console.print(shown(f"look at {out}/picture.png, constellation.png and psnr_over_snr.png"), soft_wrap=True)
