"""Plots of what a run left, drawn without a display."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import IO

import matplotlib
import matplotlib.patches
import numpy as np
from matplotlib.figure import Figure

from gr_jscc.files.whole import whole, writing

matplotlib.use("Agg")

#: How lines are saved as WebP: exactly, at less than half of a PNG's size.
LOSSLESS = {"format": "webp", "pil_kwargs": {"lossless": True, "method": 6}}


def plain(text: str) -> str:
    """A text of others as matplotlib shows it letter by letter: ``$`` begins no formula, ``_x`` is a label, too."""
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes the figure, as WebP where the name ends so and else as PNG; the file is whole or not there.

    Raises:
        UserError: it cannot be written.
    """
    with writing(path), whole(path) as part:
        draw(figure, part, dpi=130, **(LOSSLESS if path.suffix == ".webp" else {"format": "png"}))


def draw(figure: Figure, target: Path | IO[bytes], **options: object) -> None:
    """`Figure.savefig`, which says nothing where the font lacks a letter of somebody's name and shows a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(target, **options)


def plot_comparison(path: Path, original: np.ndarray, received: np.ndarray | None, report: dict) -> None:
    """Sent and received side by side with the report's figures.

    Args:
        path: the PNG to write.
        original: uint8[H, W, 3].
        received: uint8[H, W, 3], or None when nothing arrived.
        report: see `gr_jscc.reports.report`.
    """
    height, width = original.shape[:2]
    figure = Figure(figsize=(12, 6 * height / width + 1.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(original)
    left.set_title(plain(f"sent: {report['image']['name']}, {width}×{height}"))
    if received is None:
        right.text(0.5, 0.5, "not received", ha="center", va="center", transform=right.transAxes, fontsize=20)
        right.set_title("received: nothing")
    else:
        right.imshow(received)
        quality = [f"PSNR {report['psnr_db']:.2f} dB"] if report["psnr_db"] is not None else []
        quality += [f"MS-SSIM {report['ms_ssim']:.4f}"] if report["ms_ssim"] is not None else []
        right.set_title(f"{'received' if report['arrived'] else 'not received, shown grey'}: {'   '.join(quality)}")
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    cbr, link = report["cbr"], report["link"]
    line = f"{report['codec']} ({report['weights']}), channel {report['channel']}"
    if report["snr_db"] is not None:
        line += f" at {report['snr_db']:g} dB"
    if link["snr_est_db"] is not None:
        line += f" (estimated {link['snr_est_db']:.1f} dB)"
    line += f"   CBR {cbr['payload']:.4f}, with headers and side information {cbr['total']:.4f}"
    figure.supxlabel(plain(line), fontsize=11)
    save_figure(figure, path)


def plot_constellation(path: Path, symbols: np.ndarray, title: str) -> None:
    """Density of received symbols complex64[n] in the complex plane.

    Analog symbols form no points: they fill a disc of power 1, blurred by noise. The two denser spots
    on the real axis are the BPSK of manifests.
    """
    figure = Figure(figsize=(6, 5.4), layout="constrained")
    axes = figure.subplots()
    image = axes.hexbin(symbols.real, symbols.imag, gridsize=90, extent=(-3, 3, -3, 3), bins="log", cmap="magma")
    figure.colorbar(image, label="symbols", ax=axes)
    axes.add_patch(matplotlib.patches.Circle((0, 0), 1, fill=False, color="white", linestyle="--", linewidth=0.8))
    axes.set(xlabel="in-phase", ylabel="quadrature", title=plain(title), aspect="equal")
    save_figure(figure, path)


def plot_psnr_over_snr(
    path: Path,
    curves: dict[str, list[tuple[float, float]]],
    title: str,
    label: str = "SNR (Es/N0 per data subcarrier), dB",
) -> None:
    """PSNR over SNR.

    Args:
        path: the PNG to write.
        curves: label → (SNR dB, PSNR dB) points.
        title: of the plot.
        label: of the axis of SNRs.
    """
    figure = Figure(figsize=(7, 4.8), layout="constrained")
    axes = figure.subplots()
    styles = itertools.cycle(("o-", "s--", "^:", "d-."))
    for name, points in curves.items():
        x, y = zip(*sorted(points), strict=True)
        axes.plot(x, y, next(styles), label=plain(name))
    axes.set(xlabel=label, ylabel="PSNR, dB", title=plain(title))
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)
