"""The page and the plots of the banana source: where the source is, where the channel goes, and what is gained."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from gr_jscc.banana.benchmark import SNR_DB, Measured, Point, best
from gr_jscc.banana.models import BananaDeepJSCC, BananaNTSCC, draw_banana
from gr_jscc.figures import Figure
from gr_jscc.files.whole import write_whole
from gr_jscc.plots import save_figure

matplotlib.use("Agg")
EXTENT = (-9.0, 9.0)
CELLS = 90
FINEST = 1.0  # quality; a coarser code needs one number only, and says nothing of the density across
SHOWN_RATIO = 1.0  # channel uses per number in the maps
SAMPLES = 60_000  # in the maps of errors


def write_banana_report(
    figures: list[Figure], measured: Measured, network: BananaNTSCC, rival: BananaDeepJSCC, folder: Path
) -> Path:
    """Writes ``banana.md`` and three plots under ``images/``; returns the page.

    Args:
        figures: from `banana_figures`.
        measured: what they are from.
        network, rival: whose maps are drawn.
        folder: made if it is not there.
    """
    pictures = folder / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    shown = best(measured.ntscc, SHOWN_RATIO)
    draw_source(pictures / "banana-source.webp", network, shown)
    draw_quality(pictures / "banana-quality.webp", network, rival, shown)
    draw_curves(pictures / "banana-sdr.webp", measured)
    lines = [
        "# The banana source",
        "",
        "<!-- written by: gr-jscc reproduce banana -->",
        "",
        "Two correlated numbers, sent over a real Gaussian channel at 5 dB, as in section IV-B of the NTSCC paper. "
        "CBR is real channel uses per number. *NTSCC* counts as the paper does: the receiver knows without charge "
        "how many channel values each sample has. *Rates charged* adds the entropy of that number, at capacity. The "
        "transmitter chooses the quality, η and the largest number of values per sample, 1 or 15. Below CBR 0.5 most "
        "of what the receiver learns comes from that number itself, so there is no gain once it is charged. Rates "
        "are computed from the latents as sent; with the paper's rule, which uses rounded latents, NTSCC stays below "
        "DeepJSCC at CBR 0.5.",
        "",
        "![SDR over CBR](images/banana-sdr.webp)",
        "",
        *_table(figures),
        "",
        "![Source, learned density, channel uses](images/banana-source.webp)",
        "",
        "At such rates little more than the position along the parabola is coded. The entropy model's density, drawn "
        "at the finest quality, therefore follows the source along the parabola but not across it: the paper's "
        "figure 9b is not reproduced.",
        "",
        "![Where DeepJSCC and NTSCC are good](images/banana-quality.webp)",
        "",
    ]
    page = folder / "banana.md"
    write_whole(page, "\n".join(lines))
    return page


def _table(figures: list[Figure]) -> list[str]:
    columns = ("ntscc", "ntscc, rates charged", "deepjscc", "ntc-capacity")
    cells: dict[float, dict[str, float]] = {}
    for figure in figures:
        if figure.name == "sdr_db":
            name = figure.at["codec"] + (", rates charged" if "charged" in figure.at else "")
            cells.setdefault(figure.at["cbr"], {})[name] = figure.value
    rows = [f"| CBR | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for ratio, row in sorted(cells.items()):
        texts = (f"{row[name]:.2f}" if name in row else "–" for name in columns)
        rows.append(f"| {ratio:g} | {' | '.join(texts)} |")
    return ["SDR in dB at that CBR or less:", "", *rows]


def _grid() -> Tensor:
    centres = torch.linspace(*EXTENT, CELLS + 1)
    centres = (centres[1:] + centres[:-1]) / 2
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1).reshape(-1, 2)


def learned_density(network: BananaNTSCC, x: Tensor, level: float) -> Tensor:
    """The density that the entropy model stands for at float32[N, 2]: that of the latents, by the transform's slope."""
    quality = torch.tensor([[level]])

    def analyse(point: Tensor) -> Tensor:
        return network.compressor.analyse(point[None], quality)[0]

    slope = torch.func.vmap(torch.func.jacrev(analyse))(x)
    with torch.no_grad():
        spread = quality.expand(len(x), 1)
        bits = network.compressor.bits(network.compressor.analyse(x, spread), spread)
        return (-bits).exp2() * torch.linalg.det(slope).abs()


def draw_source(path: Path, network: BananaNTSCC, shown: Point) -> None:
    """The source, the density that the entropy model learned, and where the channel uses go (figure 9)."""
    samples = draw_banana(400_000, torch.Generator().manual_seed(5))
    grid = _grid()
    quality = torch.full((len(grid), 1), shown.quality)
    with torch.no_grad():
        bits = network.compressor.bits(network.compressor.analyse(grid, quality), quality)
        rate = network.rate(bits, torch.tensor(shown.eta), shown.most).reshape(CELLS, CELLS)
    drawing = Drawing(figsize=(13, 4.2), layout="constrained")
    source, learned, spent = drawing.subplots(1, 3)
    edges = np.linspace(*EXTENT, CELLS + 1)
    histogram = np.histogram2d(*samples.numpy().T, bins=(edges, edges), density=True)[0].T
    density = learned_density(network, grid, FINEST).reshape(CELLS, CELLS)
    for axes, values, title in (
        (source, histogram, "density of the source"),
        (learned, density.numpy(), "density that the entropy model learned"),
        (spent, rate.numpy(), f"channel values per sample, mean {2 * shown.ratio:.2f}"),
    ):
        image = axes.imshow(values, origin="lower", extent=(*EXTENT, *EXTENT), cmap="viridis")
        axes.set_title(title)
        drawing.colorbar(image, ax=axes, shrink=0.8)
    save_figure(drawing, path)


def draw_quality(path: Path, network: BananaNTSCC, rival: BananaDeepJSCC, shown: Point) -> None:
    """Squared error at every place of the source (figures 10a and 10b)."""
    generator = torch.Generator().manual_seed(6)
    x = draw_banana(SAMPLES, generator)
    quality = torch.full((len(x), 1), shown.quality)
    with torch.no_grad():
        y = network.compressor.analyse(x, quality)
        rate = network.rate(network.compressor.bits(y, quality), torch.tensor(shown.eta), shown.most)
        errors = {
            f"DeepJSCC, CBR {rival.values / 2:g}": rival(x, SNR_DB, generator) - x,
            f"NTSCC, CBR {shown.ratio:.2f}": network.transmit(y, rate, quality, SNR_DB, generator) - x,
        }
    drawing = Drawing(figsize=(9.5, 4.4), layout="constrained")
    edges = np.linspace(*EXTENT, CELLS // 3 + 1)
    for axes, (title, error) in zip(drawing.subplots(1, 2), errors.items()):
        weights = error.square().sum(1).numpy()
        total = np.histogram2d(*x.numpy().T, bins=(edges, edges), weights=weights)[0].T
        count = np.histogram2d(*x.numpy().T, bins=(edges, edges))[0].T
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count >= 5, 10 * np.log10(total / count), np.nan)
        image = axes.imshow(mean, origin="lower", extent=(*EXTENT, *EXTENT), cmap="magma_r", vmin=-8, vmax=8)
        axes.set_title(title)
    drawing.colorbar(image, ax=drawing.axes, shrink=0.8, label="squared error, dB")
    save_figure(drawing, path)


def draw_curves(path: Path, measured: Measured) -> None:
    """SDR over CBR (figure 10c)."""
    drawing = Drawing(figsize=(7, 4.6), layout="constrained")
    axes = drawing.subplots()
    for label, total, style in (("NTSCC", False, "-"), ("NTSCC, rates charged", True, "--")):
        curve = _envelope(measured.ntscc, total)
        axes.plot(*zip(*curve), style, label=label)
    axes.plot(*zip(*measured.deepjscc), "s-", label="DeepJSCC")
    axes.plot(*zip(*_envelope(measured.ntc, False)), ":", label="NTC + capacity")
    axes.set(xlabel="CBR (real channel uses per number)", ylabel="SDR, dB", xlim=(0, 2.2), ylim=(0, 16))
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(drawing, path)


def _envelope(points: list[Point], total: bool) -> list[tuple[float, float]]:
    curve: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: p.total if total else p.ratio):
        if not curve or point.sdr_db > curve[-1][1]:
            curve.append((point.total if total else point.ratio, point.sdr_db))
    return curve
