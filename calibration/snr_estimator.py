"""The receiver's SNR estimator against the truth.

What to send: `calibration.bursts.burst_samples` at levels that make SNRs from 0 to 25 dB. The payload is known, so the
truth can be had from the very bursts: E|s|²/E|ŝ - s|² of the equalised symbols, the error vector magnitude turned over
(IEEE Std 802.11, 17.3.9.7), in a cable, whose carriers are alike. It holds all that the receiver sees as noise, such as
quantisation, which a capture of silence would not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gr_jscc.modem import ReceivedBurst

from .bursts import known_symbols
from .comb import CalibrationError


@dataclass(frozen=True)
class EstimatorTrial:
    """One level.

    Attributes:
        true_db: SNR from the known payload.
        estimated_db: mean of the receiver's estimates.
        bursts: they are of.
    """

    true_db: float
    estimated_db: float
    bursts: int

    @property
    def bias_db(self) -> float:
        """Estimate minus truth."""
        return self.estimated_db - self.true_db


def estimator_trial(bursts: Sequence[ReceivedBurst]) -> EstimatorTrial:
    """From known bursts as received at one level.

    Raises:
        CalibrationError: there is none.
    """
    if not bursts:
        raise CalibrationError("no burst arrives: check the cable, the frequency and the gains")
    errors, powers = 0.0, 0.0
    for burst in bursts:
        sent = known_symbols(burst.header.index)
        arrived = np.isfinite(burst.noise_var)
        errors += float(np.sum(np.abs(burst.symbols[arrived] - sent[arrived]) ** 2))
        powers += float(np.sum(np.abs(sent[arrived]) ** 2))
    estimated = 10 * np.log10(np.mean([10 ** (burst.snr_db / 10) for burst in bursts]))
    return EstimatorTrial(float(10 * np.log10(powers / errors)), float(estimated), len(bursts))
