"""Tables and a plot from the figures of `separation_benchmark`, put into a page."""

from __future__ import annotations

from pathlib import Path

from gr_jscc.benchmarks.separation import LITERATURE
from gr_jscc.figures import Figure
from gr_jscc.files.whole import write_whole
from gr_jscc.plots import plot_psnr_over_snr

BEGIN = "<!-- written by: gr-jscc reproduce separation -->"
END = "<!-- end of what it wrote -->"
PLOT = "separation-cliff.webp"
NAMES = {
    "separation": "HEVC + LDPC, 16-QAM 2/3, designed for 10 dB",
    "separation-capacity": "HEVC + capacity",
    "deepjscc": "DeepJSCC, one model",
}


def write_separation_report(figures: list[Figure], folder: Path) -> Path:
    """Writes the tables into ``separation.md``, in the place of those that are there, and the plot under ``images/``.

    Args:
        figures: from `kodak_figures` and, if wanted, `cliff_figures`.
        folder: made if it is not there; files are whole or not there.

    Returns:
        The page.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = [BEGIN, "", *_kodak(figures), *_cliff(figures, folder / "images" / PLOT), END]
    page = folder / "separation.md"
    text = (
        page.read_text(encoding="utf-8") if page.is_file() else f"# The digital baseline, measured\n\n{BEGIN}\n{END}\n"
    )
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    write_whole(page, before + "\n".join(lines) + after)
    return page


def _kodak(figures: list[Figure]) -> list[str]:
    measured = {
        (figure.at["codec"], figure.at["cbr"]): figure.value
        for figure in figures
        if figure.name == "psnr_db" and figure.at["channel"] == "ideal-awgn"
    }
    images = figures[0].at["images"]
    cbrs = list(LITERATURE["separation"])
    rows = [f"| PSNR in dB at CBR | {' | '.join(cbrs)} |", "|---|" + "---|" * len(cbrs)]
    for codec, row in LITERATURE.items():
        values = (f"{measured[codec, cbr]:.2f}" for cbr in cbrs)
        rows.append(f"| {NAMES[codec].split(',')[0]} | {' | '.join(values)} |")
        rows.append(f"| {NAMES[codec].split(',')[0].replace('HEVC', 'BPG')}, literature | {_cells(row.values())} |")
    return [f"{images} images over the ideal channel at 10 dB:", "", *rows, ""]


def _cliff(figures: list[Figure], plot: Path) -> list[str]:
    shown = [figure for figure in figures if figure.at["channel"] == "awgn"]
    if not shown:
        return []
    codecs = list(dict.fromkeys(figure.at["codec"] for figure in shown))
    snrs = sorted({figure.at["snr_db"] for figure in shown})
    value = {(figure.name, figure.at["codec"], figure.at["snr_db"]): figure.value for figure in shown}
    curves = {NAMES[codec]: [(snr_db, value["psnr_db", codec, snr_db]) for snr_db in snrs] for codec in codecs}
    at = shown[0].at
    title = f"CBR {at['cbr']} through the flowgraph, {at['images']} images"
    plot_psnr_over_snr(plot, curves, title)
    rows = [f"| SNR | {' | '.join(f'{snr_db:g} dB' for snr_db in snrs)} |", "|---|" + "---|" * len(snrs)]
    for codec in codecs:
        rows.append(f"| {NAMES[codec]}: PSNR, dB | {_cells((value['psnr_db', codec, s] for s in snrs), 2)} |")
    lost = (value["images_lost", "separation", snr_db] for snr_db in snrs)
    rows.append(f"| images lost of {at['images']}, HEVC + LDPC | {_cells(lost, 0)} |")
    costs = {codec: value["cbr_total", codec, snrs[-1]] for codec in codecs}
    cost = ", ".join(f"{cbr:.4f} ({NAMES[codec].split(',')[0]})" for codec, cbr in costs.items())
    return [
        f"{title}, white noise; a lost image is shown grey and counted with the PSNR of that grey picture. With "
        f"headers, manifests and side information the CBR is {cost}.",
        "",
        *rows,
        "",
        f"![PSNR over SNR: the digital scheme falls off a cliff, DeepJSCC degrades gradually](images/{plot.name})",
        "",
    ]


def _cells(values, digits: int = 1) -> str:
    return " | ".join(f"{value:.{digits}f}" for value in values)
