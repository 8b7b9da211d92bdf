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
from numba import njit

from gr_jscc.modem.channel_estimation import CHANNEL_LEAD
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.preamble import PREAMBLE_SIGNS, PREAMBLE_SYMBOLS, training_carriers, training_symbol
from gr_jscc.modem.rows import demodulate_rows
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["Acquisition", "acquire", "find_candidates", "grid", "metric_span"]

# The offset is known from the first step up to multiples of 1/symbol_len; ±3 of them reach beyond ±2 subcarriers.
_FOLDS = np.arange(-3, 4)
# Least share of a candidate's energy that the strongest path's match with the training must hold, times the preamble's
# samples. Of white noise 3e-4 of the candidates pass, at 0 dB a path with a tenth of the channel's power does.
_LEAST_MATCH = 14.4
# Groups of samples worked on together, so that what is made of them stays in the cache.
_STRETCH = 512


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
    peaks, correlations = _metric_peaks(samples, lag, tuple(range(group)), threshold(numerology))
    return peaks * group, np.angle(correlations) / (2 * np.pi * lag)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _metric_peaks(samples, lag, within, least):
    """Where the metric exceeds `least` and all that is above that within three symbols: in groups of samples.

    Args:
        samples: complex64[n].
        lag: samples of an OFDM symbol.
        within: 0, 1, … as a tuple as long as a group: a length that the compiler knows lets it unroll loops.
        least: metric of a candidate.

    Returns:
        int64[c] and the correlations there, complex128[c].
    """
    group = len(within)
    step, count = lag // group, (len(samples) - PREAMBLE_SYMBOLS * lag) // group
    if count <= 0:
        return np.empty(0, np.int64), np.empty(0, np.complex128)
    products, energies = count + 3 * step, count + 4 * step
    # Over groups of samples: products with the sample one symbol earlier, and energies; then their running sums. Slices
    # in place of indexes that are sums: such an index might be negative, and a loop that minds that does not vectorise.
    real, imag, total = np.zeros(products + 1), np.zeros(products + 1), np.zeros(energies + 1)
    re, im = np.empty(_STRETCH * group, np.float32), np.empty(_STRETCH * group, np.float32)
    for first in range(0, products, _STRETCH):
        some = min(_STRETCH, products - first)
        early = samples[first * group :][: some * group]
        late = samples[first * group + lag :][: some * group]
        for i in range(len(early)):
            re[i] = late[i].real * early[i].real + late[i].imag * early[i].imag
            im[i] = late[i].imag * early[i].real - late[i].real * early[i].imag
        _summed(re[: some * group], within, real[first + 1 :][:some])
        _summed(im[: some * group], within, imag[first + 1 :][:some])
    for first in range(0, energies, _STRETCH):
        some = min(_STRETCH, energies - first)
        own = samples[first * group :][: some * group]
        for i in range(len(own)):
            re[i] = own[i].real * own[i].real + own[i].imag * own[i].imag
        _summed(re[: some * group], within, total[first + 1 :][:some])
    for g in range(products):
        real[g + 1] += real[g]
        imag[g + 1] += imag[g]
    for g in range(energies):
        total[g + 1] += total[g]
    # Running sums leave a rounding error in proportion to all that was summed; below it lies silence.
    floor = 1e-13 * total[energies] + 1e-30
    # Three neighbouring sums, each over one symbol, weighted 2, -1, -1 and written out on the running sums: the signs
    # are those of the preamble's products, the sizes make a stationary signal cancel.
    height = np.empty(count, np.float32)
    real1, real3, imag1, imag3 = real[step:], real[3 * step :], imag[step:], imag[3 * step :]
    total1, total2, total3, total4 = total[step:], total[2 * step :], total[3 * step :], total[4 * step :]
    for g in range(count):
        x = 3 * real1[g] - 2 * real[g] - real3[g]
        y = 3 * imag1[g] - 2 * imag[g] - imag3[g]
        energy = max(0.5 * (total2[g] + total3[g] + total4[g] - total1[g]) - total[g], floor)
        height[g] = (x * x + y * y) / (energy * energy)
    peaks = np.empty(count // (3 * step) + 1, np.int64)
    found = 0
    bar = np.float32(least * least)
    for g in range(count):
        if height[g] > bar:
            if found and g - peaks[found - 1] < 3 * step:
                if height[g] > height[peaks[found - 1]]:
                    peaks[found - 1] = g
            else:
                peaks[found] = g
                found += 1
    correlations = np.empty(found, np.complex128)
    for c in range(found):
        g = peaks[c]
        correlations[c] = complex(3 * real1[g] - 2 * real[g] - real3[g], 3 * imag1[g] - 2 * imag[g] - imag3[g])
    return peaks[:found], correlations


@njit(cache=True, nogil=True, fastmath=FAST)
def _summed(values, within, sums):
    """Adds up groups of values, float32[n], into `sums`, float64[n / group]."""
    group = len(within)
    for g in range(len(sums)):
        total = np.float32(0)
        for i in range(group):
            total += values[g * group + i]
        sums[g] = total


@dataclass(frozen=True)
class Acquisition:
    """Candidates that match the training, one entry each.

    Attributes:
        window: int64[c], first sample of the FFT's window of the first preamble symbol.
        cfo: float64[c], cycles per sample.

    Example:
        >>> from gr_jscc.modem import BurstHeader, BurstKind, modulate
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> quiet = np.zeros(1000, np.complex64)
        >>> samples = np.concatenate([quiet, modulate(header, np.ones(480, np.complex64)), quiet])
        >>> found = acquire(samples, *find_candidates(samples, layout), layout)
        >>> found.window.tolist(), bool(abs(found.cfo[0]) < 1e-4)  # within the cyclic prefix
        ([1014], True)
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
    lag, cp_len = numerology.symbol_len, numerology.cp_len
    begin = positions - lag // 2
    length, templates, scale = _templates(numerology)
    spectrum = scipy.fft.fft(_added_up(samples, begin, offsets, lag, length), axis=-1, overwrite_x=True)
    match = scipy.fft.ifft(spectrum[:, None] * templates, axis=-1, overwrite_x=True)
    # What chance alone does not reach goes on.
    fold, delay, passed = _strongest(match, samples, begin, lag, _LEAST_MATCH / (PREAMBLE_SYMBOLS * lag) * scale)
    kept = np.flatnonzero(passed)
    cfo = offsets[kept] + _FOLDS[fold[kept]] / lag
    # A first window in the middle of the prefix, so that paths before and after the strongest stay inside.
    window = (begin + delay)[kept] + cp_len - cp_len // 2

    spectrum = demodulate_rows(samples, window, cfo, PREAMBLE_SYMBOLS, numerology)
    taper, density, placement = _placement(numerology)
    cells, turn, noise = _training_channel(spectrum, numerology.used_bins, training_carriers(numerology), taper)
    shift = _best_shift(scipy.fft.ifft(cells, axis=-1, overwrite_x=True), noise * density, placement)
    return Acquisition(window + shift - cp_len, cfo + turn / (2 * np.pi * lag))


@njit(cache=True, nogil=True, fastmath=FAST)
def _added_up(samples, begin, offsets, lag, length):
    """The four training symbols added in phase, whichever multiple of 1/lag the offset has, and turned back by it.

    Returns:
        complex64[c, length], two symbols long and zero beyond.
    """
    added = np.zeros((len(begin), length), np.complex64)
    turn = np.empty(PREAMBLE_SYMBOLS, np.complex64)
    for c in range(len(begin)):
        for row in range(PREAMBLE_SYMBOLS):
            cosine, sine = cosine_sine(-offsets[c] * (lag * row))
            turn[row] = complex(cosine, sine) * PREAMBLE_SIGNS[row]
        for row in range(PREAMBLE_SYMBOLS):
            first = begin[c] + row * lag
            part = samples[first : first + 2 * lag]
            factor = turn[row]
            for i in range(2 * lag):
                added[c, i] += part[i] * factor
        for i in range(2 * lag):
            cosine, sine = cosine_sine(-offsets[c] * i)
            added[c, i] *= np.complex64(complex(cosine, sine))
    return added


@njit(cache=True, nogil=True, fastmath=FAST)
def _strongest(match, samples, begin, lag, least):
    """The strongest match of each candidate, and whether it holds more than `least` of the preamble's energy there.

    Args:
        match: complex64[c, folds, at least a symbol].

    Returns:
        fold and delay, int64[c] each, and bool[c].
    """
    count, folds, _ = match.shape
    fold, delay, passed = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for c in range(count):
        best = np.float32(-1)
        for f in range(folds):
            for i in range(lag // 2 * 2):
                power = match[c, f, i].real * match[c, f, i].real + match[c, f, i].imag * match[c, f, i].imag
                if power > best:
                    best, fold[c], delay[c] = power, f, i
        energy = np.float32(0)
        first = begin[c] + delay[c]
        for i in range(first, first + PREAMBLE_SYMBOLS * lag):
            energy += samples[i].real * samples[i].real + samples[i].imag * samples[i].imag
        passed[c] = best > least * energy
    return fold, delay, passed


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _training_channel(spectrum, bins, training, taper):
    """What the four training symbols say of the channel.

    The radians per OFDM symbol left between them are the maximum of their joint likelihood: for a repeated signal
    through any channel that of a turn w is the sum over lags l of Re(c_l exp(-jwl)), c_l the correlation at that lag.
    Three Newton steps from the estimate at the nearest lag.

    Args:
        spectrum: complex64[c, 4, fft_size].
        bins: int64[used_count]; training: complex64[used_count]; taper: float32[used_count].

    Returns:
        the tapered channel on all bins, complex64[c, fft_size]; the turns, float64[c]; the noise of a cell, float64[c].
    """
    count, rows, size = spectrum.shape
    used = len(bins)
    cells = np.zeros((count, size), np.complex64)
    turns, noise = np.zeros(count), np.zeros(count)
    carriers = np.empty((rows, used), np.complex64)
    for c in range(count):
        for row in range(rows):
            for k in range(used):
                carriers[row, k] = spectrum[c, row, bins[k]] * PREAMBLE_SIGNS[row]
        sums = np.zeros(rows, np.complex64)
        for first in range(rows):
            for second in range(first + 1, rows):
                total = np.complex64(0)
                for k in range(used):
                    total += carriers[second, k] * np.conj(carriers[first, k])
                sums[second - first] += total
        turn = np.arctan2(np.float64(sums[1].imag), np.float64(sums[1].real))
        for _ in range(3):
            slope, curvature = 0.0, 0.0
            for lag in range(1, rows):
                cosine, sine = cosine_sine(-turn * lag / (2 * np.pi))
                turned = sums[lag] * np.complex64(complex(cosine, sine))
                slope += lag * turned.imag
                curvature += lag * lag * turned.real
            turn += min(max(slope / max(curvature, 1e-30), -0.3), 0.3)
        turns[c] = turn
        for row in range(1, rows):
            cosine, sine = cosine_sine(-turn * row / (2 * np.pi))
            back = np.complex64(complex(cosine, sine))
            for k in range(used):
                carriers[row, k] *= back
        energy = np.float32(0)
        for k in range(used):
            mean = np.complex64(0)
            for row in range(rows):
                mean += carriers[row, k]
            mean *= np.float32(1 / PREAMBLE_SYMBOLS)
            for row in range(rows):
                error = carriers[row, k] - mean
                energy += error.real * error.real + error.imag * error.imag
            cells[c, bins[k]] = mean * np.conj(training[k]) * taper[k]
        noise[c] = energy / (rows * used * (rows - 1))
    return cells, turns, noise


@njit(cache=True, nogil=True, fastmath=FAST)
def _best_shift(taps, noise_floor, placement):
    """Which shift of the window catches most of each channel's power: int64[c].

    Args:
        taps: complex64[c, fft_size].
        noise_floor: float64[c], mean power of a tap that is noise.
        placement: float32[fft_size, shifts], of `_placement`.
    """
    shift, power = np.zeros(len(taps), np.int64), np.empty(taps.shape[1], np.float32)
    score = np.empty(placement.shape[1], np.float32)
    for c in range(len(taps)):
        strongest = np.float32(0)
        for i in range(len(power)):
            power[i] = taps[c, i].real * taps[c, i].real + taps[c, i].imag * taps[c, i].imag
            strongest = max(strongest, power[i])
        least = max(8 * noise_floor[c], 0.003 * strongest)
        score[:] = 0
        for i in range(len(power)):
            if power[i] > least:
                for j in range(len(score)):
                    score[j] += power[i] * placement[i, j]
        shift[c] = np.argmax(score)
    return shift


@lru_cache(maxsize=32)
def _templates(numerology: Numerology) -> tuple[int, np.ndarray, float]:
    """Points of an FFT, the training under each offset to be told apart after that FFT, and a preamble's energy."""
    lag = numerology.symbol_len
    length = scipy.fft.next_fast_len(2 * lag)
    turned = training_symbol(numerology) * np.exp(2j * np.pi * _FOLDS[:, None] * np.arange(lag) / lag)
    energy = PREAMBLE_SYMBOLS * float(np.square(np.abs(training_symbol(numerology))).sum())
    return length, np.conj(scipy.fft.fft(turned, length, axis=-1)).astype(np.complex64), energy


@lru_cache(maxsize=32)
def _placement(numerology: Numerology) -> tuple[np.ndarray, float, np.ndarray]:
    """A taper over the used carriers, and how good each tap of a channel makes each shift of the window.

    Returns:
        float32[used_count] (Hann, so that one path does not look like many); the noise of a tap over that of a carrier;
        and float32[fft_size, 2 cp_len + 1]: a tap at a delay inside the prefix counts whole, slightly more near its
        beginning; one outside counts less.
    """
    size, cp_len = numerology.fft_size, numerology.cp_len
    carriers = numerology.used_carriers
    taper = np.cos(np.pi / 2 * carriers / (np.abs(carriers).max() + 1)) ** 2
    lead = min(CHANNEL_LEAD, cp_len // 8)
    taps = (np.arange(size) + size // 2) % size - size // 2
    delay = taps[:, None] - np.arange(-cp_len, cp_len + 1)
    outside = np.maximum(np.maximum(-delay, delay - cp_len), 0)
    weight = 1 - 0.03 / cp_len * np.abs(delay - lead) - 1.0 / cp_len * outside
    taper = taper.astype(np.float32)
    return taper, float(np.square(taper).sum()) / size**2, np.maximum(weight, -1).astype(np.float32)
