"""Transmit gain against received power.

What to send: `calibration.comb.comb_samples` of one amplitude, at one gain after another. The power of the tones is
taken, not that of all samples: noise and leakage do not count (Rife and Boorstyn, IEEE Trans. Inf. Theory 1974).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gr_jscc.calibration.comb import CalibrationError, receive_comb

CLIPPED = 0.99  # of full scale


def received_dbfs(samples: np.ndarray, sent_dbfs: float) -> float:
    """Power at the receiver of a transmit signal at digital full scale, were all linear, dBFS.

    Args:
        samples: complex64[n], a capture of the comb.
        sent_dbfs: mean power of the comb as sent.

    Raises:
        CalibrationError: the comb is not in it, or the receiver clips.
    """
    check_level(samples)
    return receive_comb(samples).power_dbfs - sent_dbfs


def clipped_share(samples: np.ndarray) -> float:
    """Share of the samples of which a part is at the converter's full scale."""
    parts = np.maximum(np.abs(samples.real), np.abs(samples.imag))
    return float(np.mean(parts >= CLIPPED))


def check_level(samples: np.ndarray) -> None:
    """Refuses captures that the receiver's converter has clipped.

    Raises:
        CalibrationError: with the share.
    """
    share = clipped_share(samples)
    if share > 1e-4:
        raise CalibrationError(
            f"the receiver clips {100 * share:.2g} % of the samples: lower its gain or add an attenuator"
        )


def gain_errors(table: Sequence[tuple[float, float]]) -> list[float]:
    """How far each received power in [(gain dB, dBFS)] is from the best line of slope 1, dB."""
    gains, levels = np.array(table, float).T
    excess = levels - gains
    return [float(error) for error in excess - np.median(excess)]
