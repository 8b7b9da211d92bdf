"""What limits the link now, with both profiles as they are."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr_jscc.calibration.advice import advice
from gr_jscc.calibration.bursts import burst_samples
from gr_jscc.calibration.carrier_offset import ppm_of
from gr_jscc.calibration.error_budget import ErrorBudget, error_budget, together
from gr_jscc.figures import Figure

if TYPE_CHECKING:
    from gr_jscc.calibration.rig import Rig

LEAST_ERROR = 1e-8  # that can be seen at all
ROUNDS = 4  # of the known bursts in a capture


@dataclass(frozen=True)
class LinkCheck:
    """What a check found.

    Attributes:
        budget: of all captures together.
        overflows: that the receiver counted.
        ppm: by which the receiver's reference is fast, what the profile corrects already left out.
        seconds: it took.

    Example:
        >>> budget = ErrorBudget(3e-3, 1e-4, 2e-4, 1e-4, 1e-4, 24.5, -40.0, 0.0, -9.0, 1e-5, bursts=80, missed=0.0)
        >>> check = LinkCheck(budget, overflows=0, ppm=0.4, seconds=2.0)
        >>> check.advice.partition(":")[0]
        'Receiver noise limits the link'
    """

    budget: ErrorBudget
    overflows: int
    ppm: float
    seconds: float

    @property
    def advice(self) -> str:
        """One sentence."""
        return advice(self.budget, self.overflows)

    def figures(self) -> list[Figure]:
        """For people and programs."""
        budget, at = self.budget, {"bursts": self.budget.bursts}
        errors = [
            Figure("error_db", _db(getattr(budget, cause)), "dB", at | {"cause": cause}) for cause in budget.CAUSES
        ]
        return [
            Figure("snr_db", budget.snr_db, "dB", at),
            Figure("error_db", _db(budget.total), "dB", at | {"cause": "all"}),
            *errors,
            Figure("dc_dbc", budget.dc_dbc, "dB", at | {"of": "receiver"}),
            Figure("clipped_samples", budget.clipped, "1", at),
            Figure("peak_dbfs", budget.peak_dbfs, "dBFS", at),
            Figure("ppm", self.ppm, "ppm", at | {"of": "carrier"}),
            Figure("missed_bursts", round(budget.missed * budget.bursts / max(1 - budget.missed, 1e-9)), "bursts", at),
            Figure("overflows", self.overflows, "1", at),
        ]


def check_link(rig: Rig, seconds: float) -> Iterator[LinkCheck]:
    """Measures again and again until `seconds` have passed, at least once; yields what is known so far.

    Raises:
        CalibrationError: no burst arrives.
        RadioError: a radio fails.
    """
    waveform = burst_samples()
    budgets, overflows, begun = [], 0, time.monotonic()
    while not budgets or time.monotonic() - begun < seconds:
        capture = rig.link(waveform, ROUNDS * len(waveform))
        budgets.append(error_budget(capture.samples))
        overflows += capture.statistics.overflows
        both = together(budgets)
        ppm = ppm_of(both.cfo * rig.sample_rate, rig.frequency)
        yield LinkCheck(both, overflows, ppm, time.monotonic() - begun)


def _db(power: float) -> float:
    return 10 * math.log10(max(power, LEAST_ERROR))
