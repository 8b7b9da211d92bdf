"""Finding bursts: where they may start, their carrier offset, and where to put the FFT's window.

In two steps. A running correlation of the stream with itself one OFDM symbol earlier, weighted so that only the
preamble's pattern of signs adds up, names candidates at the cost of a few operations per sample. Each candidate is then
correlated with the training symbol itself, under every multiple of the offset that the first step leaves open.
Offsets are in cycles per sample throughout.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
import scipy.fft

from .channel_estimation import CHANNEL_LEAD
from .numerology import Numerology
from .phase import unit_turn
from .preamble import PREAMBLE_SIGNS, PREAMBLE_SYMBOLS, training_carriers, training_symbol

__all__ = ["Acquisition", "acquire", "find_candidates", "grid", "metric_span"]

# The offset is known from the first step up to multiples of 1/symbol_len; ±3 of them reach beyond ±2 subcarriers.
_FOLDS = np.arange(-3, 4)
# Least share of a candidate's energy that the strongest path's match with the training must hold, times the preamble's
# samples. Of white noise 3e-4 of the candidates pass, at 0 dB a path with a tenth of the channel's power does.
_LEAST_MATCH = 14.4


def grid(numerology: Numerology) -> int:
    """Samples between the places looked at for candidates: 4 where that divides a symbol. The peak is a symbol wide."""
    return gcd(4, numerology.symbol_len)


def metric_span(numerology: Numerology) -> int:
    """Samples that one value of the metric looks at: the preamble."""
    return PREAMBLE_SYMBOLS * numerology.symbol_len


def threshold(numerology: Numerology) -> float:
    """Least metric of a candidate, from 0 to 1: on white noise some 2e-6 a sample pass, of bursts at 0 dB all but 1e-5.

    The metric of noise is Rayleigh distributed with mean square 6 / (16 symbol_len); a burst at 0 dB has about 0.45.
    """
    return max(0.2, float(np.sqrt(10.3 * 6.0 / 16.0 / numerology.symbol_len)))


def find_candidates(samples: np.ndarray, numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Where a preamble may start.

    Args:
        samples: complex64[n], finite.

    Returns:
        positions int64[c], ascending, at least 3 OFDM symbols apart, accurate to some tens of samples; and the
        carrier offsets float64[c] there, up to multiples of 1 / symbol_len.
    """
    lag, group = numerology.symbol_len, grid(numerology)
    count = (len(samples) - metric_span(numerology)) // group
    if count <= 0:
        return np.empty(0, np.int64), np.empty(0)
    step = lag // group
    products = _grouped(samples[lag:] * np.conj(samples[:-lag]), group)
    energies = _grouped(np.square(samples.real) + np.square(samples.imag), group)
    p = np.zeros(len(products) + 1, np.complex128)
    np.cumsum(products, out=p[1:])
    e = np.zeros(len(energies) + 1, np.float64)
    np.cumsum(energies, out=e[1:])
    # Three neighbouring sums, each over one symbol, weighted 2, -1, -1 and written out on the running sums: the signs
    # are those of the preamble's products, the sizes make a stationary signal cancel.
    correlation = 3 * p[step : step + count] - 2 * p[:count] - p[3 * step : 3 * step + count]
    energy = (
        0.5 * (e[2 * step : 2 * step + count] + e[3 * step : 3 * step + count] + e[4 * step : 4 * step + count])
        - e[:count]
        - 0.5 * e[step : step + count]
    )
    power = np.square(correlation.real) + np.square(correlation.imag)
    # Running sums leave a rounding error in proportion to all that was summed; below it lies silence.
    floor = 1e-13 * e[-1] + 1e-30
    above = np.flatnonzero(power > np.square(threshold(numerology) * np.maximum(energy, floor)))
    if not len(above):
        return np.empty(0, np.int64), np.empty(0)
    peaks = _separate_peaks(above, power[above] / np.square(energy[above]), 3 * step)
    return peaks * group, np.angle(correlation[peaks]) / (2 * np.pi * lag)


def _grouped(values: np.ndarray, group: int) -> np.ndarray:
    """Sums of `group` neighbours."""
    values = values[: len(values) // group * group]
    total = values[0::group].copy()
    for offset in range(1, group):
        total += values[offset::group]
    return total


def _separate_peaks(positions: np.ndarray, heights: np.ndarray, apart: int) -> np.ndarray:
    """Of the positions (ascending), those that are the highest within `apart` of themselves."""
    # The best of each small cell first, for all cells at once; few are left to be compared one by one.
    cell = positions // max(1, apart // 4)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    tops = np.maximum.reduceat(heights, first)
    places = positions[np.flatnonzero(heights == np.repeat(tops, np.diff(first, append=len(cell))))]
    tops = heights[np.searchsorted(positions, places)]
    peaks: list[tuple[int, float]] = []
    for position, height in zip(places.tolist(), tops.tolist()):
        if peaks and position - peaks[-1][0] < apart:
            if height > peaks[-1][1]:
                peaks[-1] = (position, height)
        else:
            peaks.append((position, height))
    return np.array([position for position, _ in peaks], np.int64)


@dataclass(frozen=True)
class Acquisition:
    """Candidates that match the training, one entry each.

    Attributes:
        window: int64[c], first sample of the FFT's window of the first preamble symbol.
        cfo: float64[c], cycles per sample.
    """

    window: np.ndarray
    cfo: np.ndarray


def acquire(samples: np.ndarray, positions: np.ndarray, offsets: np.ndarray, numerology: Numerology) -> Acquisition:
    """Timing and carrier offset of candidates.

    Args:
        samples: complex64[n]; every position must have half an OFDM symbol before it and the preamble and one symbol
            more after it.
        positions, offsets: as from `find_candidates`.
    """
    lag, cp_len, size = numerology.symbol_len, numerology.cp_len, numerology.fft_size
    half = lag // 2
    # The four training symbols add in phase, whichever multiple of 1/lag the offset has.
    begin = positions - half
    rows = samples[begin[:, None, None] + np.arange(PREAMBLE_SYMBOLS)[:, None] * lag + np.arange(2 * lag)]
    turns = PREAMBLE_SIGNS * unit_turn(-2 * np.pi * offsets[:, None] * lag * np.arange(PREAMBLE_SYMBOLS))
    combined = np.matmul(turns[:, None, :], rows)[:, 0]
    combined = combined * unit_turn(-2 * np.pi * offsets[:, None] * np.arange(2 * lag))
    length, templates = _templates(numerology)
    spectrum = scipy.fft.fft(combined, length, axis=-1)
    match = scipy.fft.ifft(spectrum[:, None] * templates, axis=-1)[:, :, : 2 * half]
    power = np.square(match.real) + np.square(match.imag)
    best = power.reshape(len(positions), -1).argmax(axis=1)
    fold, delay = np.divmod(best, 2 * half)
    # The energy of the whole preamble there, from running sums; what chance alone does not reach goes on.
    energy = np.square(rows.real) + np.square(rows.imag)
    summed = np.cumsum(energy.sum(axis=1), axis=1, dtype=np.float64)
    picked = np.arange(len(positions))
    energy = summed[picked, delay + lag - 1] - np.where(delay > 0, summed[picked, delay - 1], 0)
    matched = power.reshape(len(positions), -1)[picked, best]
    scale = PREAMBLE_SYMBOLS * np.square(np.abs(training_symbol(numerology))).sum()
    kept = np.flatnonzero(matched > _LEAST_MATCH / (PREAMBLE_SYMBOLS * lag) * scale * energy)
    fold, delay, begin, offsets = fold[kept], delay[kept], begin[kept], offsets[kept]
    cfo = offsets + _FOLDS[fold] / lag
    # A first window in the middle of the prefix, so that paths before and after the strongest stay inside.
    window = begin + delay + cp_len - cp_len // 2

    carriers = demodulate_preamble(samples, window, cfo, numerology) * PREAMBLE_SIGNS[:, None]
    turn = _residual_turn(carriers)
    cfo = cfo + turn / (2 * np.pi * lag)
    carriers = carriers * np.exp(-1j * turn[:, None] * np.arange(PREAMBLE_SYMBOLS))[:, :, None]
    channel = carriers.mean(axis=1)
    noise = np.square(np.abs(carriers - channel[:, None])).mean(axis=(1, 2)) / (PREAMBLE_SYMBOLS - 1)
    taper, placement = _placement(numerology)
    cells = np.zeros((len(kept), size), np.complex64)
    cells[:, numerology.used_bins] = channel * np.conj(training_carriers(numerology)) * taper
    profile = np.square(np.abs(scipy.fft.ifft(cells, axis=-1)))
    noise_floor = noise * np.square(taper).sum() / size**2
    least = np.maximum(8 * noise_floor, 0.003 * profile.max(axis=1))
    score = np.where(profile > least[:, None], profile, 0) @ placement
    window = window + score.argmax(axis=1) - cp_len
    return Acquisition(window, cfo)


def demodulate_preamble(samples: np.ndarray, window: np.ndarray, cfo: np.ndarray, numerology: Numerology) -> np.ndarray:
    """The used carriers of the four training symbols: complex64[c, 4, used_count]."""
    return demodulate_rows(samples, window, cfo, PREAMBLE_SYMBOLS, numerology)


def demodulate_rows(
    samples: np.ndarray, window: np.ndarray, cfo: np.ndarray, rows: int, numerology: Numerology
) -> np.ndarray:
    """The used carriers of OFDM symbols from the start of each burst, carrier offset removed.

    Args:
        window: int64[c], first sample of the first FFT window in `samples`.
        cfo: float64[c], cycles per sample.
        rows: OFDM symbols, the preamble's included.

    Returns:
        complex64[c, rows, used_count]. The phase is that of the offset's oscillator starting at zero at `window`.
    """
    lag, size = numerology.symbol_len, numerology.fft_size
    bodies = np.empty((len(window), rows, size), np.complex64)
    inner = unit_turn(-2 * np.pi * cfo[:, None] * np.arange(size))
    stride = samples.strides[0]
    for row, (begin, turn) in enumerate(zip(window, inner, strict=True)):
        view = np.lib.stride_tricks.as_strided(samples[begin:], (rows, size), (lag * stride, stride), writeable=False)
        np.multiply(view, turn, out=bodies[row])
    spectrum = scipy.fft.fft(bodies, axis=-1, norm="ortho", overwrite_x=True)
    outer = unit_turn(-2 * np.pi * cfo[:, None] * lag * np.arange(rows))
    return np.take(spectrum, numerology.used_bins, axis=-1) * outer[:, :, None]


def _residual_turn(carriers: np.ndarray) -> np.ndarray:
    """Radians per OFDM symbol left between equal training symbols: the maximum of their joint likelihood.

    For a repeated signal through any channel the likelihood of a turn w is the sum over lags l of Re(c_l exp(-jwl)),
    c_l the correlation at that lag. Two Newton steps from the estimate at the nearest lag.
    """
    count = carriers.shape[1]
    sums = np.stack(
        [(carriers[:, lag:] * np.conj(carriers[:, : count - lag])).sum(axis=(1, 2)) for lag in range(1, count)], axis=1
    ).astype(np.complex128)
    lags = np.arange(1, count)
    turn = np.angle(sums[:, 0])
    for _ in range(3):
        turned = sums * np.exp(-1j * turn[:, None] * lags)
        curvature = np.maximum((lags**2 * turned.real).sum(axis=1), 1e-30)
        turn = turn + np.clip((lags * turned.imag).sum(axis=1) / curvature, -0.3, 0.3)
    return turn


@lru_cache(maxsize=32)
def _templates(numerology: Numerology) -> tuple[int, np.ndarray]:
    lag = numerology.symbol_len
    length = scipy.fft.next_fast_len(2 * lag)
    turned = training_symbol(numerology) * np.exp(2j * np.pi * _FOLDS[:, None] * np.arange(lag) / lag)
    return length, np.conj(scipy.fft.fft(turned, length, axis=-1)).astype(np.complex64)


@lru_cache(maxsize=32)
def _placement(numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """A taper over the used carriers, and how good each tap of a channel makes each shift of the window.

    Returns:
        float32[used_count] (Hann, so that one path does not look like many), and float32[fft_size, 2 cp_len + 1]: a
        tap at a delay inside the prefix counts whole, slightly more near its beginning; one outside counts less.
    """
    size, cp_len = numerology.fft_size, numerology.cp_len
    carriers = numerology.used_carriers
    taper = np.cos(np.pi / 2 * carriers / (np.abs(carriers).max() + 1)) ** 2
    lead = min(CHANNEL_LEAD, cp_len // 8)
    taps = (np.arange(size) + size // 2) % size - size // 2
    delay = taps[:, None] - np.arange(-cp_len, cp_len + 1)
    outside = np.maximum(np.maximum(-delay, delay - cp_len), 0)
    weight = 1 - 0.03 / cp_len * np.abs(delay - lead) - 1.0 / cp_len * outside
    return taper.astype(np.float32), np.maximum(weight, -1).astype(np.float32)
