"""Peak-to-average power ratio: measured, and limited by repeated clipping and filtering."""

from __future__ import annotations

import numpy as np
import scipy.fft

from gr_jscc.modem.layout import data_places, pilot_places
from gr_jscc.modem.numerology import Numerology

__all__ = ["clip_and_filter", "oversampled_bins", "papr_db"]

OVERSAMPLING = 4  # peaks between samples count too: a DAC's filter brings them out
ITERATIONS = 4  # filtering lets peaks grow again; more than four gain less than 0.1 dB


def papr_db(samples: np.ndarray) -> float:
    """Peak over mean power of complex64[n], dB, of the band-limited waveform that the samples stand for.

    The samples are interpolated by `OVERSAMPLING`. Silence gives 0.
    """
    spectrum = scipy.fft.fft(samples)
    count = len(samples)
    padded = np.zeros(OVERSAMPLING * count, np.complex64)
    padded[: (count + 1) // 2] = spectrum[: (count + 1) // 2]
    padded[-(count // 2) :] = spectrum[-(count // 2) :]
    waveform = scipy.fft.ifft(padded)
    power = np.square(waveform.real) + np.square(waveform.imag)
    return float(10 * np.log10(power.max() / power.mean())) if power.any() else 0.0


def oversampled_bins(numerology: Numerology) -> np.ndarray:
    """Where the used carriers stand in an FFT that is `OVERSAMPLING` times as long: int64[used_count]."""
    return numerology.used_carriers % (OVERSAMPLING * numerology.fft_size)


def clip_and_filter(spectrum: np.ndarray, limit_db: float, numerology: Numerology) -> np.ndarray:
    """OFDM symbols with lower peaks: repeated clipping and filtering (Armstrong 2002, Electronics Letters 38:5).

    Each pass clips the oversampled waveform at ``limit_db`` above the mean power of a full OFDM symbol and
    removes what that put on unused carriers. Pilots are left exact, as the receiver's channel estimate
    rests on them; data cells are rescaled to unit gain, so that what clipping leaves is noise and no bias.

    Args:
        spectrum: complex64[symbols, fft_size], cells by FFT bin, of the OFDM symbols after the preamble.
        limit_db: wanted peak power over mean power, dB.
        numerology: says which bins are used.

    Returns:
        complex64 of the same shape.
    """
    size = numerology.fft_size
    limit = np.sqrt(10 ** (limit_db / 10) * numerology.used_count / size)
    places = oversampled_bins(numerology)
    cells = spectrum[:, numerology.used_bins]
    clipped = cells.copy()
    rows = np.arange(len(spectrum))[:, None]
    data, pilots = (places(numerology, 0, len(spectrum)) for places in (data_places, pilot_places))
    padded = np.zeros((len(spectrum), OVERSAMPLING * size), np.complex64)
    for _ in range(ITERATIONS):
        padded[:] = 0
        padded[:, places] = clipped
        waveform = scipy.fft.ifft(padded, axis=1) * np.float32(OVERSAMPLING * np.sqrt(size))
        magnitude = np.abs(waveform)
        waveform *= np.minimum(1, limit / np.maximum(magnitude, 1e-12)).astype(np.float32)
        clipped = scipy.fft.fft(waveform, axis=1)[:, places] / np.float32(OVERSAMPLING * np.sqrt(size))
        clipped[rows, pilots] = cells[rows, pilots]
    before, after = cells[rows, data], clipped[rows, data]
    gain = np.vdot(before, after).real / max(np.vdot(before, before).real, 1e-30)
    out = np.zeros_like(spectrum)
    clipped[rows, data] = after / np.float32(max(gain, 1e-3))
    out[:, numerology.used_bins] = clipped
    return out
