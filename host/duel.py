"""``gr-jscc duel``: two codecs over the same air, side by side, as a film."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

from gr_jscc.channel import Scenario, load_scenario
from gr_jscc.codecs.base import Codec
from gr_jscc.errors import UserError
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal
from gr_jscc.host.filming import filmed
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.options import video as video_options
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.video.duel import Round, Score, fight, ramp, score
from gr_jscc.video.duel_picture import DuelPicture
from gr_jscc.video.film import check_film, film
from gr_jscc.video.passage import FrameSender
from gr_jscc.video.sources import Source

LONGEST = 600.0  # seconds of a film


def duel(
    video: video_options.Video = "",
    camera: video_options.Camera = "",
    screen: video_options.Screen = False,
    watch: video_options.Watch = "",
    test_pattern: video_options.TestPattern = False,
    fps: video_options.Fps = 10.0,
    size: video_options.Size = "320x240",
    crop: video_options.Crop = "",
    seconds: Annotated[
        float, typer.Option(rich_help_panel=panels.INPUT, min=0.1, max=LONGEST, help="How long the film is.")
    ] = 10.0,
    codec: options.Codec = "deepjscc",
    weights: options.Weights = "",
    against: Annotated[str, typer.Option(rich_help_panel=panels.CODEC, help="The other codec.")] = "separation",
    against_weights: Annotated[
        str, typer.Option(rich_help_panel=panels.CODEC, help="Its weights.", show_default="what suits 10 dB")
    ] = "",
    cbr: Annotated[
        str,
        typer.Option(
            "--cbr",
            rich_help_panel=panels.CODEC,
            help="Most channel uses per colour value, with headers and side information, for both.",
        ),
    ] = "1/12",
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    snr: Annotated[
        str,
        typer.Option(
            "--snr", rich_help_panel=panels.CHANNEL, help="Es/N0 in dB; several: straight lines through them."
        ),
    ] = "20,0,20",
    channel: options.Channel = "awgn",
    cfo: options.Cfo = 0.1,
    scenario: options.Scenario = None,
    loss: options.Loss = 0.0,
    sample_rate: options.SampleRate = 1e6,
    numerology: options.Numerology = "64",
    burst_symbols: options.BurstSymbols = options.BURST_SYMBOLS,
    seed: options.Seed = 1,
    out: Annotated[Path, typer.Option(rich_help_panel=panels.OUTPUT, help="The film, .mp4 or .webp.")] = Path(
        "duel.mp4"
    ),
    quality: Annotated[int, typer.Option(rich_help_panel=panels.OUTPUT, help="Of the film, 0 to 100.")] = 75,
    json_lines: options.Json = False,
) -> None:
    """Film two codecs that send the same frames over the same channel while its SNR changes.

    Both have the same channel uses and the same noise. They are shown side by side, with their PSNR over time below.
    Where nothing of a frame can be decoded the frame before stays, and counts as frozen.
    """
    form = video_options.form_of(fps, size, crop)
    if form.width % 2 or form.height % 2:
        raise UserError(f"a film's sides are even numbers of pixels, not {form.name}")
    source = video_options.source_of(video, camera, screen, watch, test_pattern, seed) or Source("pattern", seed=seed)
    levels = options.parse_snrs(snr)
    options.check_device(device)
    check_film(out, quality)
    settings = LinkSettings(burst_symbols, refresh=form.in_a_second, numerology=load_numerology(numerology))
    air = load_scenario(scenario) if scenario else Scenario(sample_rate=sample_rate, seed=seed, name=channel)
    lossy = {"loss": {"probability": loss}} if loss else {}
    offset = {"cycles_per_sample": cfo / settings.numerology.fft_size}
    air.fill(**lossy, multipath={"taps": channel}, cfo=offset)
    ratio = options.parse_cbr(cbr)
    encodings = (
        Encoding(codec, ratio, weights, device, precision, total=True),
        Encoding(against, ratio, against_weights, device, total=True),
    )
    with loading(f"{codec} and {against}"):
        senders = [FrameSender(load_sending_codec(each, settings), ratio, settings) for each in encodings]
    names = _names([sender.codec for sender in senders])
    console = terminal(stderr=True)
    quiet = json_lines or not console.is_terminal
    with options.stopped_by_signals() as check:
        frames = filmed(source, form, seconds, console if source.is_live and not quiet else None)
        snrs_db = ramp(levels, len(frames))
        picture = DuelPicture(names, (form.width, form.height), len(frames) / fps, fps)
        rounds: list[Round] = []
        with film(out, fps, picture.size, quality) as write:
            fought = fight(frames, snrs_db, senders, air, fps, settings)
            for round_ in track(fought, "sending", total=len(frames), console=console, disable=quiet):
                check()
                write(picture.draw(round_))
                rounds.append(round_)
                if json_lines:
                    print(json.dumps(_row(round_)), flush=True)
    if not json_lines:
        _show(names, [score(rounds, side, fps) for side in range(2)], out)


def _names(codecs: list[Codec]) -> list[str]:
    """Of the codecs where that tells them apart, else of their weights."""
    names = [codec.name for codec in codecs]
    return names if len(set(names)) == len(names) else [codec.weights_name for codec in codecs]


def _row(round_: Round) -> dict:
    row = {"seconds": round(round_.frame.seconds, 6), "snr_db": round_.snr_db}
    for name, side in zip(("codec", "against"), round_.sides):
        row |= {f"{name}_psnr_db": side.psnr_db, f"{name}_frozen": side.frozen, f"{name}_total": side.total}
    return row


def _show(names: list[str], scores: list[Score], out: Path) -> None:
    table = Table()
    for name in ("codec", "PSNR dB", "lowest", "frozen frames", "longest freeze", "CBR total"):
        table.add_column(name, justify="left" if name == "codec" else "right")
    for name, each in zip(names, scores):
        table.add_row(
            shown(name), f"{each.psnr_db:.2f}", f"{each.lowest_db:.2f}", str(each.frozen), f"{each.longest:.1f} s",
            f"{each.cbr:.4f}",
        )  # fmt: skip
    console = terminal()
    console.print(table)
    console.print(shown(f"film: {out}, {out.stat().st_size / 1000:.0f} kB"), soft_wrap=True)
