"""Moves samples in frequency."""

from __future__ import annotations

import numpy as np

BLOCK = 16_384  # samples whose turns are kept


class FrequencyShift:
    """Turns a stream of samples by so many cycles a sample; its phase goes on from call to call.

    Args:
        cycles_per_sample: shift in frequency, relative to the sample rate.

    Example:
        >>> import numpy as np
        >>> samples = np.ones(2, np.complex64)
        >>> FrequencyShift(0.25).process(samples)
        >>> np.abs(samples - [1, 1j]).round(3).tolist()
        [0.0, 0.0]
    """

    def __init__(self, cycles_per_sample: float) -> None:
        self.cycles_per_sample = cycles_per_sample
        turns = 2 * np.pi * ((cycles_per_sample * np.arange(BLOCK)) % 1.0)
        self._turns = np.exp(1j * turns).astype(np.complex64)
        self._phase = 0.0  # cycles, of the next sample

    def process(self, samples: np.ndarray) -> None:
        """Turns complex64[n] in place."""
        for begin in range(0, len(samples), BLOCK):
            part = samples[begin : begin + BLOCK]
            part *= self._turns[: len(part)]
            part *= np.complex64(np.exp(2j * np.pi * self._phase))
            self._phase = (self._phase + len(part) * self.cycles_per_sample) % 1.0
