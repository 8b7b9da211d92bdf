"""What a profile does to samples on their way to a transmitter's converter and from a receiver's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from gr_jscc.radio.correction import correct_receive, predistort
from gr_jscc.radio.shift import FrequencyShift

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile

#: Peaks stop one step below +1: drivers that multiply by 2048 or 32768 and cut (SoapyBladeRF, SoapyRemote) have +1 wrap
#: around to -1.
LARGEST = np.nextafter(np.float32(1), np.float32(0))


class ToConverter:
    """Scales, shifts, predistorts, and clips what exceeds full scale.

    Args:
        profile: with its amplitude and calibration.
        shift: in frequency, cycles a sample.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> ToConverter(load_profile("hackrf")).process(np.array([1, 8], np.complex64)).real.round(3).tolist()
        [0.25, 1.0]
    """

    def __init__(self, profile: Profile, shift: float = 0.0) -> None:
        self._amplitude = np.float32(profile.direction("tx").amplitude)
        self._shift = FrequencyShift(shift) if shift else None
        self._dc, self._iq = _known(profile, "tx", shift)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """The next samples, complex64[n] with mean power 1 in a burst, for a converter whose full scale is 1."""
        out = samples * self._amplitude
        if self._shift:
            self._shift.process(out)
        if self._dc or self._iq:
            out = predistort(out, self._dc, self._iq)
        parts = out.view(np.float32)
        np.clip(parts, -1.0, LARGEST, out=parts)
        return out


class FromConverter:
    """Takes away offset and image, and shifts.

    Args:
        profile: with its calibration.
        shift: in frequency, cycles a sample.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> samples = np.ones(3, np.complex64)
        >>> FromConverter(load_profile("hackrf"), shift=0.5).process(samples)
        >>> samples.real.round(3).tolist()
        [1.0, -1.0, 1.0]
    """

    def __init__(self, profile: Profile, shift: float = 0.0) -> None:
        self._shift = FrequencyShift(shift) if shift else None
        self._dc, self._iq = _known(profile, "rx", shift)

    def process(self, samples: np.ndarray) -> None:
        """Corrects the next samples, complex64[n], in place."""
        if self._dc or self._iq:
            samples[:] = correct_receive(samples, self._dc, self._iq)
        if self._shift:
            self._shift.process(samples)


def _known(profile: Profile, direction: Literal["tx", "rx"], shift: float) -> tuple[complex, complex]:
    """Offset and image as calibration knows them.

    Not where the device itself makes up for an offset of its local oscillator: there they lie elsewhere, mostly beside
    the band.
    """
    if profile.calibration is None or (profile.direction(direction).lo_offset and not shift):
        return 0j, 0j
    table = getattr(profile.calibration, direction)
    return _pair(table.dc), _pair(table.iq)


def _pair(value: tuple[float, float] | None) -> complex:
    return complex(*value) if value else 0j
