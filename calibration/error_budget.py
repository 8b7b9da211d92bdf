"""What limits a link now: the error of known bursts, divided among its causes.

What to send: `calibration.bursts.burst_samples`. What arrives of a burst x is, carrier offset, timing and the channel H
of each carrier removed, x plus an error, and every cause leaves a mark of its own on that:

- noise of the receiver is there in the silence between bursts, too, beside the leakage of the transmitter's oscillator;
- an IQ imbalance of the transmitter adds x*, one of the receiver y*, which turn differently with a carrier offset;
- compression adds |x|² x, in the lowest order that falls in band (Schetzen, "Theory of nonlinear networks", 1981);
- phase noise turns x: its error is in quadrature to the signal, where all the others have as much in phase.

The regression coefficients are estimated from all bursts together by least squares. What none explains is the rest:
quantisation, interference, the transmitter's noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from gr_jscc.calibration.bursts import GAP, known_burst, receive_bursts
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.calibration.latency import whole_arrival
from gr_jscc.calibration.output_power import clipped_share
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology, ReceivedBurst
from gr_jscc.modem.rows import demodulate_rows

_INSIDE = 4  # samples by which the FFT's window lies inside of the prefix
_MARGIN = 100  # of silence that the channel and its filters may still ring in


@dataclass(frozen=True)
class ErrorBudget:
    """Error powers relative to the signal's, both per data carrier.

    Attributes:
        noise, image, compression, phase_noise, rest: by cause.
        snr_db: the receiver's own estimate, dB.
        dc_dbc: the receiver's DC offset over the signal, dB; the link removes it, but the converter must bear it.
        clipped: share of samples at the converter's full scale.
        peak_dbfs: largest part of a sample, dB below full scale.
        cfo: carrier offset, cycles per sample.
        bursts: of which this was measured.
        missed: share of the bursts that did not arrive.

    Example:
        >>> budget = ErrorBudget(3e-3, 1e-4, 2e-4, 1e-4, 1e-4, 24.5, -40.0, 0.0, -9.0, 1e-5, bursts=80, missed=0.0)
        >>> budget.largest, round(budget.without_db("noise"), 1)
        ('noise', 8.5)
    """

    noise: float
    image: float
    compression: float
    phase_noise: float
    rest: float
    snr_db: float
    dc_dbc: float
    clipped: float
    peak_dbfs: float
    cfo: float
    bursts: int
    missed: float

    CAUSES = ("noise", "image", "compression", "phase_noise", "rest")

    @property
    def total(self) -> float:
        """All error power."""
        return sum(getattr(self, cause) for cause in self.CAUSES)

    @property
    def largest(self) -> str:
        """The cause of most of it."""
        return max(self.CAUSES, key=lambda cause: getattr(self, cause))

    def without_db(self, cause: str) -> float:
        """By how many dB the error falls without a cause."""
        return -10 * math.log10(max(1 - getattr(self, cause) / self.total, 1e-3))


def error_budget(samples: np.ndarray) -> ErrorBudget:
    """From one capture.

    Args:
        samples: complex64[n], as received, of at least one round of the known bursts.

    Raises:
        CalibrationError: no burst arrives.
    """
    bursts = receive_bursts(samples)
    length = len(known_burst(0)) + GAP
    whole = [burst for burst in bursts if _MARGIN < burst.start < len(samples) - length]
    if not whole:
        raise CalibrationError("no burst arrives: check the cable, the frequency and the gains")
    offset = np.mean([_silence(samples, burst.start).mean() for burst in whole])
    clean = np.asarray(samples - offset, np.complex64)
    parts = [_burst_part(clean, burst) for burst in whole]
    regressors = np.concatenate([part.regressors.reshape(3, -1) for part in parts], axis=1)
    errors = np.concatenate([part.error.reshape(-1) for part in parts])
    # Without a carrier offset both images are the same: then the fit shares them, and only their sum means something.
    coefficients = np.linalg.lstsq(regressors.T, errors, rcond=1e-3)[0]
    image = np.mean(np.abs(coefficients[:2] @ regressors[:2]) ** 2)
    compression = np.mean(np.abs(coefficients[2] * regressors[2]) ** 2)
    left = errors - coefficients @ regressors
    total, noise = np.mean(np.abs(errors) ** 2), np.mean([part.noise for part in parts])
    # The fit of the channel has put a little of the error into the signal.
    signal = np.mean([np.mean(np.abs(part.wanted) ** 2) for part in parts]) - total / len(parts[0].wanted)
    phase_noise = _phase_noise(parts, left) * signal
    rest = max(0.0, total - image - compression - phase_noise - noise)
    expected = max(len(bursts), sum(1 for _ in range(0, len(samples) - 2 * length, length)))
    used = DEFAULT_NUMEROLOGY.used_count / DEFAULT_NUMEROLOGY.fft_size
    values = (float(power / signal) for power in (noise, image, compression, phase_noise, rest))
    return ErrorBudget(
        *values,
        snr_db=float(np.mean([burst.snr_db for burst in bursts])),
        dc_dbc=float(10 * np.log10(max(abs(offset) ** 2 / (signal * used), 1e-12))),
        clipped=clipped_share(samples),
        peak_dbfs=float(20 * np.log10(max(np.abs(samples.real).max(), np.abs(samples.imag).max()))),
        cfo=float(np.median([burst.cfo for burst in bursts])),
        bursts=len(bursts),
        missed=1 - len(bursts) / expected,
    )


def together(budgets: list[ErrorBudget]) -> ErrorBudget:
    """One budget of several captures, weighted by their bursts."""
    weights = np.array([budget.bursts for budget in budgets], float)
    means = {
        field.name: float(np.average([getattr(budget, field.name) for budget in budgets], weights=weights))
        for field in fields(ErrorBudget)
    }
    means |= {"bursts": int(weights.sum()), "peak_dbfs": max(budget.peak_dbfs for budget in budgets)}
    return ErrorBudget(**means)


@dataclass(frozen=True)
class _Part:
    """One burst on the used carriers, of the receiver's units.

    Attributes:
        wanted: complex64[rows, used], the signal through the channel.
        error: complex64[rows, used], what arrived instead, less that.
        regressors: complex64[3, rows, used]: transmitter's image, receiver's image, third order.
        noise: power of a carrier in the silence after the burst.
    """

    wanted: np.ndarray
    error: np.ndarray
    regressors: np.ndarray
    noise: float


def _silence(samples: np.ndarray, start: int) -> np.ndarray:
    """What follows the burst that begins at `start`."""
    return samples[start + len(known_burst(0)) + _MARGIN :][: GAP - 2 * _MARGIN]


def _burst_part(samples: np.ndarray, burst: ReceivedBurst) -> _Part:
    """The burst aligned and compared with what was sent."""
    layout = DEFAULT_NUMEROLOGY
    sent = known_burst(burst.header.index)
    rows = len(sent) // layout.symbol_len
    inside = layout.cp_len - _INSIDE
    first = whole_arrival(samples, burst) + inside

    def carriers(stream: np.ndarray, window: int, cfo: float) -> np.ndarray:
        return demodulate_rows(stream, np.array([window]), np.array([cfo]), rows, layout)[0][:, layout.used_bins]

    own = carriers(sent, inside, 0.0)
    third = carriers(sent * np.abs(sent) ** 2, inside, 0.0)
    third = third - own * (np.vdot(own, third) / np.vdot(own, own))
    received = carriers(samples, first, burst.cfo)
    turn, slip = _line(received, own, layout)
    carrier = layout.used_carriers
    straight = np.exp(-1j * (turn + slip * carrier * (np.arange(rows)[:, None] - rows / 2)))
    received = received * straight
    channel = np.sum(received * np.conj(own), axis=0) / np.sum(np.abs(own) ** 2, axis=0)
    fitted = np.float32(math.sqrt(rows / (rows - 1)))  # the fit takes away that much of the error
    mirrored = carriers(np.conj(samples), first, burst.cfo) * straight
    images = np.stack([channel * carriers(np.conj(sent), inside, 0.0), mirrored, channel * third])
    # The leakage of the transmitter's oscillator turns as the carrier does, and so falls on the empty carrier.
    silence = _silence(samples, burst.start)
    silence = silence * np.exp(-2j * np.pi * burst.cfo * np.arange(len(silence)))
    pieces = silence[: len(silence) // layout.fft_size * layout.fft_size].reshape(-1, layout.fft_size)
    noise = np.mean(np.abs(np.fft.fft(pieces, norm="ortho")[:, layout.used_bins]) ** 2)
    wanted = channel * own
    return _Part(wanted, (received - wanted) * fitted, images, float(noise))


def _line(received: np.ndarray, own: np.ndarray, layout: Numerology) -> tuple[np.ndarray, float]:
    """What the carrier offset's and the clock's last errors turn: radians float64[rows, 1] by the row, and radians by
    the row and carrier."""
    rows = len(received)
    match = received * np.conj(own)
    slip = 0.0
    place = np.arange(rows)[:, None] - rows / 2
    slope = 0.0
    for _ in range(2):
        turned = match * np.exp(-1j * place * (slope + slip * layout.used_carriers))
        early, late = turned[: rows // 2].sum(axis=0), turned[rows - rows // 2 :].sum(axis=0)
        step = np.angle(late * np.conj(early)) / (rows / 2)
        slope += step.mean()
        slip += np.sum(step * layout.used_carriers) / np.sum(layout.used_carriers**2)
    return slope * place, slip


def _phase_noise(parts: list[_Part], left: np.ndarray) -> float:
    """Variance of the phase, radians squared: in time, the error in quadrature to the signal less that in phase."""
    layout = DEFAULT_NUMEROLOGY
    quadrature, weight, begin = 0.0, 0.0, 0
    for part in parts:
        rows, used = part.wanted.shape
        spectra = np.zeros((2, rows, layout.fft_size), np.complex128)
        spectra[0][:, layout.used_bins] = part.wanted
        spectra[1][:, layout.used_bins] = left[begin : begin + rows * used].reshape(rows, used)
        begin += rows * used
        signal, error = np.fft.ifft(spectra, axis=2)
        product = error * np.conj(signal)
        quadrature += np.sum(product.imag**2 - product.real**2)
        weight += np.sum(np.abs(signal) ** 4)
    return max(0.0, float(quadrature / weight))
