"""The test signal of most procedures: two tones, next to each other, whose phases tell where in the signal one is.

Tones on neighbouring harmonics m and m + 1 of a period P differ in phase by 2π t / P at time t. The period therefore
fixes the phase with which each was sent, up to one common phase, whatever the delay was; so the images and the leakage
that a transmitter adds can be told in the transmitter's own terms. A little noise goes with the tones, without which a
converter of few bits would round each period alike and so make an offset and images of its own (Lipshitz, Wannamaker
and Vanderkooy, "Quantization and dither: a theoretical survey", J. Audio Eng. Soc. 1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.errors import UserError

PERIOD = 64
LINES = (5, 6)
DITHER = 1 / 256  # half a step of 8 bits
SEGMENT = 4096  # samples in which phase noise and drift are small
SEARCHED = 65_536  # samples in which the tones are looked for
LEAST_APART = 1e-3  # cycles per sample between tones that are fitted together: 4 of a segment's bins
LEAST_SNR_DB = 10.0  # of a tone over the median of the spectrum's bins


class CalibrationError(UserError):
    """A capture that shows nothing, or too much; the message says in one line what to do.

    Example:
        >>> receive_comb(np.zeros(100, np.complex64))
        Traceback (most recent call last):
            ...
        gr_jscc.calibration.comb.CalibrationError: a capture of 100 samples is too short: at least 16384 are needed
    """


def comb_samples(count: int, amplitude: float) -> np.ndarray:
    """What to send.

    Args:
        count: samples; a multiple of PERIOD may be repeated without a seam.
        amplitude: peak; the mean power is half its square.

    Returns:
        complex64[count].
    """
    cycles = np.arange(count) % PERIOD / PERIOD
    tones = sum(np.exp(2j * np.pi * line * cycles) for line in LINES)
    return (amplitude / len(LINES) * tones + dither(count)).astype(np.complex64)


def dither(count: int) -> np.ndarray:
    """Noise that makes the rounding of converters random, triangular in distribution: complex128[count]."""
    parts = DITHER * np.random.default_rng(1).uniform(-1, 1, (2, 2, count)).sum(axis=0)
    return parts[0] + 1j * parts[1]


@dataclass(frozen=True)
class ReceivedComb:
    """The comb as it arrived.

    Attributes:
        lo: where the transmitter's local oscillator is seen, cycles per sample of the receiver.
        clock: samples of the transmitter in one of the receiver: 1 and a few 10⁻⁶.
        period_phase: float64[segments], 2π times the place in the period, at the beginning of each segment.
        amplitudes: complex128[segments, 2], of the two tones at the beginning of each segment.

    Example:
        >>> comb = receive_comb(comb_samples(65_536, amplitude=0.5))
        >>> round(comb.power_dbfs, 1), abs(comb.lo) < 1e-7
        (-9.0, True)
    """

    lo: float
    clock: float
    period_phase: np.ndarray
    amplitudes: np.ndarray

    def frequency(self, line: int) -> float:
        """Where harmonic `line` of the transmitter's period is seen, cycles per sample."""
        return self.lo + line * self.clock / PERIOD

    @property
    def reference(self) -> np.ndarray:
        """The tones as if sent with phase 0, so h μ a/2 of each segment: complex128[segments], the mean of both."""
        turned = [self.amplitudes[:, i] * np.exp(-1j * line * self.period_phase) for i, line in enumerate(LINES)]
        return np.mean(turned, axis=0)

    @property
    def power_dbfs(self) -> float:
        """Power of both tones together, dB over a complex tone of amplitude 1."""
        return float(10 * np.log10(np.mean(np.sum(np.abs(self.amplitudes) ** 2, axis=1))))


def receive_comb(samples: np.ndarray) -> ReceivedComb:
    """Finds the comb in a capture and follows its phase.

    The tones are the pair of peaks, one spacing apart, of which the weaker is strongest: a receiver's DC offset or a
    spur has no such neighbour. Their frequencies are then the slopes of their phases over the segments.

    Args:
        samples: complex64[n], of at least 4 segments.

    Raises:
        CalibrationError: there is none.
    """
    if len(samples) < 4 * SEGMENT:
        raise CalibrationError(f"a capture of {len(samples)} samples is too short: at least {4 * SEGMENT} are needed")
    first, second = _coarse(samples)
    count = len(samples) // SEGMENT
    starts = SEGMENT * np.arange(count)
    for _ in range(2):
        amplitudes = follow(samples, np.array([first, second]))
        slopes = []
        for i, frequency in enumerate((first, second)):
            turned = amplitudes[:, i] * np.exp(-2j * np.pi * frequency * starts)
            steps = np.angle(np.sum(turned[1:] * np.conj(turned[:-1])))  # the mean step, so that unwrapping is safe
            level = np.unwrap(np.angle(turned * np.exp(-1j * steps * np.arange(count))))
            slopes.append((np.polyfit(np.arange(count), level, 1)[0] + steps) / (2 * np.pi * SEGMENT))
        first, second = first + slopes[0], second + slopes[1]
    clock = (second - first) * PERIOD
    amplitudes = follow(samples, np.array([first, second]))
    drift = 2 * np.pi * ((second - first) * starts)
    phase = drift + np.angle(np.sum(amplitudes[:, 1] * np.conj(amplitudes[:, 0]) * np.exp(-1j * drift)))
    return ReceivedComb(float(first - LINES[0] * clock / PERIOD), float(clock), phase, amplitudes)


def _coarse(samples: np.ndarray) -> tuple[float, float]:
    """The tones' frequencies, each to a fraction of a bin.

    Raises:
        CalibrationError: no pair stands out.
    """
    count = min(len(samples), SEARCHED) // PERIOD * PERIOD
    # Hann: the sidelobes of strong neighbours fall fast.
    spectrum = np.abs(np.fft.fft(samples[:count] * np.hanning(count))) ** 2
    pair = np.minimum(spectrum, np.roll(spectrum, -count // PERIOD))
    place = int(np.argmax(pair))
    if pair[place] <= 10 ** (LEAST_SNR_DB / 10) * np.median(spectrum) / np.log(2):
        raise CalibrationError("the test signal does not arrive: check the cable, the frequency and the gains")
    found = []
    for peak in (place, place + count // PERIOD):
        near = (peak + np.arange(-4, 5)) % count
        offset = np.argmax(spectrum[near]) - 4
        around = np.sqrt(spectrum[(peak + offset + np.arange(-1, 2)) % count])
        # Peak of a Hann window's main lobe from its two largest values (Grandke, IEEE Trans. Instrum. Meas. 1983).
        side = 1 if around[2] > around[0] else -1
        ratio = max(around[0], around[2]) / around[1]
        found.append((peak + offset + side * (2 * ratio - 1) / (ratio + 1)) / count)
    low, high = found
    turn = low >= 0.5  # frequencies run from -½ to ½
    return low - turn, high - turn


@dataclass(frozen=True)
class Components:
    """What a comb brings with it, at the beginning of each segment.

    Attributes:
        tones: complex128[segments, 2].
        receiver_images, transmitter_images: of the tones, complex128[segments, 2].
        leakage: of the transmitter's local oscillator, complex128[segments].
        offset: the receiver's DC offset, complex128[segments].

    Example:
        >>> samples = comb_samples(65_536, amplitude=0.5) * np.exp(2j * np.pi * 0.15 * np.arange(65_536)) + 0.01
        >>> parts = components(samples, receive_comb(samples))
        >>> round(float(abs(parts.offset.mean())), 4)
        0.01
    """

    tones: np.ndarray
    receiver_images: np.ndarray
    transmitter_images: np.ndarray
    leakage: np.ndarray
    offset: np.ndarray


def components(samples: np.ndarray, comb: ReceivedComb) -> Components:
    """Fits all of them together.

    Args:
        samples: complex64[n].
        comb: found in them.

    Raises:
        CalibrationError: they do not lie apart, because the receiver is not tuned away from the transmitter.
    """
    tones = np.array([comb.frequency(line) for line in LINES])
    images = np.array([comb.frequency(-line) for line in LINES])
    frequencies = np.array([*tones, *-tones, *images, comb.lo, 0.0])
    apart = (frequencies[:, None] - frequencies[None, :] + 0.5) % 1 - 0.5
    if np.min(np.abs(apart[~np.eye(len(apart), dtype=bool)])) < LEAST_APART:
        raise CalibrationError("the signal overlaps the images of transmitter and receiver: choose another LO offset")
    found = follow(samples, frequencies)
    return Components(found[:, :2], found[:, 2:4], found[:, 4:6], found[:, 6], found[:, 7])


def follow(samples: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Amplitudes of tones, segment by segment, fitted together by least squares.

    Args:
        samples: complex64[n].
        frequencies: float64[k], cycles per sample, no two within a segment's resolution.

    Returns:
        complex128[n // SEGMENT, k], each at the beginning of its segment.
    """
    count = len(samples) // SEGMENT
    segments = np.asarray(samples[: count * SEGMENT]).reshape(count, SEGMENT)
    tones = np.exp(2j * np.pi * np.arange(SEGMENT)[:, None] * np.asarray(frequencies)[None, :])
    return np.linalg.lstsq(tones, segments.T.astype(np.complex128), rcond=None)[0].T
