"""How a report calls metrics, conditions and rates."""

from __future__ import annotations

from fractions import Fraction

from gr_jscc.sweeps.experiment import ImageSet
from gr_jscc.sweeps.page.points import LEAST_VALUES, Conditions

METRICS = {"psnr_db": "PSNR", "ms_ssim_db": "MS-SSIM", "lpips": "LPIPS"}
UNITS = {"psnr_db": "dB", "ms_ssim_db": "dB", "lpips": "lower is better"}
AXES = {"cbr": "CBR: complex channel uses / (3·H·W), as counted", "snr_db": "SNR (Es/N0), dB"}
NOTHING = "–"
TOO_FEW = f", of fewer than {LEAST_VALUES} values: too few for an interval."


def describe(conditions: Conditions, images: ImageSet) -> str:
    """The conditions in a few words; the textbook channel needs none."""
    words = [images.name]
    words += [f"{images.count} pictures"] if images.count else []
    words += [f"crops of {images.crop}"] if images.crop else []
    words += [] if conditions.channel == "awgn" else [conditions.channel]
    words += [] if conditions.mode == "ideal" else [conditions.mode.replace("-", " ")]
    return ", ".join(words)


def ratio_text(value: float) -> str:
    """``1/12`` where it is that, else a number."""
    fraction = Fraction(value).limit_denominator(1000)
    close = abs(float(fraction) - value) < 1e-6 and fraction.numerator < 10
    return f"{fraction.numerator}/{fraction.denominator}" if close and fraction.denominator > 1 else f"{value:.4g}"
