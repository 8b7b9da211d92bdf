"""A recording's spectrogram with its annotations drawn, as a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gr_jscc.errors import UserError
from gr_jscc.evaluation.plots import save_figure
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
        recording: of which; annotations of other programs are drawn as bursts are.
        sample_rate: where the recording does not say.

    Raises:
        RadioError: it cannot be read.
        UserError: the PNG cannot be written.
    """
    rate = recording.sample_rate or sample_rate
    pictures: list[dict] = []
    marks: list[dict] = []
    for mark in recording.annotations():
        if mark.get("jscc:mark") == "picture" and len(pictures) < MOST_PICTURES:
            pictures.append(mark)
        elif mark.get("jscc:mark", "burst") == "burst" and len(marks) < CLOSE_BURSTS:
            marks.append(mark)
    figure = Figure(figsize=(13, 7 if marks else 4), layout="constrained")
    axes = figure.subplots(2 if marks else 1, 1, squeeze=False)[:, 0]
    _draw(axes[0], recording, rate, 0, recording.samples)
    axes[0].set_title(f"{recording.meta.name}: {recording.samples / rate:.3g} s at {rate / 1e6:g} Msps")
    for picture in pictures:
        _mark(axes[0], recording, rate, picture, COLOURS["picture"])
    if marks:
        first = max(0, marks[0]["core:sample_start"] - 500)
        last = max(mark["core:sample_start"] + mark.get("core:sample_count", 0) for mark in marks) + 500
        _draw(axes[1], recording, rate, first, min(last, recording.samples) - first)
        axes[1].set_title("the first bursts")
        for mark in marks:
            _mark(axes[1], recording, rate, mark, COLOURS.get(mark.get("jscc:kind"), COLOURS["analog"]))
    try:
        save_figure(figure, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


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


def _mark(axes: Axes, recording: Recording, rate: float, mark: dict, colour: str) -> None:
    """An annotation's rectangle; without edges it spans the band."""
    middle = recording.frequency or 0.0
    low = mark.get("core:freq_lower_edge", middle - rate / 2) / 1e6
    high = mark.get("core:freq_upper_edge", middle + rate / 2) / 1e6
    start, length = mark["core:sample_start"] / rate, mark.get("core:sample_count", 0) / rate
    axes.add_patch(Rectangle((start, low), length, high - low, fill=False, edgecolor=colour, linewidth=1.2))
    label, height, align = mark.get("core:label", ""), high, "bottom"
    if mark.get("jscc:kind") == "digital":
        height, align = low, "top"  # these are short: above they would cover their neighbours' labels
    elif (psnr := mark.get("jscc:report", {}).get("psnr_db")) is not None:
        label += f" {psnr:.2f} dB"
    box = {"facecolor": "black", "alpha": 0.5, "pad": 1, "edgecolor": "none"}
    axes.text(start, height, label, color=colour, fontsize=8, va=align, ha="left", clip_on=True, bbox=box)
