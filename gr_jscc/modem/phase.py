"""Phase over the length of a burst: carrier offset that is left, sample clock offset, phase noise.

Radians. With m an OFDM symbol counted from the middle of the burst and k a carrier, the phase is modelled as
a + b m + c k m + n(m): b from the carrier offset, c from the sample clock (a window that drifts), n a random walk.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from .numerology import Numerology

__all__ = ["PhaseLine", "PhaseWalk", "coarse_slope", "fit_header_phase", "refine_line", "smooth_walk", "unit_turn"]

# Clocks agree within ±60 ppm, one standard deviation, before the burst is heard: two cheap crystals.
_CLOCK_SPREAD = 60e-6


@dataclass(frozen=True)
class PhaseLine:
    """a, b and c of several bursts: float64[bursts] each, radians, per OFDM symbol, per carrier and OFDM symbol."""

    offset: np.ndarray
    slope: np.ndarray
    drift: np.ndarray

    def apply(self, values: np.ndarray, symbols: np.ndarray, carriers: np.ndarray, walk: np.ndarray | None = None):
        """Values turned back by the phase, and by `walk` float64[bursts, n] as well.

        Args:
            values: complex64[bursts, n, k].
            symbols: float64[n], OFDM symbols counted from the middle.
            carriers: float64[k].
        """
        phase = self.offset[:, None] + self.slope[:, None] * symbols
        if walk is not None:
            phase = phase + walk
        turned = values * unit_turn(-phase)[:, :, None]
        if self.drift.any():
            # Under a radian even on long bursts: single precision will do from here on.
            tilt = (-self.drift[:, None] * symbols).astype(np.float32)[:, :, None] * carriers.astype(np.float32)
            turn = np.empty(tilt.shape, np.complex64)
            np.cos(tilt, out=turn.real)
            np.sin(tilt, out=turn.imag)
            turned *= turn
        return turned


def unit_turn(phase: np.ndarray) -> np.ndarray:
    """exp(j phase): complex64 of the shape of `phase`, which is float64."""
    # Whole turns go in double precision, since single is exact only near zero; then cosine and sine in single, which
    # take a tenth of the time of a complex exponential.
    phase = (phase - 2 * np.pi * np.rint(phase * (0.5 / np.pi))).astype(np.float32)
    turn = np.empty(phase.shape, np.complex64)
    np.cos(phase, out=turn.real)
    np.sin(phase, out=turn.imag)
    return turn


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


def coarse_slope(correlations: np.ndarray, most: float) -> np.ndarray:
    """The slope per symbol, at most `most`, that lines up the correlations best: float64[bursts].

    No unwrapping: at 0 dB the phase of one symbol's pilots is too noisy to be followed from one to the next.
    """
    count = correlations.shape[1]
    length = scipy.fft.next_fast_len(4 * count)
    reach = max(1, int(most / (2 * np.pi) * length))
    power = np.square(np.abs(scipy.fft.fft(correlations, length, axis=1)))
    near = np.concatenate([power[:, -reach:], power[:, : reach + 1]], axis=1)
    return (_peak(near) - reach) * 2 * np.pi / length


def _peak(power: np.ndarray) -> np.ndarray:
    """Where each row peaks, between samples by a parabola."""
    best = power.argmax(axis=1)
    inner = best.clip(1, power.shape[1] - 2)
    rows = np.arange(len(power))
    left, middle, right = (power[rows, inner + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where((bend < 0) & (inner == best), 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    return best + shift.clip(-0.5, 0.5)


def refine_line(
    line: PhaseLine,
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    noise_var: np.ndarray,
    numerology: Numerology,
) -> PhaseLine:
    """One Gauss-Newton step towards the likeliest line.

    A fixed slope over the carriers is fitted along and dropped: the expected channel may be that of another moment than
    the burst's middle, and a clock offset makes the two differ by a delay. The next channel estimate takes it up.

    Args:
        parts: for preamble with header, and for pilots: observed channel complex64[bursts, n, k] (received times
            conj(sent), turned back by `line`), weights float[bursts, n] of its symbols, expected channel
            complex64[bursts, k], OFDM symbols float[n] from the middle, carriers float[k].
        noise_var: float[bursts], of one cell.
    """
    bursts = len(noise_var)
    # Unknowns: a, b, c and the slope to be dropped; their regressors are products of m^i and k^j.
    powers = ((0, 0), (1, 0), (1, 1), (0, 1))
    gradient = np.zeros((bursts, 4))
    fisher = np.zeros((bursts, 4, 4))
    most = 1.0
    for turned, weights, expected, symbols, carriers in parts:
        error = (turned * np.conj(expected)[:, None]).imag
        by_carrier = (weights * error.sum(axis=2), weights * (error @ carriers.astype(np.float32)))
        power = np.square(expected.real) + np.square(expected.imag)
        strength = [power @ carriers**j for j in range(3)]
        extent = [weights @ symbols**i for i in range(3)]
        for row, (i, j) in enumerate(powers):
            gradient[:, row] += by_carrier[j] @ symbols**i
            for column, (k, n) in enumerate(powers):
                fisher[:, row, column] += extent[i + k] * strength[j + n]
        most = max(most, float(np.abs(symbols).max(initial=1.0)))
    spread = 2 * np.pi * numerology.symbol_len / numerology.fft_size * _CLOCK_SPREAD
    prior = 0.5 * noise_var / spread**2
    gradient[:, 2] -= prior * line.drift
    fisher[:, 2, 2] += prior
    # Equilibrated, since the unknowns have scales far apart; and never singular, even on silence.
    scale = 1 / np.sqrt(np.maximum(np.einsum("bii->bi", fisher), 1e-30))
    balanced = fisher * scale[:, :, None] * scale[:, None, :] + 1e-9 * np.eye(4)
    step = scale * np.linalg.solve(balanced, (gradient * scale)[:, :, None])[:, :, 0]
    limit = 1.0 / most
    return PhaseLine(
        line.offset + step[:, 0].clip(-1, 1),
        line.slope + step[:, 1].clip(-limit, limit),
        line.drift + step[:, 2].clip(-limit / numerology.fft_size, limit / numerology.fft_size),
    )


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
