"""What two hosts' oscillators do to the carrier: frequency offset and phase noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are used

from gr_jscc.channel.impairment import Impairment, check_number, turned


@dataclass
class CarrierOffset(Impairment):
    """Carrier frequency offset: y[n] = x[n] exp(j 2π f n). The phase stays continuous when f changes.

    Attributes:
        cycles_per_sample: f, the offset over the sample rate; in subcarrier spacings it is f times the FFT size.

    Example:
        >>> import numpy as np
        >>> CarrierOffset(0.25).process(np.ones(4, np.complex64)).real.round(3).tolist()
        [1.0, -0.0, -1.0, -0.0]
    """

    cycles_per_sample: float

    def prepare(self) -> None:
        check_number("cycles_per_sample", self.cycles_per_sample, -0.5, 0.5)

    def reset(self) -> None:
        self._phase = 0.0

    def process(self, samples: np.ndarray) -> np.ndarray:
        count = len(samples)
        cycles = self._phase + self.cycles_per_sample * np.arange(count)
        self._phase = (self._phase + self.cycles_per_sample * count) % 1.0
        return turned(samples, cycles)


class _PhaseProcess(Impairment):
    """White Gaussian steps through one pole, as the phase: φ[n] = a φ[n-1] + s w[n]."""

    def reset(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._state: np.ndarray | None = None

    def process(self, samples: np.ndarray) -> np.ndarray:
        if not len(samples):
            return samples.copy()
        if self._state is None:
            self._state = np.array([self._pole * self._first * self._rng.standard_normal()])
        steps = self._rng.standard_normal(len(samples)) * self._step
        radians, self._state = scipy.signal.lfilter([1.0], [1.0, -self._pole], steps, zi=self._state)
        return turned(samples, radians / (2 * np.pi))


@dataclass
class FreeOscillator(_PhaseProcess):
    """Phase noise of a free-running oscillator: a Wiener process, whose spectrum is Lorentzian.

    The phase's steps have variance 2π B / fs for a linewidth (full width at half power) of B (Demir, Mehrotra and
    Roychowdhury, "Phase noise in oscillators", IEEE Trans. Circuits Syst. I 2000): it wanders without bounds.

    Attributes:
        linewidth_hz: B.
        sample_rate: fs, Hz.
        seed: of the phase.

    Example:
        >>> import numpy as np
        >>> turned = FreeOscillator(linewidth_hz=100.0, seed=1).process(np.ones(10_000, np.complex64))
        >>> phase = np.unwrap(np.angle(turned))
        >>> bool(abs(phase[-1]) < 10)
        True
    """

    linewidth_hz: float
    sample_rate: float = 1e6
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("sample_rate", self.sample_rate, 0, above=True)
        check_number("linewidth_hz", self.linewidth_hz, 0, self.sample_rate / 2)
        self._pole, self._first = 1.0, 0.0
        self._step = math.sqrt(2 * math.pi * self.linewidth_hz / self.sample_rate)


@dataclass
class PhaseNoise(_PhaseProcess):
    """Phase noise of a synthesiser: an oscillator held by a phase-locked loop.

    A first-order loop makes the phase an Ornstein-Uhlenbeck process: its spectrum is flat up to the loop's bandwidth
    and falls by 20 dB a decade beyond, φ[n] = a φ[n-1] + σ √(1 - a²) w[n] with a = exp(-2π B / fs) (Mehrotra, "Noise
    analysis of phase-locked loops", IEEE Trans. Circuits Syst. I 2002). A USRP B210 is of the class of 0.4 degrees at
    2.4 GHz (data sheet of its AD9361, integrated from 100 Hz to 100 MHz).

    Attributes:
        rms_degrees: σ, degrees.
        loop_hz: B.
        sample_rate: fs, Hz.
        seed: of the phase.

    Example:
        >>> import numpy as np
        >>> turned = PhaseNoise(rms_degrees=1.0, seed=1).process(np.ones(100_000, np.complex64))
        >>> bool(0.8 < np.degrees(np.angle(turned)).std() < 1.2)
        True
    """

    rms_degrees: float
    loop_hz: float = 50e3
    sample_rate: float = 1e6
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("sample_rate", self.sample_rate, 0, above=True)
        check_number("rms_degrees", self.rms_degrees, 0, 90)
        check_number("loop_hz", self.loop_hz, 0, above=True)
        self._first = math.radians(self.rms_degrees)
        self._pole = math.exp(-2 * math.pi * self.loop_hz / self.sample_rate)
        self._step = self._first * math.sqrt(1 - self._pole**2)
