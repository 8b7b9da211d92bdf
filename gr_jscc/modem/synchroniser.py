"""The carrier offset of a burst that may be, and where to put the FFT's window.

Each of the `candidates` is correlated with the training symbol itself, under every multiple of the offset that is left
open there. Offsets are in cycles per sample throughout.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numba import njit

from gr_jscc.modem.channel_estimation import CHANNEL_LEAD
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.preamble import PREAMBLE_SIGNS, PREAMBLE_SYMBOLS, training_carriers, training_symbol
from gr_jscc.modem.rows import demodulate_rows
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["Acquisition", "acquire"]

# The offset is known from `find_candidates` up to multiples of 1/symbol_len; ±3 of them reach beyond ±2 subcarriers.
_FOLDS = np.arange(-3, 4)
# Least share of a candidate's energy that the strongest path's match with the training must hold, times the preamble's
# samples. Of white noise 3e-4 of the candidates pass, at 0 dB a path with a tenth of the channel's power does.
_LEAST_MATCH = 14.4


@dataclass(frozen=True)
class Acquisition:
    """Candidates that match the training, one entry each.

    Attributes:
        window: int64[c], first sample of the FFT's window of the first preamble symbol.
        cfo: float64[c], cycles per sample.

    Example:
        >>> from gr_jscc.modem import BurstHeader, BurstKind, modulate
        >>> from gr_jscc.modem.candidates import find_candidates
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
