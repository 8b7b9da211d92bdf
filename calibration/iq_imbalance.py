"""IQ imbalance of the receiver and of the transmitter, as the numbers that undo it (see `gr_jscc.radio.correction`).

What to send: `calibration.comb.comb_samples`, with the receiver tuned away from the transmitter by an LO offset Δ. A
tone at f of the transmitter is seen at Δ + f. The transmitter's image of it lies at Δ - f, the receiver's at -(Δ + f):
apart from each other, and each is compared with its tone segment by segment.

With y = μ x + ν x* at the receiver, a tone is C = μ A and its image B = ν A*, so ν/μ* = Σ B C / Σ |C|² over the
segments; the phase of A, and so phase noise, drops out. At the transmitter C = h μ a, B = h ν a*, where the phase of
a is known from the comb's period: ν/μ = (a/a*) Σ B C* / Σ |C|² (Schenk, "RF Imperfections in High-rate Wireless
Systems", 2008, ch. 5).
"""

from __future__ import annotations

import math

import numpy as np

from gr_jscc.calibration.comb import LINES, Components, ReceivedComb


def receiver_iq(parts: Components) -> complex:
    """k = -ν/μ* of the receiver, from a capture as received."""
    return -complex(np.sum(parts.receiver_images * parts.tones) / np.sum(np.abs(parts.tones) ** 2))


def transmitter_iq(parts: Components, comb: ReceivedComb) -> complex:
    """k = -ν/μ of the transmitter.

    Args:
        parts, comb: of a capture from which the receiver's own offset and image are removed.
    """
    reference = comb.reference
    lines = np.array(LINES)
    images = np.mean(parts.transmitter_images * np.exp(1j * comb.period_phase[:, None] * lines), axis=1)
    return -complex(np.sum(images * np.conj(reference)) / np.sum(np.abs(reference) ** 2))


def rejection_db(iq: complex) -> float:
    """Image rejection |μ|²/|ν|² of a mixer that a correction by `iq` makes perfect, dB."""
    return -20 * math.log10(max(abs(iq), 1e-12))
