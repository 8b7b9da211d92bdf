"""Compression of the transmitter: the 1 dB point, and the back-off for a wanted error or picture quality.

What to send: a tone whose amplitude climbs in steps of 1 dB from -30 dBFS to full scale and falls back, again and again
(`staircase`), with the noise that `calibration.comb` explains. The gain of each step over that of the lowest is AM/AM;
the 1 dB point is where it has fallen by 1 dB (Cripps, "RF Power Amplifiers for Wireless Communications", 2006, ch. 1).
From the curve follows, by sending a modulated signal through it on paper, the error that a link would see at any mean
power.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gr_jscc.calibration.comb import CalibrationError, dither
from gr_jscc.modem import DEFAULT_NUMEROLOGY, BurstHeader, BurstKind, modulate
from gr_jscc.modem.rows import demodulate_rows

STEP_SAMPLES = 4096
LEVELS_DBFS = np.arange(-30.0, 0.5)
TONE = 3 / 32  # cycles per sample; whole cycles in a step
LOWEST = 8  # steps taken for linear together
_BLOCK = 64


def staircase() -> np.ndarray:
    """What to send, again and again: complex64[STEP_SAMPLES * len(LEVELS_DBFS)]."""
    sizes = np.repeat(10 ** (LEVELS_DBFS / 20), STEP_SAMPLES)
    tone = sizes * np.exp(2j * np.pi * TONE * np.arange(len(sizes)))
    return (tone + dither(len(sizes))).astype(np.complex64)


@dataclass(frozen=True)
class AmplitudeCurve:
    """AM/AM of a transmitter.

    Attributes:
        input_dbfs: float64[n], power of the tone as sent, relative to digital full scale.
        gain_db: float64[n], gain at each relative to that at low levels.

    Example:
        >>> curve = AmplitudeCurve(input_dbfs=np.array([-20.0, -10.0, 0.0]), gain_db=np.array([0.0, -0.5, -1.5]))
        >>> curve.compression_dbfs
        -5.0
    """

    input_dbfs: np.ndarray
    gain_db: np.ndarray

    @property
    def compression_dbfs(self) -> float | None:
        """Power as sent where the gain has fallen by 1 dB; None where it does not up to full scale."""
        below = np.flatnonzero(self.gain_db <= -1)
        if not len(below) or below[0] == 0:
            return None
        high = below[0]
        share = (self.gain_db[high - 1] + 1) / (self.gain_db[high - 1] - self.gain_db[high])
        return float(self.input_dbfs[high - 1] + share * (self.input_dbfs[high] - self.input_dbfs[high - 1]))

    def transmit(self, samples: np.ndarray) -> np.ndarray:
        """What becomes of samples complex64[n]: AM/AM between the steps, and converters that clip at full scale."""
        size = np.abs(samples)
        clipped = np.minimum(1.0, 1 / np.maximum(size, 1e-9))
        level = 20 * np.log10(np.maximum(size * clipped, 1e-9))
        gain = np.interp(level, self.input_dbfs, self.gain_db)
        return (samples * clipped * 10 ** (gain / 20)).astype(np.complex64)


def amplitude_curve(samples: np.ndarray) -> AmplitudeCurve:
    """AM/AM from a capture of at least two staircases.

    Args:
        samples: complex64[n], the receiver's DC offset removed.

    Raises:
        CalibrationError: the staircase is not in it, or the capture is too short.
    """
    period = STEP_SAMPLES * len(LEVELS_DBFS)
    if len(samples) < 2 * period:
        raise CalibrationError(f"a capture of {len(samples)} samples is too short: at least {2 * period} are needed")
    tone = _tone_frequency(samples)
    start = _start(samples, tone, period)
    margin = STEP_SAMPLES // 8
    body = np.arange(margin, STEP_SAMPLES - margin)
    turn = np.exp(-2j * np.pi * tone * body)
    powers = np.zeros(len(LEVELS_DBFS))
    repeats = (len(samples) - start) // period
    for repeat in range(repeats):
        for step in range(len(LEVELS_DBFS)):
            piece = samples[start + repeat * period + step * STEP_SAMPLES + body]
            powers[step] += abs(np.mean(piece * turn)) ** 2
    gain = 10 * np.log10(powers / repeats) - LEVELS_DBFS
    return AmplitudeCurve(LEVELS_DBFS.copy(), gain - np.mean(gain[:LOWEST]))


def _tone_frequency(samples: np.ndarray) -> float:
    """Where the tone is seen, cycles per sample, to a small part of a step's resolution."""
    count = 2 ** int(np.log2(len(samples)))
    spectrum = np.abs(np.fft.fft(samples[:count] * np.hanning(count))) ** 2
    # The tone's phase jumps with every repeat of the staircase, if at all: its line is narrow.
    frequency = float(np.fft.fftfreq(count)[np.argmax(spectrum)])
    blocks = len(samples) // 1024
    turned = samples[: blocks * 1024] * np.exp(-2j * np.pi * frequency * np.arange(blocks * 1024))
    sums = turned.reshape(blocks, 1024).mean(axis=1)
    return frequency + float(np.angle(np.sum(sums[1:] * np.conj(sums[:-1])))) / (2 * np.pi * 1024)


def _start(samples: np.ndarray, tone: float, period: int) -> int:
    """First sample of a staircase.

    Raises:
        CalibrationError: nothing like one is there.
    """
    blocks = len(samples) // _BLOCK
    turned = samples[: blocks * _BLOCK] * np.exp(-2j * np.pi * tone * np.arange(blocks * _BLOCK))
    level = np.abs(turned.reshape(blocks, _BLOCK).mean(axis=1))
    pattern = np.repeat(10 ** (LEVELS_DBFS / 20), STEP_SAMPLES // _BLOCK)
    span = period // _BLOCK
    match = [
        np.corrcoef(np.roll(pattern, shift), level[:span])[0, 1] for shift in range(0, span, STEP_SAMPLES // _BLOCK)
    ]
    near = int(np.argmax(match)) * (STEP_SAMPLES // _BLOCK)
    fine = near + np.arange(-STEP_SAMPLES // _BLOCK, STEP_SAMPLES // _BLOCK + 1)
    match = [np.corrcoef(np.roll(pattern, shift), level[:span])[0, 1] for shift in fine]
    if max(match) < 0.8:
        raise CalibrationError("the test signal does not arrive: check the cable, the frequency and the gains")
    return int(fine[int(np.argmax(match))] % span) * _BLOCK


def distortion_db(curve: AmplitudeCurve, mean_dbfs: float, seed: int = 1) -> float:
    """Error of the data cells that the curve makes of a modulated signal, relative to their power, dB.

    The error after the one complex gain that a channel estimate removes (EVM as in IEEE Std 802.11, 17.3.9.7).

    Args:
        curve: of the transmitter.
        mean_dbfs: mean power of the signal as sent.
        seed: of its symbols.
    """
    layout, count = DEFAULT_NUMEROLOGY, 48 * 200
    rng = np.random.default_rng(seed)
    symbols = (rng.standard_normal((count, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    burst = modulate(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, count), symbols)
    scale = 10 ** (mean_dbfs / 20) / np.sqrt(np.mean(np.abs(burst) ** 2))
    rows, window = len(burst) // layout.symbol_len, np.array([layout.cp_len])
    sent, received = (
        demodulate_rows(stream, window, np.zeros(1), rows, layout)[0][:, layout.data_bins]
        for stream in (burst, curve.transmit(burst * np.float32(scale)))
    )
    gain = np.vdot(sent, received) / np.vdot(sent, sent)
    error = np.mean(np.abs(received / gain - sent) ** 2) / np.mean(np.abs(sent) ** 2)
    return float(10 * np.log10(max(error, 1e-12)))


def highest_power(curve: AmplitudeCurve, evm_db: float) -> float:
    """Highest mean power, dBFS in steps of 0.25 dB, at which the distortion stays below `evm_db`.

    Raises:
        CalibrationError: it never does.
    """
    for mean_dbfs in np.arange(-3.0, -40.0, -0.25):
        if distortion_db(curve, mean_dbfs) <= evm_db:
            return float(mean_dbfs)
    raise CalibrationError(f"the distortion does not fall below {evm_db:g} dB at any power")


def evm_for_quality(psnr_db: float, snr_db: float, quality: Callable[[float], float]) -> float:
    """Distortion that a link at `snr_db` can bear and still reach a PSNR, dB.

    Distortion of an OFDM signal is seen by an analog decoder as noise: 1/snr' = 1/snr + evm² (Dardari, Tralli and
    Vaccari, "A theoretical characterization of nonlinear distortion effects in OFDM systems", IEEE Trans. Commun.
    2000).

    Args:
        psnr_db: wanted.
        snr_db: of the link without distortion.
        quality: PSNR of a codec over SNR, both dB, rising.

    Raises:
        CalibrationError: the link does not reach it even without distortion.
    """
    if quality(snr_db) < psnr_db:
        raise CalibrationError(f"PSNR {psnr_db:g} dB is out of reach at an SNR of {snr_db:.1f} dB")
    low, high = -20.0, snr_db
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if quality(middle) >= psnr_db else (middle, high)
    left = 10 ** (-high / 10) - 10 ** (-snr_db / 10)
    return float(10 * np.log10(max(left, 1e-6)))
