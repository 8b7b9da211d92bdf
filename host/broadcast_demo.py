"""``gr-jscc broadcast-demo``: one transmission, receivers at several SNRs, and what each sees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_file
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal
from gr_jscc.host.options import panels
from gr_jscc.imaging import load_image
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.video.broadcast import Broadcast, broadcast, draw_broadcasts
from gr_jscc.video.passage import FrameSender

SUFFIXES = (".png", ".webp")


def broadcast_demo(
    image: Annotated[
        Path | None, typer.Argument(help="The picture; default: the photo that ships.", show_default=False)
    ] = None,
    codec: Annotated[
        list[str], typer.Option("--codec", rich_help_panel=panels.CODEC, help="A codec, or NAME=WEIGHTS; any number.")
    ] = ["successive-single", "deepjscc", "separation=hevc:9dB"],  # noqa: B006 (typer copies it)
    cbr: options.Cbr = "1/12",
    snr: Annotated[
        str, typer.Option("--snr", rich_help_panel=panels.CHANNEL, help="Es/N0 of each receiver, dB.")
    ] = "3,9,18",
    precision: options.Precision = "fp32",
    seed: options.Seed = 1,
    out: Annotated[Path, typer.Option(rich_help_panel=panels.OUTPUT, help="The picture of it, .png or .webp.")] = Path(
        "broadcast.png"
    ),
) -> None:
    """Send a picture once to several receivers, each at its own SNR, and draw what each of them sees.

    Nobody answers: there is no back-channel, and the transmitter knows of no SNR.
    """
    ratio, snrs_db = options.parse_cbr(cbr), options.parse_snrs(snr)
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: the picture's name ends in {' or '.join(SUFFIXES)}")
    writable_file(out)
    picture, settings = load_image(image or demo_image()), LinkSettings()
    console, sent = terminal(stderr=True), []
    for each in codec:
        name, _, weights = each.partition("=")
        learned = not name.startswith("separation")
        encoding = Encoding(name, ratio, weights, precision=precision if learned else "fp32")
        with console.status(shown(f"sending by {name}")):
            sender = FrameSender(load_sending_codec(encoding, settings), ratio, settings)
            sent.append(broadcast(picture, sender, snrs_db, seed, settings))
    draw_broadcasts(out, picture, snrs_db, sent)
    _show(sent, snrs_db, picture.size)
    terminal().print(shown(f"picture: {out}"), soft_wrap=True)


def _show(sent: list[Broadcast], snrs_db: list[float], values: int) -> None:
    table = Table(title="PSNR in dB, one transmission")
    for name in ("codec", *(f"at {snr_db:g} dB" for snr_db in snrs_db), "CBR total"):
        table.add_column(name, justify="left" if name == "codec" else "right")
    for each in sent:
        cells = ["–" if heard.psnr_db is None else f"{heard.psnr_db:.2f}" for heard in each.heard]
        table.add_row(shown(each.name), *cells, f"{each.total / values:.4f}")
    terminal().print(table)
