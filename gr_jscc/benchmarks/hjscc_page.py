"""A page and plots from the figures of HJSCC."""

from __future__ import annotations

from pathlib import Path

from gr_jscc.benchmarks.feedback_page import feedback_lines
from gr_jscc.benchmarks.hjscc import BELIEF_ERRORS_DB, CODECS, DESIGN_SNR_DB, RIVALS, SNRS_DB
from gr_jscc.figures import Figure
from gr_jscc.files.whole import write_whole
from gr_jscc.plots import plot_psnr_over_snr

Row = dict[float, float]  # SNR, or error of a belief, in dB → PSNR in dB


def write_hjscc_report(figures: list[Figure], folder: Path) -> Path:
    """Writes ``hjscc-measured.md`` and its plots under ``images/``; returns the page.

    Args:
        figures: from `hjscc_figures`, and maybe from a trial of feedback between two hosts.
        folder: made if it is not there; files are whole or not there.
    """
    pictures = folder / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    plain = [figure for figure in figures if "feedback" not in figure.at and "in_flight" not in figure.at]
    over_snr = _rows([f for f in plain if "belief_error_db" not in f.at and "latents" not in f.at], "snr_db")
    beliefs = _rows([f for f in plain if "belief_error_db" in f.at], "belief_error_db")
    plot_psnr_over_snr(
        pictures / "hjscc-snr.webp",
        {name: list(row.items()) for name, row in over_snr.items()},
        "CBR 1/16, white noise",
    )
    plot_psnr_over_snr(
        pictures / "hjscc-belief.webp",
        {name: list(row.items()) for name, row in beliefs.items()},
        f"CBR 1/16, {DESIGN_SNR_DB:g} dB, with a wrong SNR at the transmitter",
        "error of the transmitter's SNR, dB",
    )
    lines = [
        "# HJSCC, measured",
        "",
        "<!-- written by: gr-jscc reproduce hjscc -->",
        "",
        f"{figures[0].at['images']} pictures at CBR 1/16 (symbols of all rounds), ideal channel: mean PSNR. Both "
        "HJSCC codecs have the model of four latents, `hjscc-photo`. HJSCC is given the SNR, which decides how the "
        "transmitter spreads its symbols but not what the receiver does; the other codecs are not given it.",
        "",
        "## PSNR over SNR",
        "",
        "![PSNR over SNR](images/hjscc-snr.webp)",
        "",
        *_table("PSNR, dB, at", over_snr, SNRS_DB, (*CODECS, *RIVALS)),
        "## When the transmitter is wrong about the SNR",
        "",
        f"At {DESIGN_SNR_DB:g} dB. With feedback the error lasts only one round.",
        "",
        "![PSNR over the error of the belief](images/hjscc-belief.webp)",
        "",
        *_table("PSNR, dB, at an error of", beliefs, BELIEF_ERRORS_DB, CODECS),
        *_latents(plain),
        *feedback_lines(figures),
        *_seconds(figures),
    ]
    page = folder / "hjscc-measured.md"
    write_whole(page, "\n".join(lines).rstrip() + "\n")
    return page


def _rows(figures: list[Figure], key: str) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for figure in figures:
        if figure.name == "psnr_db":
            rows.setdefault(figure.at["codec"], {})[figure.at[key]] = figure.value
    return rows


def _table(title: str, rows: dict[str, Row], columns: tuple[float, ...], codecs: tuple[str, ...]) -> list[str]:
    lines = [f"| {title} | " + " | ".join(f"{x:g} dB" for x in columns) + " |", "|---|" + "---|" * len(columns)]
    for codec in codecs:
        cells = (f"{rows[codec][x]:.2f}" for x in columns)
        lines.append(f"| {codec} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _latents(figures: list[Figure]) -> list[str]:
    """What the receiver has after each round with feedback."""
    after = {
        name: {f.at["latents"]: f.value for f in figures if f.name == name and "latents" in f.at}
        for name in ("psnr_db", "cbr_payload")
    }
    numbers = sorted(after["psnr_db"])
    return [
        f"## A picture after every latent, {DESIGN_SNR_DB:g} dB",
        "",
        "| latents | " + " | ".join(map(str, numbers)) + " |",
        "|---|" + "---|" * len(numbers),
        "| CBR of this latent | " + " | ".join(f"{after['cbr_payload'][number]:.4f}" for number in numbers) + " |",
        "| PSNR, dB | " + " | ".join(f"{after['psnr_db'][number]:.2f}" for number in numbers) + " |",
        "",
    ]


def _seconds(figures: list[Figure]) -> list[str]:
    halves = {(f.name, f.at["codec"]): f.value for f in figures if f.name in ("encode_seconds", "decode_seconds")}
    lines = [
        "## Time",
        "",
        "Seconds per picture in encoder and decoder, all rounds together, on the machine that wrote this page.",
        "",
        "| codec | encode | decode |",
        "|---|---|---|",
    ]
    for codec in (*CODECS, *RIVALS):
        lines.append(f"| {codec} | {halves['encode_seconds', codec]:.2f} | {halves['decode_seconds', codec]:.2f} |")
    flights = [f for f in figures if f.name == "image_seconds"]
    if flights:
        at = flights[0].at
        lines += [
            "",
            f"Between two hosts, {at['codec']}, {at['images']} pictures, not counting those first in flight:",
            "",
            "| pictures in flight | " + " | ".join(str(f.at["in_flight"]) for f in flights) + " |",
            "|---|" + "---|" * len(flights),
            "| seconds per picture | " + " | ".join(f"{f.value:.2f}" for f in flights) + " |",
        ]
    return [*lines, ""]
