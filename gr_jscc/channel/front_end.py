"""What converters, mixers and amplifiers do: all without memory, sample by sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gr_jscc.channel.impairment import MEAN_POWER, Impairment, amplitude, check_number, check_whole


@dataclass
class IqImbalance(Impairment):
    """A mixer whose Q arm has another gain and is not at 90 degrees: I' = I, Q' = g (Q cos φ - I sin φ).

    In complex terms y = μ x + ν x* with μ = (1 + g exp(-jφ))/2 and ν = (1 - g exp(jφ))/2; the image rejection ratio is
    |μ|²/|ν|² = (1 + 2 g cos φ + g²)/(1 - 2 g cos φ + g²) (Schenk, "RF Imperfections in High-rate Wireless Systems",
    2008, ch. 5). 1 dB and 5 degrees reject the image by 23 dB.

    Attributes:
        gain_db: 20 log10 g.
        phase_degrees: φ.

    Example:
        >>> import numpy as np
        >>> tone = np.exp(2j * np.pi * 0.1 * np.arange(1000)).astype(np.complex64)
        >>> spectrum = np.abs(np.fft.fft(IqImbalance(gain_db=1.0).process(tone))) ** 2
        >>> round(float(10 * np.log10(spectrum[900] / spectrum[100])), 1)
        -24.8
    """

    gain_db: float = 0.0
    phase_degrees: float = 0.0

    def prepare(self) -> None:
        check_number("gain_db", self.gain_db, -20, 20)
        check_number("phase_degrees", self.phase_degrees, -45, 45)
        gain, phase = 10 ** (self.gain_db / 20), math.radians(self.phase_degrees)
        self._own, self._other = np.float32(gain * math.cos(phase)), np.float32(-gain * math.sin(phase))

    def process(self, samples: np.ndarray) -> np.ndarray:
        out = np.empty(len(samples), np.complex64)
        out.real = samples.real
        out.imag = self._own * samples.imag + self._other * samples.real
        return out


@dataclass
class DcOffset(Impairment):
    """A constant on every sample: self-mixing of the local oscillator, or offsets of the converters.

    Attributes:
        level_db: its power over the mean power, dB (dBc).
        phase_degrees: its phase.
        mean_power: of the samples.

    Example:
        >>> import numpy as np
        >>> offset = DcOffset(level_db=-20.0, mean_power=1.0).process(np.zeros(3, np.complex64))
        >>> round(float(np.abs(offset[0])), 2)
        0.1
    """

    level_db: float
    phase_degrees: float = 0.0
    mean_power: float = MEAN_POWER

    def prepare(self) -> None:
        check_number("level_db", self.level_db, -200, 60)
        check_number("phase_degrees", self.phase_degrees, -360, 360)
        check_number("mean_power", self.mean_power, 0, above=True)
        size, phase = amplitude(self.level_db, self.mean_power), math.radians(self.phase_degrees)
        self._offset = np.complex64(complex(size * math.cos(phase), size * math.sin(phase)))

    def process(self, samples: np.ndarray) -> np.ndarray:
        return samples + self._offset


@dataclass
class PowerAmplifier(Impairment):
    """A solid-state power amplifier of small-signal gain 1: y = x / (1 + (|x|/A)^(2p))^(1/(2p)), without AM/PM.

    Rapp, "Effects of HPA-nonlinearity on a 4-DPSK/OFDM-signal for a digital sound broadcasting system", ECSC 1991.

    Attributes:
        backoff_db: saturation A² over the mean power, dB (input back-off).
        smoothness: p; 2 to 3 for solid-state amplifiers, clipping as p grows.
        mean_power: of the samples.

    Example:
        >>> import numpy as np
        >>> amplifier = PowerAmplifier(backoff_db=0.0, mean_power=1.0)
        >>> small, large = np.abs(amplifier.process(np.array([0.01, 10], np.complex64)))
        >>> round(float(small), 3), bool(large < 1.1)
        (0.01, True)
    """

    backoff_db: float
    smoothness: float = 2.0
    mean_power: float = MEAN_POWER

    def prepare(self) -> None:
        check_number("backoff_db", self.backoff_db, -20, 60)
        check_number("smoothness", self.smoothness, 0.5, 20)
        check_number("mean_power", self.mean_power, 0, above=True)
        self._saturation = amplitude(self.backoff_db, self.mean_power) ** 2

    def process(self, samples: np.ndarray) -> np.ndarray:
        power = (samples.real**2 + samples.imag**2) * np.float32(1 / self._saturation)
        # Above saturation the same with |x|/A turned over, so that no power overflows.
        above = np.maximum(power, 1)
        ratio = power / above / above
        grown = np.square(ratio) if self.smoothness == 2 else ratio ** np.float32(self.smoothness)
        grown += 1
        return samples * (grown ** np.float32(-0.5 / self.smoothness) / np.sqrt(above))


@dataclass
class Clipping(Impairment):
    """A soft limiter: |y| = min(|x|, A), the phase kept.

    Attributes:
        level_db: A² over the mean power, dB (clipping ratio).
        mean_power: of the samples.

    Example:
        >>> import numpy as np
        >>> np.abs(Clipping(level_db=0.0, mean_power=1.0).process(np.array([0.5, 3], np.complex64))).round(2).tolist()
        [0.5, 1.0]
    """

    level_db: float
    mean_power: float = MEAN_POWER

    def prepare(self) -> None:
        check_number("level_db", self.level_db, -20, 60)
        check_number("mean_power", self.mean_power, 0, above=True)
        self._level = np.float32(amplitude(self.level_db, self.mean_power))

    def process(self, samples: np.ndarray) -> np.ndarray:
        size = np.sqrt(samples.real**2 + samples.imag**2)
        return samples * (self._level / np.maximum(size, self._level))


@dataclass
class Quantiser(Impairment):
    """A converter of n bits for each of I and Q: two's complement, rounding, clipping at full scale F.

    Steps of Δ = 2F/2ⁿ, codes -2^(n-1) ... 2^(n-1) - 1. A full-scale sine keeps 6.02 n + 1.76 dB over the noise
    (Bennett, "Spectra of quantized signals", Bell Syst. Tech. J. 1948).

    Attributes:
        bits: n.
        headroom_db: F² over the mean power of the complex samples, dB.
        mean_power: of the samples.

    Example:
        >>> import numpy as np
        >>> rough = Quantiser(bits=2, headroom_db=0.0, mean_power=1.0)
        >>> len(set(rough.process(np.linspace(-2, 2, 100).astype(np.complex64)).real.tolist()))
        4
    """

    bits: int
    headroom_db: float = 12.0
    mean_power: float = MEAN_POWER

    def prepare(self) -> None:
        check_whole("bits", self.bits, 2, 24)
        check_number("headroom_db", self.headroom_db, -20, 100)
        check_number("mean_power", self.mean_power, 0, above=True)
        self._most = 2 ** (self.bits - 1)
        self._step = amplitude(self.headroom_db, self.mean_power) / self._most

    def process(self, samples: np.ndarray) -> np.ndarray:
        codes = np.ascontiguousarray(samples, np.complex64).view(np.float32) * np.float32(1 / self._step)
        np.rint(codes, out=codes)
        np.clip(codes, -self._most, self._most - 1, out=codes)
        codes *= np.float32(self._step)
        return codes.view(np.complex64)
