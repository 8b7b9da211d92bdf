"""The cells of preamble and header, as kernels over many bursts: what they say of channel, phase and header bits."""

import numpy as np
from numba import njit

from gr_jscc.modem.header_code import HEADER_SYMBOLS
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["header_correlations", "header_ratios", "training_totals"]

# Of a bit on one axis of a QPSK symbol of power 1, per unit of what a matched filter gives.
_RATIO = np.float32(2 * np.sqrt(2))


@njit(cache=True, nogil=True, fastmath=FAST)
def training_totals(spectrum, bins, training):
    """The sums over the training symbols of received times conj(sent), and the squared errors about their mean.

    Args:
        spectrum: complex64[c, n, fft_size], FFTs from the first training symbol on.
        bins: int64[used_count].
        training: complex64[4, used_count], as sent.

    Returns:
        complex64[c, used_count] and float64[c, used_count], the latter with 3 degrees of freedom each.
    """
    count, rows = len(spectrum), len(training)
    totals = np.zeros((count, len(bins)), np.complex64)
    energy = np.zeros((count, len(bins)))
    for c in range(count):
        for k in range(len(bins)):
            total = np.complex64(0)
            for row in range(rows):
                total += spectrum[c, row, bins[k]] * np.conj(training[row, k])
            mean = total * np.float32(1 / rows)
            for row in range(rows):
                error = spectrum[c, row, bins[k]] * np.conj(training[row, k]) - mean
                energy[c, k] += error.real * error.real + error.imag * error.imag
            totals[c, k] = total
    return totals, energy


@njit(cache=True, nogil=True, fastmath=FAST)
def header_correlations(spectrum, bins, training, pilot_index, pilots, response):
    """Received times conj(expected), summed over the known cells of each OFDM symbol of preamble and header.

    Args:
        spectrum, bins, training: as in `training_totals`.
        pilot_index: int64[pilot_count], places of the pilots among the used carriers.
        pilots: float32[header's symbols, pilot_count], as sent.
        response: complex64[c, used_count], the channel.

    Returns:
        complex64[c, 4 + header's symbols].
    """
    count, opening, head = len(spectrum), len(training), len(pilots)
    correlations = np.zeros((count, opening + head), np.complex64)
    for c in range(count):
        for row in range(opening):
            total = np.complex64(0)
            for k in range(len(bins)):
                total += spectrum[c, row, bins[k]] * np.conj(training[row, k] * response[c, k])
            correlations[c, row] = total
        for row in range(head):
            total = np.complex64(0)
            for p in range(len(pilot_index)):
                k = pilot_index[p]
                total += spectrum[c, opening + row, bins[k]] * np.conj(response[c, k]) * pilots[row, p]
            correlations[c, opening + row] = total
    return correlations


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def header_ratios(spectrum, first, bins, unscramble, matched, offset, slope):
    """Log-likelihood ratios of the header's coded bits, from all its repetitions.

    Args:
        spectrum: complex64[c, n, fft_size].
        first: OFDM symbol at which the header begins.
        bins: int64[data_count]; unscramble: complex64[header's symbols, data_count].
        matched: complex64[c, data_count], the channel over the noise's variance.
        offset, slope: float64[c], radians at OFDM symbol 0 and per OFDM symbol.

    Returns:
        float32[c, 480]: of each of the header's symbols, the real part's and the imaginary part's.
    """
    count, (rows, cells) = len(spectrum), unscramble.shape
    ratios = np.zeros((count, 2 * HEADER_SYMBOLS), np.float32)
    for c in range(count):
        place = 0
        for row in range(rows):
            cosine, sine = cosine_sine(-(offset[c] + slope[c] * (first + row)) / (2 * np.pi))
            turn = np.complex64(complex(cosine, sine))
            for k in range(cells):
                value = spectrum[c, first + row, bins[k]] * unscramble[row, k] * np.conj(matched[c, k]) * turn
                ratios[c, 2 * place] += value.real * _RATIO
                ratios[c, 2 * place + 1] += value.imag * _RATIO
                place = place + 1 if place + 1 < HEADER_SYMBOLS else 0
    return ratios
