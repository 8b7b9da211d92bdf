"""Latency from the transmitter's API to the receiver's, to a fraction of a sample.

What to send: a known burst (`calibration.bursts.known_burst`) at a known time of the device's clock. Where it arrived
is the peak of the correlation with it, carrier offset removed, evaluated between the samples by its spectrum (Knapp and
Carter, "The generalized correlation method for estimation of time delay", IEEE Trans. Acoust. 1976).
"""

from __future__ import annotations

import numpy as np

from gr_jscc.calibration.bursts import known_burst
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.modem import ReceivedBurst

_FINE = 32  # places looked at between two samples
_AROUND = 64  # samples by which the demodulator may be off


def whole_arrival(samples: np.ndarray, burst: ReceivedBurst) -> int:
    """The sample next to which a known burst begins. Arguments and errors: those of `arrival`."""
    return _correlated(samples, burst)[0]


def arrival(samples: np.ndarray, burst: ReceivedBurst) -> float:
    """The sample at which a known burst begins, with its fraction.

    Args:
        samples: complex64[n], the capture in which the demodulator found the burst.
        burst: as found.

    Raises:
        CalibrationError: the burst is cut off by the end of the capture.
    """
    place, peak, spectrum = _correlated(samples, burst)
    parts = np.arange(-_FINE, _FINE + 1) / _FINE
    lags = peak + parts
    match = np.abs(np.exp(2j * np.pi * np.fft.fftfreq(len(spectrum)) * lags[:, None]) @ spectrum)
    return place + float(parts[np.argmax(match)])


def _correlated(samples: np.ndarray, burst: ReceivedBurst) -> tuple[int, int, np.ndarray]:
    """Where the correlation is largest: the sample of the capture, the lag, and the correlation's spectrum."""
    sent = known_burst(burst.header.index)
    first = burst.start - _AROUND
    piece = samples[max(first, 0) : first + len(sent) + 2 * _AROUND]
    piece = np.concatenate([np.zeros(max(-first, 0), np.complex64), piece])
    if len(piece) < len(sent) + 2 * _AROUND:
        raise CalibrationError("the capture ends within a burst")
    turned = piece * np.exp(-2j * np.pi * burst.cfo * np.arange(len(piece)))
    spectrum = np.fft.fft(turned) * np.conj(np.fft.fft(sent, len(turned)))
    peak = int(np.argmax(np.abs(np.fft.ifft(spectrum))[: 2 * _AROUND + 1]))
    return first + peak, peak, spectrum
