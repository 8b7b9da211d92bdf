"""A recording's spectrogram with its annotations drawn, as a PNG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gr_jscc.errors import UserError
from gr_jscc.plots import save_figure
from gr_jscc.radio.sigmf_file import Recording

BINS = 128
COLUMNS = 1400
AVERAGED = 16  # spectra in a column at most, so that a long recording is sampled and not read
CLOSE_BURSTS = 12  # shown in the lower plot
MOST_PICTURES = 60  # marked: more would hide each other
COLOURS = {"picture": "white", "analog": "#7fd7ff", "digital": "#ff9f6b"}


def spectrogram(recording: Recording, first: int, count: int) -> np.ndarray:
    """Power over time and frequency, dB.

    Args:
        recording: of which.
        first, count: samples, within it.

    Returns:
        float32[BINS, columns], frequencies ascending; up to `COLUMNS` columns, each the mean of up to `AVERAGED`
        spectra of `BINS` samples under a Hann window.

    Raises:
        RadioError: the samples cannot be read.
    """
    columns = max(1, min(COLUMNS, count // BINS))
    edges = np.linspace(first, first + count, columns + 1).astype(np.int64)
    window = np.hanning(BINS).astype(np.float32)
    power = np.zeros((columns, BINS), np.float32)
    for column, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        samples = recording.read(int(begin), int(min(max(end - begin, BINS), BINS * AVERAGED)))
        samples = np.pad(samples, (0, -len(samples) % BINS))
        rows = samples.reshape(-1, BINS) * window
        power[column] = np.mean(np.abs(np.fft.fftshift(np.fft.fft(rows, axis=1), axes=1)) ** 2, axis=0)
    return 10 * np.log10(np.maximum(power.T, 1e-12))


def plot_recording(path: Path, recording: Recording, sample_rate: float = 1e6) -> None:
    """Draws the whole recording with its pictures and, below, the first bursts.

    Args:
        path: the PNG to write.
        recording: of which; annotations of other programs are drawn as bursts are. The title counts those that mark
            none of its samples.
        sample_rate: where the recording does not say.

    Raises:
        RadioError: it cannot be read.
        UserError: the PNG cannot be written.
    """
    rate = recording.sample_rate or sample_rate
    pictures, bursts, outside = _marks(recording)
    figure = Figure(figsize=(13, 7 if bursts else 4), layout="constrained")
    axes = figure.subplots(2 if bursts else 1, 1, squeeze=False)[:, 0]
    _draw(axes[0], recording, rate, 0, recording.samples)
    left_out = f"; {outside} annotations lie outside it" if outside else ""
    title = f"{recording.meta.name}: {recording.samples / rate:.3g} s at {rate / 1e6:g} Msps{left_out}"
    axes[0].set_title(title, parse_math=False)
    for mark in pictures:
        _mark(axes[0], recording, rate, mark, COLOURS["picture"])
    if bursts:
        first = max(0, bursts[0].first - 500)
        last = min(recording.samples, max(mark.end for mark in bursts) + 500)
        _draw(axes[1], recording, rate, first, last - first)
        axes[1].set_title("first bursts")
        for mark in bursts:
            _mark(axes[1], recording, rate, mark, COLOURS.get(str(mark.fields.get("jscc:kind")), COLOURS["analog"]))
    try:
        save_figure(figure, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


@dataclass(frozen=True)
class _Annotation:
    first: int  # sample of the recording, from 0
    end: int
    fields: dict


def _marks(recording: Recording) -> tuple[list[_Annotation], list[_Annotation], int]:
    """Pictures, and the first bursts, both as many as are drawn; and how many annotations mark nothing in it."""
    pictures: list[_Annotation] = []
    bursts: list[_Annotation] = []
    outside = 0
    for fields in recording.annotations():
        kind = str(fields.get("jscc:mark", "burst"))
        shown, most = {"picture": (pictures, MOST_PICTURES), "burst": (bursts, CLOSE_BURSTS)}.get(kind, ([], 0))
        extent = recording.extent(fields)
        if extent is None:
            outside += 1
        elif len(shown) < most:
            shown.append(_Annotation(*extent, fields))
    return pictures, bursts, outside


def _draw(axes: Axes, recording: Recording, rate: float, first: int, count: int) -> None:
    middle = (recording.frequency or 0.0) / 1e6
    half = rate / 2e6
    levels = spectrogram(recording, first, count)
    extent = (first / rate, (first + count) / rate, middle - half, middle + half)
    low, high = np.percentile(levels[levels > -115] if (levels > -115).any() else levels, (5, 99.5))
    axes.imshow(levels, aspect="auto", origin="lower", extent=extent, cmap="viridis", vmin=low, vmax=high)
    axes.set_xlabel("time, s")
    axes.set_ylabel("frequency, MHz")
    axes.ticklabel_format(axis="y", useOffset=False)


def _mark(axes: Axes, recording: Recording, rate: float, mark: _Annotation, colour: str) -> None:
    """An annotation's rectangle; without edges it spans the band."""
    middle = recording.frequency or 0.0
    low = _number(mark.fields.get("core:freq_lower_edge"), middle - rate / 2) / 1e6
    high = _number(mark.fields.get("core:freq_upper_edge"), middle + rate / 2) / 1e6
    start, length = mark.first / rate, (mark.end - mark.first) / rate
    axes.add_patch(Rectangle((start, low), length, high - low, fill=False, edgecolor=colour, linewidth=1.2))
    label, height, align = str(mark.fields.get("core:label", "")), high, "bottom"
    report = mark.fields.get("jscc:report")
    if mark.fields.get("jscc:kind") == "digital":
        height, align = low, "top"  # these are short: above they would cover their neighbours' labels
    elif isinstance(report, dict) and (psnr := _number(report.get("psnr_db"))) is not None:
        label += f" {psnr:.2f} dB"
    box = {"facecolor": "black", "alpha": 0.5, "pad": 1, "edgecolor": "none"}
    axes.text(
        start, height, label, color=colour, fontsize=8, va=align, ha="left", clip_on=True, bbox=box, parse_math=False
    )


def _number(value: object, otherwise: float | None = None) -> float | None:
    """A number as another program wrote it; what stands in its place where it is none."""
    return value if isinstance(value, (int, float)) and math.isfinite(value) else otherwise
