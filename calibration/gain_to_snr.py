"""Transmit gain against the SNR at the receiver.

What to send: `calibration.bursts.burst_samples`, at one gain after another. The SNR is Es/N0 per data subcarrier as the
link's receiver estimates it (docs/modem.md), the median over the bursts; so whatever the receiver adds is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bursts import receive_bursts
from .comb import CalibrationError

LEAST_BURSTS = 4


def link_snr_db(samples: np.ndarray) -> float:
    """SNR of the bursts in a capture complex64[n], dB; NaN where hardly any arrived."""
    bursts = receive_bursts(samples)
    return float(np.median([burst.snr_db for burst in bursts])) if len(bursts) >= LEAST_BURSTS else float("nan")


def gain_for_snr(table: Sequence[tuple[float, float]], snr_db: float) -> float:
    """The lowest gain that reaches an SNR, between the rows of [(gain dB, SNR dB)].

    Raises:
        CalibrationError: none does; the message names the highest.
    """
    rows = sorted(table)
    for (low, low_snr), (high, high_snr) in zip(rows, rows[1:]):
        if low_snr <= snr_db <= high_snr:
            return low + (high - low) * (snr_db - low_snr) / max(high_snr - low_snr, 1e-9)
    if rows and rows[0][1] >= snr_db:
        return rows[0][0]
    best = max((snr for _, snr in rows), default=float("nan"))
    raise CalibrationError(f"no transmit gain of the calibration reaches {snr_db:g} dB: the most is {best:.1f} dB")
