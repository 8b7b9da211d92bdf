"""Phase over the length of a burst: carrier offset that is left, sample clock offset, phase noise.

Radians. With m an OFDM symbol counted from the middle of the burst and k a carrier, the phase is modelled as
a + b m + c k m + n(m): b from the carrier offset, c from the sample clock (a window that drifts), n a random walk.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from .numerology import Numerology

__all__ = ["PhaseWalk", "coarse_line", "drift_precision", "fit_header_phase", "smooth_walk"]

# Clocks agree within ±60 ppm, one standard deviation, before the burst is heard: two cheap crystals.
_CLOCK_SPREAD = 60e-6


def drift_precision(noise_var: np.ndarray, numerology: Numerology) -> np.ndarray:
    """How firmly the drift c is believed to be zero before the burst is heard, as `refine_line` takes it: float64[c].

    Args:
        noise_var: float64[c], of one cell.
    """
    spread = 2 * np.pi * numerology.symbol_len / numerology.fft_size * _CLOCK_SPREAD
    return 0.5 * noise_var / spread**2


@lru_cache(maxsize=32)
def _bank(count: int) -> tuple[np.ndarray, np.ndarray]:
    slopes = np.linspace(-0.4, 0.4, 81)
    return slopes, np.exp(-1j * np.outer(np.arange(count), slopes)).astype(np.complex64)


def fit_header_phase(correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line through the phases of preamble and header pilots: the strongest of a bank of lines.

    Args:
        correlations: complex[bursts, m], received times conj(expected), summed over the known cells of a symbol.

    Returns:
        offset at symbol 0 and slope per symbol: float64[bursts] each.
    """
    count = correlations.shape[1]
    slopes, bank = _bank(count)
    power = np.square(np.abs(correlations @ bank))
    slope = slopes[0] + (slopes[1] - slopes[0]) * _peak(power)
    offset = np.angle((correlations * np.exp(-1j * slope[:, None] * np.arange(count))).sum(axis=1))
    return offset, slope


def coarse_line(correlations: np.ndarray, most: float) -> np.ndarray:
    """The line without drift, of a slope per symbol of at most `most`, that lines up the correlations best.

    No unwrapping: at 0 dB the phase of one symbol's pilots is too noisy to be followed from one to the next.

    Args:
        correlations: complex64[bursts, n], of the OFDM symbols of a burst.

    Returns:
        float64[bursts, 3].
    """
    count = correlations.shape[1]
    length = scipy.fft.next_fast_len(4 * count)
    reach = max(1, int(most / (2 * np.pi) * length))
    power = np.square(np.abs(scipy.fft.fft(correlations, length, axis=1)))
    near = np.concatenate([power[:, -reach:], power[:, : reach + 1]], axis=1)
    slope = (_peak(near) - reach) * 2 * np.pi / length
    symbols = np.arange(count) - (count - 1) / 2
    offset = np.angle((correlations * np.exp(-1j * slope[:, None] * symbols)).sum(axis=1))
    return np.stack([offset, slope, np.zeros(len(slope))], axis=1)


def _peak(power: np.ndarray) -> np.ndarray:
    """Where each row peaks, between samples by a parabola."""
    best = power.argmax(axis=1)
    inner = best.clip(1, power.shape[1] - 2)
    rows = np.arange(len(power))
    left, middle, right = (power[rows, inner + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where((bend < 0) & (inner == best), 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    return best + shift.clip(-0.5, 0.5)


@dataclass(frozen=True)
class PhaseWalk:
    """What the line leaves of the phase: float64[bursts, n] radians, and float64[bursts], its error's variance."""

    phase: np.ndarray
    variance: np.ndarray


def smooth_walk(measured: np.ndarray, variance: np.ndarray) -> PhaseWalk:
    """Phase noise as a random walk, if there is any to be seen.

    The cosine transform decorrelates a random walk; its strength is the likeliest of a few, none among them.

    Args:
        measured: float[bursts, n], phase left at each OFDM symbol.
        variance: float[bursts], of the measurement.
    """
    bursts, count = measured.shape
    if count < 8:
        return PhaseWalk(np.zeros((bursts, count)), np.zeros(bursts))
    transformed = scipy.fft.dct(measured.astype(np.float64), type=2, norm="ortho", axis=1)
    shape = 1 / (2 - 2 * np.cos(np.pi * np.maximum(np.arange(count), 1) / count))
    noise = np.maximum(variance, 1e-12)[:, None]
    energy = np.square(transformed) / noise
    strengths = np.concatenate([[0.0], 10.0 ** np.arange(-4, 1.1, 0.5)])
    spectra = 1 + strengths[:, None] * shape
    score = -(energy @ (1 / spectra).T) - np.log(spectra).sum(axis=1)
    # None stands unless another is clearly likelier: tracking noise would only add it.
    score[:, 0] += 8
    chosen = spectra[score.argmax(axis=1)]
    gain = 1 - 1 / chosen
    return PhaseWalk(scipy.fft.idct(gain * transformed, type=2, norm="ortho", axis=1), gain.mean(axis=1) * noise[:, 0])
