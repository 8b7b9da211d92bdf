"""Bjontegaard figures: two rate-distortion curves in one number, by the package bjontegaard."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from gr_jscc.metrics.picture import LARGEST_PSNR_DB

Curve = Sequence[tuple[float, float]]  # (CBR, quality in dB)

METHOD = "akima"  # piecewise, as the package's authors advise: no swinging between points
LEAST_POINTS = 3


def bd_cbr_percent(anchor: Curve, test: Curve) -> float:
    """How many more channel uses ``test`` takes for the quality of ``anchor``, percent; below 0 it takes fewer.

    The mean over the qualities that both reach, of the CBR's logarithm.

    Args:
        anchor, test: curves in any order; quality grows with the CBR.

    Returns:
        NaN where the curves share no quality, have fewer than three points, or do not grow.
    """
    import bjontegaard

    return _compared(bjontegaard.bd_rate, anchor, test)


def bd_quality_db(anchor: Curve, test: Curve) -> float:
    """How much better ``test`` is than ``anchor`` at the same CBR, dB, the mean over the CBRs (logarithmic) of both.

    BD-PSNR for curves of PSNR, BD-MS-SSIM for MS-SSIM in dB; arguments and NaN as for `bd_cbr_percent`.
    """
    import bjontegaard

    return _compared(bjontegaard.bd_psnr, anchor, test)


def _compared(figure, anchor: Curve, test: Curve) -> float:
    curves = [np.array(_below_the_cap(sorted(curve)), dtype=float).reshape(-1, 2).T for curve in (anchor, test)]
    if any(len(cbr) < LEAST_POINTS or np.any(np.diff(cbr) <= 0) or np.any(np.diff(db) <= 0) for cbr, db in curves):
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about little overlap, which the plot beside the figure shows
        return float(figure(*curves[0], *curves[1], method=METHOD, require_matching_points=False, min_overlap=0))


def _below_the_cap(curve: Curve) -> Curve:
    """A curve up to its first point without any error: a higher CBR cannot bring more."""
    exact = next((place for place, (_, db) in enumerate(curve) if db >= LARGEST_PSNR_DB), len(curve))
    return curve[: exact + 1]
