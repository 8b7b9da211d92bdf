"""Plots of a calibration, one file a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gr_jscc.calibration.comb import LINES, SEGMENT, ReceivedComb, receive_comb
from gr_jscc.calibration.compression import AmplitudeCurve, distortion_db
from gr_jscc.calibration.noise_floor import BINS, NoiseFloor, power_spectrum
from gr_jscc.calibration.snr_estimator import EstimatorTrial
from gr_jscc.files.whole import whole
from gr_jscc.modem import DEFAULT_NUMEROLOGY


def draw(folder: Path, step: str, data: object) -> Path:
    """Draws what a step of `calibration.steps` left in its findings.

    Args:
        folder: where FOLDER/STEP.png is written; the file is whole or not there.
        step: a key of `_PLOTS`.
        data: of it.

    Returns:
        the file.
    """
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    _PLOTS[step](figure.subplots(), data)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{step}.png"
    with whole(path) as part:
        figure.savefig(part, format="png", dpi=110)
    return path


def _noise(axes: Axes, found: NoiseFloor) -> None:
    cycles = np.fft.fftshift(np.fft.fftfreq(BINS))
    axes.plot(cycles, found.spectrum_db, linewidth=0.8)
    axes.axhline(found.dbfs, color="black", linestyle="--", label=f"noise floor {found.dbfs:.1f} dBFS")
    half = DEFAULT_NUMEROLOGY.used_carriers[-1] / DEFAULT_NUMEROLOGY.fft_size
    axes.axvspan(-half, half, alpha=0.1, label="carriers in use")
    for i, (place, level) in enumerate(found.spurs):
        axes.axvline(place, color="red", linewidth=0.6, label=f"spurs, e.g. {level:.0f} dBFS" if i == 0 else None)
    axes.set(xlabel="frequency, cycles per sample", ylabel="power in the whole band, dBFS", title="Receiver, silence")
    _finish(axes)


def _carrier(axes: Axes, data: tuple[ReceivedComb, float]) -> None:
    found, sample_rate = data
    starts = np.arange(len(found.amplitudes)) * SEGMENT
    turned = found.reference * np.exp(-2j * np.pi * found.lo * starts)
    degrees = np.degrees(np.unwrap(np.angle(turned)))
    axes.plot(starts / sample_rate * 1e3, degrees - degrees.mean())
    axes.set(
        xlabel="time, ms",
        ylabel="phase, degrees",
        title="Phase of the transmitter's carrier, offset removed",
    )
    _finish(axes)


def _front_end(axes: Axes, data: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = data
    cycles = np.fft.fftshift(np.fft.fftfreq(BINS))
    found = receive_comb(before)
    for samples, label in ((before, "as received"), (after, "corrected")):
        spectrum = 10 * np.log10(np.maximum(power_spectrum(samples) / BINS, 1e-14))
        axes.plot(cycles, spectrum - found.power_dbfs, linewidth=0.8, label=label)
    marks = {
        "tones": [found.frequency(line) for line in LINES],
        "receiver's image": [-found.frequency(line) for line in LINES],
        "transmitter's image": [found.frequency(-line) for line in LINES],
        "leakage": [found.lo],
        "DC": [0.0],
    }
    for row, (name, places) in enumerate(marks.items()):
        axes.annotate(name, (np.mean(places), 4 + 5 * row), ha="center", fontsize=8)
        for place in places:
            axes.axvline(place, color="grey", linewidth=0.5, linestyle=":")
    axes.set(xlabel="frequency, cycles per sample", ylabel="bin power relative to the tones, dB", ylim=(-90, 32))
    _finish(axes)


def _compression(axes: Axes, data: tuple[AmplitudeCurve, float]) -> None:
    curve, power = data
    axes.plot(curve.input_dbfs, curve.gain_db, ".-", label="tone gain relative to low levels")
    axes.axhline(-1, color="grey", linestyle=":")
    if curve.compression_dbfs is not None:
        axes.axvline(
            curve.compression_dbfs, color="red", label=f"1 dB compression point at {curve.compression_dbfs:.1f} dBFS"
        )
    axes.axvline(power, color="green", linestyle="--", label=f"mean burst power, {power:.2f} dBFS")
    axes.set(xlabel="transmitted power, dBFS", ylabel="gain, dB", title="Compression of the transmitter")
    other = axes.twinx()
    means = np.arange(-20.0, -2.0)
    other.plot(means, [distortion_db(curve, mean) for mean in means], color="tab:orange", linewidth=1)
    other.set_ylabel("burst distortion, dB", color="tab:orange")
    _finish(axes, "lower left")


def _power(axes: Axes, table: list[tuple[float, float]]) -> None:
    gains, levels = np.array(table).T
    axes.plot(gains, levels, "o-", label="measured")
    axes.plot(gains, gains + np.median(levels - gains), "k:", label="1 dB per dB")
    axes.set(xlabel="transmit gain, dB", ylabel="a full-scale tone at the receiver, dBFS", title="Output power")
    _finish(axes)


def _snr(axes: Axes, table: list[tuple[float, float]]) -> None:
    gains, snr = np.array(table).T
    axes.plot(gains, snr, "o-")
    axes.set(
        xlabel="transmit gain, dB", ylabel="SNR (Es/N0 per data subcarrier), dB", title="SNR against transmit gain"
    )
    _finish(axes)


def _estimator(axes: Axes, trials: list[EstimatorTrial]) -> None:
    axes.plot([trial.true_db for trial in trials], [trial.bias_db for trial in trials], "o-")
    axes.axhspan(-0.3, 0.3, alpha=0.1, label="±0.3 dB")
    axes.set(
        xlabel="SNR from the known payload, dB", ylabel="estimate minus truth, dB", title="The receiver's SNR estimate"
    )
    axes.set_ylim(-0.6, 0.6)
    _finish(axes)


def _finish(axes: Axes, place: str = "best") -> None:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=place, fontsize=8)


_PLOTS: dict[str, Callable[[Axes, object], None]] = {
    "noise": _noise,
    "carrier": _carrier,
    "dc": _front_end,
    "iq": _front_end,
    "compression": _compression,
    "power": _power,
    "snr": _snr,
    "estimator": _estimator,
}
