"""Gaussian noise as the project defines it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.channel.impairment import Impairment, check_number


def noise(shape: tuple[int, ...], variance: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Circular Gaussian noise complex64[shape]; ``variance`` is per complex sample, half of it per real dimension."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    return (parts * np.sqrt(np.asarray(variance, np.float32) / 2)).astype(np.complex64)


@dataclass
class Awgn(Impairment):
    """White Gaussian noise of variance 10^(-snr_db/10) per complex sample.

    A used carrier of our modulator has power 1 and the FFT is unitary, so this is Es/N0 per data subcarrier.

    Attributes:
        snr_db: Es/N0, dB.
        seed: of the noise.

    Example:
        >>> import numpy as np
        >>> noise = Awgn(snr_db=10.0, seed=1).process(np.zeros(100_000, np.complex64))
        >>> round(float(np.mean(np.abs(noise) ** 2)), 2)
        0.1
    """

    snr_db: float
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("snr_db", self.snr_db, -100, 200)
        self._variance = 10 ** (-self.snr_db / 10)

    def reset(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def process(self, samples: np.ndarray) -> np.ndarray:
        return samples + noise((len(samples),), self._variance, self._rng)
