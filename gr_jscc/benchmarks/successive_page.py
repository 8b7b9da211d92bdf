"""A page and plots from the figures of `successive_benchmark`."""

from __future__ import annotations

from pathlib import Path

from gr_jscc.benchmarks.feedback_page import feedback_lines
from gr_jscc.benchmarks.successive import PAPER_CNN, PAPER_FEEDBACK, PAPER_TABLE, REALISATIONS
from gr_jscc.figures import Figure
from gr_jscc.files.whole import write_whole
from gr_jscc.plots import plot_psnr_over_snr

Curve = dict[float, float]  # SNR dB → PSNR dB

PLOTS = {
    "successive-schemes.webp": (
        "Two layers of CBR 1/12, white noise",
        ("successive-multiple-2", "successive-residual-2", "successive-single-2"),
    ),
    "successive-five.webp": ("Multiple decoders, five layers of CBR 1/12, white noise", ("successive-multiple-5",)),
    "successive-rayleigh.webp": (
        "Two layers of CBR 1/12, slow Rayleigh fading, unknown to both ends",
        ("successive-rayleigh-2",),
    ),
}


def write_successive_report(figures: list[Figure], folder: Path) -> Path:
    """Writes ``successive.md`` and the plots that it shows, under ``images/``; returns the page.

    Args:
        figures: from `successive_figures`.
        folder: made if it is not there; files are whole or not there.
    """
    pictures = folder / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    curves = _curves(figures)
    at = figures[0].at
    lines = [
        "# Successive refinement, measured",
        "",
        "<!-- written by: gr-jscc reproduce successive -->",
        "",
        f"{at['images']} test pictures of CIFAR-10, {at['draws']} channel draws each, ideal channels; mean of the PSNR"
        " in RGB of pictures rounded to 8 bits. The paper is Kurka & Gündüz (2019). Except in the first table, a"
        " transmitter of residuals knows what arrived.",
        "",
    ]
    lines += _table(figures)
    for name, (title, models) in PLOTS.items():
        shown = {
            f"{weights}, {layer} layer{'s' if layer > 1 else ''}": sorted(curve.items())
            for (weights, layer), curve in curves.items()
            if weights in models
        }
        if shown:
            plot_psnr_over_snr(pictures / name, shown, title)
            lines += [f"## {title}", "", f"![{title}](images/{name})", ""]
            lines += _curve_rows({key: curve for key, curve in curves.items() if key[0] in models})
    lines += feedback_lines(figures) + _comparisons(figures) + _one_snr(curves)
    page = folder / "successive.md"
    write_whole(page, "\n".join(lines).rstrip() + "\n")
    return page


def _curves(figures: list[Figure]) -> dict[tuple[str, int], Curve]:
    """(weights, layers) → PSNR over SNR."""
    curves: dict[tuple[str, int], Curve] = {}
    for figure in figures:
        if figure.name == "psnr_db" and "layers" in figure.at and "realisations" not in figure.at:
            curve = curves.setdefault((figure.at["weights"], figure.at["layers"]), {})
            curve[figure.at["snr_db"]] = figure.value
    return curves


def _table(figures: list[Figure]) -> list[str]:
    columns = {f.at["realisations"]: f.value for f in figures if "realisations" in f.at}
    if not columns:
        return []
    paper = [PAPER_TABLE[m] for m in REALISATIONS] + [PAPER_FEEDBACK]
    return [
        "## Residuals: what knowing the receiver's estimate is worth (Table I)",
        "",
        "PSNR in dB after two layers of CBR 1/12 at 13 dB, over the receptions that the transmitter simulates.",
        "",
        "| | " + " | ".join(f"m = {m}" for m in REALISATIONS) + " | direct feedback |",
        "|---|" + "---|" * len(paper),
        "| paper | " + " | ".join(f"{value:.2f}" for value in paper) + " |",
        "| measured | " + " | ".join(f"{columns[key]:.2f}" for key in columns) + " |",
        "",
    ]


def _curve_rows(curves: dict[tuple[str, int], Curve]) -> list[str]:
    snrs = sorted({snr_db for curve in curves.values() for snr_db in curve})
    rows = ["| PSNR, dB, at | " + " | ".join(f"{snr_db:g} dB" for snr_db in snrs) + " |", "|---|" + "---|" * len(snrs)]
    for (weights, layer), curve in curves.items():
        cells = (f"{curve[snr_db]:.2f}" if snr_db in curve else "" for snr_db in snrs)
        rows.append(f"| {weights}, layer {layer} | " + " | ".join(cells) + " |")
    return [*rows, ""]


def _comparisons(figures: list[Figure]) -> list[str]:
    shown = [figure for figure in figures if figure.name != "psnr_db" and "feedback" not in figure.at]
    if not shown:
        return []
    rows = ["## What layers gain and cost, at 13 dB", "", "| figure | of | dB | bar | holds |", "|---|---|---|---|---|"]
    for figure in shown:
        of = figure.at["weights"] + (f" against {figure.at['against']}" if "against" in figure.at else "")
        of += f", layer {figure.at['layers']}" if "layers" in figure.at else ""
        sign = "≥" if figure.least is not None else "≤"
        holds = "yes" if figure.holds else "no"
        rows.append(f"| `{figure.name}` | {of} | {figure.value:.2f} | {sign} {figure.bar:g} | {holds} |")
    return [*rows, ""]


def _one_snr(curves: dict[tuple[str, int], Curve]) -> list[str]:
    """The paper's network trained and tested at one SNR, and ours beside it."""
    snrs = sorted(PAPER_CNN)

    def row(label: str, *places: tuple[str, int]) -> list[str]:
        """PSNR for CBR 1/12 and 1/6 of (weights, layers), an SNR may stand in their names; no row without any."""
        found = [
            curves.get((weights.format(snr=snr), layers), {}).get(float(snr))
            for snr in snrs
            for weights, layers in places
        ]
        if all(value is None for value in found):
            return []
        return [f"| {label} | " + " | ".join("" if value is None else f"{value:.2f}" for value in found) + " |"]

    ours = row("the same trained here", ("successive-cnn-{snr}", 1), ("successive-cnn-one-{snr}", 1))
    ours += row("the same trained here in two layers", ("successive-cnn-{snr}", 1), ("successive-cnn-{snr}", 2))
    two = "successive-multiple-2"
    ours += row(f"{two}, one model for 10 to 16 dB", (two, 1), (two, 2))
    if not ours:
        return []
    paper = (f"{value}" for snr in snrs for value in PAPER_CNN[snr])
    return [
        "## Compared with the paper's network at matched SNR",
        "",
        "| PSNR, dB | " + " | ".join(f"{snr} dB, CBR 1/12 | {snr} dB, CBR 1/6" for snr in snrs) + " |",
        "|---|" + "---|---|" * len(snrs),
        "| the paper's network, one model for each column, read off its figures | " + " | ".join(paper) + " |",
        *ours,
        "",
    ]
