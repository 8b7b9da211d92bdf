"""Noise floor of the receiver.

What to send: nothing; better, a terminated input. The spectrum is estimated by Welch's method ("The use of fast Fourier
transform for the estimation of power spectra", IEEE Trans. Audio Electroacoust. 1967) over the carriers that the link
uses. Bins far above the median are spurs and count apart, as does the DC offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology

BINS = 1024
SPUR_DB = 10.0  # of a bin over the median


@dataclass(frozen=True)
class NoiseFloor:
    """Noise of a receiver.

    Attributes:
        dbfs: its power over the whole sample rate, were it as in the used band, dB over a complex tone of amplitude 1.
            The modem's FFT is unitary, so this is also the noise of a subcarrier.
        spectrum_db: float64[BINS], power of each bin times their number, dBFS, from -½ to ½ cycles per sample.
        spurs: (cycles per sample, dBFS) of tones in the used band, DC excepted.

    Example:
        >>> noise = 1e-3 * np.random.default_rng(1).standard_normal((65_536, 2)).view(np.complex128)[:, 0]
        >>> found = noise_floor(noise)
        >>> round(found.dbfs), found.spurs
        (-57, ())
    """

    dbfs: float
    spectrum_db: np.ndarray
    spurs: tuple[tuple[float, float], ...]


def power_spectrum(samples: np.ndarray) -> np.ndarray:
    """Welch's estimate, Hann windows that overlap by half: float64[BINS], mean is the samples' power, from -½ to ½."""
    window = np.hanning(BINS + 1)[:BINS]
    windows = np.lib.stride_tricks.sliding_window_view(samples, BINS)[:: BINS // 2]
    total = np.zeros(BINS)
    for first in range(0, len(windows), 256):
        total += np.sum(np.abs(np.fft.fft(windows[first : first + 256] * window, axis=1)) ** 2, axis=0)
    return np.fft.fftshift(total / (len(windows) * np.sum(window**2)))


def noise_floor(samples: np.ndarray, numerology: Numerology = DEFAULT_NUMEROLOGY) -> NoiseFloor:
    """The noise in a capture, complex64[n] with n ≥ 1024, of silence."""
    spectrum = np.maximum(power_spectrum(samples), 1e-20)
    cycles = np.fft.fftshift(np.fft.fftfreq(BINS))
    half = numerology.used_carriers[-1] / numerology.fft_size
    at_dc = np.abs(cycles) < 3 / BINS
    band = (np.abs(cycles) <= half) & ~at_dc
    level = np.median(spectrum[band])
    spur = band & (spectrum > level * 10 ** (SPUR_DB / 10))
    quiet = band & ~_widened(spur)
    floor = float(spectrum[quiet].mean()) if quiet.any() else float(level)
    spurs = []
    for index in np.flatnonzero(spur):
        if spectrum[index] == spectrum[max(0, index - 2) : index + 3].max():
            power = spectrum[index - 2 : index + 3].sum() / BINS
            spurs.append((float(cycles[index]), float(10 * np.log10(power))))
    return NoiseFloor(float(10 * np.log10(floor)), 10 * np.log10(spectrum), tuple(spurs))


def _widened(marks: np.ndarray, by: int = 3) -> np.ndarray:
    return np.convolve(marks, np.ones(2 * by + 1), "same") > 0
