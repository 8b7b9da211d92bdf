"""Carrier frequency offset in ppm: of the test tones, or of the bursts that the link itself sends.

What to send: `calibration.comb.comb_samples`, or known bursts. With a reference of relative error p each, transmitter
and receiver tune to f (1 + p): the carrier is seen at f (p_t - p_r)/(1 + p_r) Hz of the receiver's clock. Both carrier
and sample clock come from the same reference in the radios meant here, so the receiver runs fast against the
transmitter by (1 + p_r)/(1 + p_t) - 1 = 1/(1 + Δf/f) - 1, which is what is told, in ppm.

Sources: Rife and Boorstyn, "Single-tone parameter estimation from discrete-time observations", IEEE Trans. Inf. Theory
1974: the offset of a tone is known to √(6/(SNR N³))/2π cycles per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gr_jscc.calibration.comb import CalibrationError, ReceivedComb
from gr_jscc.modem import ReceivedBurst


@dataclass(frozen=True)
class CarrierOffset:
    """How far the two radios' references are apart.

    Attributes:
        hz: the carrier as seen by the receiver, less where it was tuned to be.
        ppm: by which the receiver's reference is fast against the transmitter's.
        clock_ppm: the same, from the sample clock; None where it was not measured. It differs from `ppm` only where
            carrier and sample clock do not share a reference.

    Example:
        >>> from gr_jscc.calibration.comb import comb_samples, receive_comb
        >>> samples = comb_samples(65_536, amplitude=0.5) * np.exp(2j * np.pi * 1e-3 * np.arange(65_536))
        >>> found = tone_offset(receive_comb(samples), expected=0.0, frequency=915e6, sample_rate=1e6)
        >>> round(found.hz), round(found.ppm, 2)
        (1000, -1.09)
    """

    hz: float
    ppm: float
    clock_ppm: float | None = None


def ppm_of(hz: float, frequency: float) -> float:
    """By how many ppm the receiver's reference is fast, from the offset `hz` of a carrier of `frequency` Hz."""
    return (1 / (1 + hz / frequency) - 1) * 1e6


def tone_offset(comb: ReceivedComb, expected: float, frequency: float, sample_rate: float) -> CarrierOffset:
    """From the test tones.

    Args:
        comb: as received.
        expected: cycles per sample at which the transmitter's oscillator would be seen without an offset.
        frequency: the carrier, Hz.
        sample_rate: of the receiver, Hz.
    """
    hz = (comb.lo - expected) * sample_rate
    return CarrierOffset(hz, ppm_of(hz, frequency), (1 / comb.clock - 1) * 1e6)


def burst_offset(
    bursts: Sequence[ReceivedBurst], expected: float, frequency: float, sample_rate: float
) -> CarrierOffset:
    """From the link's own bursts: the median over them, so that a false one does no harm. Arguments: `tone_offset`'s.

    Raises:
        CalibrationError: there is no burst.
    """
    if not bursts:
        raise CalibrationError("no burst arrives: check the cable, the frequency and the gains")
    hz = (float(np.median([burst.cfo for burst in bursts])) - expected) * sample_rate
    return CarrierOffset(hz, ppm_of(hz, frequency))
