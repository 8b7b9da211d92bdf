"""What never arrives: whole bursts erased in the air, and samples that a host drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gr_jscc.channel.episodes import Episodes
from gr_jscc.channel.impairment import MEAN_POWER, Impairment, check_choice, check_number, check_whole
from gr_jscc.channel.noise import noise


@dataclass
class BurstLoss(Impairment):
    """Whole bursts erased, each with the same probability, independent of the others.

    What lies between the beginning of a lost burst and that of the next is replaced. Without `mark` nothing is lost.

    Attributes:
        probability: that a burst is lost, 0 to 1.
        fill: "zero", or "noise" of the mean power.
        mean_power: of the samples.
        seed: of the losses and the noise.

    Example:
        >>> import numpy as np
        >>> losses = BurstLoss(probability=1.0)
        >>> losses.mark([10])
        >>> int(np.count_nonzero(losses.process(np.ones(30, np.complex64)) == 0))
        20
    """

    follows_bursts = True

    probability: float
    fill: str = "zero"
    mean_power: float = MEAN_POWER
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("probability", self.probability, 0, 1)
        check_choice("fill", self.fill, ("zero", "noise"))
        check_number("mean_power", self.mean_power, 0, above=True)

    def reset(self) -> None:
        self._rng, self._noise = np.random.default_rng(self.seed).spawn(2)
        self._starts: list[int] = []
        self._losing = False
        self.bursts, self.lost = 0, 0  # that have begun, and that were erased

    def mark(self, starts: Sequence[int]) -> None:
        self._starts = sorted(starts)

    def process(self, samples: np.ndarray) -> np.ndarray:
        out = samples.copy()
        done = 0
        for end in [*(start for start in self._starts if 0 <= start < len(samples)), len(samples)]:
            if self._losing:
                silent = self.fill == "zero"
                out[done:end] = 0 if silent else noise((end - done,), self.mean_power, self._noise)
            if end < len(samples):
                self._losing = bool(self._rng.random() < self.probability)
                self.bursts += 1
                self.lost += self._losing
            done = end
        self._starts = []
        return out


@dataclass
class DroppedSamples(Impairment):
    """Runs of samples missing, without a trace, as when a host does not keep up with its radio.

    Attributes:
        share: of all samples that go missing, 0 to 0.99.
        length: samples of a run.
        seed: of the times.

    Example:
        >>> import numpy as np
        >>> kept = DroppedSamples(share=0.1, length=100, seed=1).process(np.ones(100_000, np.complex64))
        >>> bool(80_000 < len(kept) < 95_000)
        True
    """

    changes_length = True

    share: float
    length: int = 1000
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("share", self.share, 0, 0.99)
        check_whole("length", self.length, 1, 2**40)

    def reset(self) -> None:
        self._episodes = Episodes(np.random.default_rng(self.seed))

    def process(self, samples: np.ndarray) -> np.ndarray:
        self._episodes.set(self.share, self.length)
        kept, done = [], 0
        for begin, end, _ in self._episodes.within(len(samples)):
            kept.append(samples[done:begin])
            done = end
        return np.concatenate([*kept, samples[done:]])
