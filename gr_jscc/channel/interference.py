"""Other people's transmissions: bursts of noise or of a tone on top of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.channel.episodes import Episodes
from gr_jscc.channel.impairment import MEAN_POWER, Impairment, amplitude, check_choice, check_number, check_whole
from gr_jscc.channel.noise import noise


@dataclass
class Interference(Impairment):
    """Bursts of white noise, or of a tone somewhere in the band, at random times.

    Attributes:
        share: of the time that they last in all, 0 to 1.
        power_db: theirs over the mean power, dB: the negative signal-to-interference ratio.
        length: samples of each.
        kind: "noise" or "tone".
        mean_power: of the samples.
        seed: of times, noise and tones.

    Example:
        >>> import numpy as np
        >>> hit = Interference(share=0.1, length=100, mean_power=1.0, seed=1).process(np.zeros(100_000, np.complex64))
        >>> bool(0.05 < np.mean(hit != 0) < 0.2)
        True
    """

    share: float
    power_db: float = 0.0
    length: int = 1000
    kind: str = "noise"
    mean_power: float = MEAN_POWER
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("share", self.share, 0, 1)
        check_number("power_db", self.power_db, -100, 100)
        check_whole("length", self.length, 1, 2**40)
        check_choice("kind", self.kind, ("noise", "tone"))
        check_number("mean_power", self.mean_power, 0, above=True)
        self._size = amplitude(self.power_db, self.mean_power)

    def reset(self) -> None:
        times, self._rng = np.random.default_rng(self.seed).spawn(2)
        self._episodes = Episodes(times)
        self._frequency, self._phase = 0.0, 0.0

    def process(self, samples: np.ndarray) -> np.ndarray:
        self._episodes.set(self.share, self.length)
        out = samples.copy()
        for begin, end, fresh in self._episodes.within(len(samples)):
            if self.kind == "noise":
                out[begin:end] += noise((end - begin,), self._size**2, self._rng)
                continue
            if fresh:
                self._frequency, self._phase = self._rng.uniform(-0.5, 0.5), self._rng.random()
            cycles = self._phase + self._frequency * np.arange(end - begin)
            out[begin:end] += (self._size * np.exp(2j * np.pi * cycles)).astype(np.complex64)
            self._phase = (self._phase + self._frequency * (end - begin)) % 1.0
        return out
