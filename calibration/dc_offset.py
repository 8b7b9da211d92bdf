"""DC offset of the receiver, and leakage of the transmitter's local oscillator.

What to send: `calibration.comb.comb_samples`, with the receiver tuned away from the transmitter by an LO offset Δ. The
receiver's own offset stays at 0, the transmitter's leakage is seen at Δ, its signal beside that; with Δ = 0 they could
not be told apart. Amplitudes by least squares, segment by segment (`calibration.comb.components`), so that phase noise,
which the leakage and the tones share, does not count. Definitions: Schenk, "RF Imperfections in High-rate Wireless
Systems", 2008, ch. 5.
"""

from __future__ import annotations

import numpy as np

from gr_jscc.calibration.comb import LINES, Components, ReceivedComb
from gr_jscc.calibration.iq_imbalance import transmitter_iq


def receiver_dc(parts: Components) -> complex:
    """The receiver's DC offset, in units of the samples: the mean of what lies at frequency 0."""
    return complex(parts.offset.mean())


def transmitter_dc(parts: Components, comb: ReceivedComb, amplitude: float) -> complex:
    """What the transmitter would have to send to make its leakage, in units of its samples.

    With tones of amplitude a/2 seen as h μ a/2 and the leakage d as h d, their ratio is d/μ =: δ; what is wanted solves
    μ c + ν c* = d, so c = (δ - κ δ*)/(1 - |κ|²) with κ = ν/μ, the transmitter's image.

    Args:
        parts, comb: of a capture from which the receiver's own offset and image are removed.
        amplitude: a, the peak of the comb as sent.
    """
    reference = comb.reference
    ratio = complex(np.sum(parts.leakage * np.conj(reference)) / np.sum(np.abs(reference) ** 2))
    ratio *= amplitude / len(LINES)
    image = -transmitter_iq(parts, comb)
    return (ratio - image * np.conj(ratio)) / (1 - abs(image) ** 2)
