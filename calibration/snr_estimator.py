"""The receiver's SNR estimator against the truth.

What to send: `calibration.bursts.burst_samples` at levels that make SNRs from 0 to 25 dB. The payload is known, so the
truth can be had from the very bursts: the power of the data cells over that of their error, with channel, timing and
clock fitted to all that was sent (`calibration.error_budget`), as the error vector magnitude is measured (IEEE Std
802.11, 17.3.9.7). It holds all that the receiver sees as noise, such as quantisation, which a capture of silence would
not show, and nothing that the receiver adds by estimating the channel from less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gr_jscc.calibration.error_budget import error_budget


@dataclass(frozen=True)
class EstimatorTrial:
    """One level.

    Attributes:
        true_db: SNR from the known payload.
        estimated_db: mean of the receiver's estimates.
        bursts: they are of.

    Example:
        >>> EstimatorTrial(true_db=10.0, estimated_db=10.5, bursts=80).bias_db
        0.5
    """

    true_db: float
    estimated_db: float
    bursts: int

    @property
    def bias_db(self) -> float:
        """Estimate minus truth."""
        return self.estimated_db - self.true_db


def estimator_trial(samples: np.ndarray) -> EstimatorTrial:
    """From a capture of known bursts, complex64[n], at one level.

    Raises:
        CalibrationError: none arrives.
    """
    found = error_budget(samples)
    return EstimatorTrial(-10 * math.log10(found.total), found.snr_db, found.bursts)
