"""Transmit gain against the SNR at the receiver.

What to send: `calibration.bursts.burst_samples`, at one gain after another. The SNR is Es/N0 per data subcarrier as the
link's receiver estimates it (docs/results/modem.md), the median over the bursts; so whatever the receiver adds is
in it. `gr_jscc.radio.gain_choice` looks a wanted SNR up.
"""

from __future__ import annotations

import numpy as np

from gr_jscc.calibration.bursts import receive_bursts

LEAST_BURSTS = 4


def link_snr_db(samples: np.ndarray) -> float:
    """SNR of the bursts in a capture complex64[n], dB; NaN where hardly any arrived."""
    bursts = receive_bursts(samples)
    return float(np.median([burst.snr_db for burst in bursts])) if len(bursts) >= LEAST_BURSTS else float("nan")
