"""Impairments one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gr_jscc.channel.impairment import Impairment
from gr_jscc.errors import UserError


class Chain(Impairment):
    """Impairments in the order in which they happen; an `Impairment` itself.

    Args:
        stages: the impairments. Those that follow bursts come before those that change the number of samples.

    Raises:
        UserError: they do not.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.channel import Awgn, CarrierOffset
        >>> chain = Chain([CarrierOffset(1e-3), Awgn(20.0, seed=1)])
        >>> chain.process(np.ones(1000, np.complex64)).shape
        (1000,)
    """

    def __init__(self, stages: Sequence[Impairment]) -> None:
        self.stages = list(stages)
        after: Impairment | None = None
        for stage in self.stages:
            if stage.follows_bursts and after is not None:
                raise UserError(f"{type(stage).__name__} must come before {type(after).__name__}")
            after = stage if stage.changes_length else after
        self.changes_length = after is not None
        self.delay = sum(stage.delay for stage in self.stages)
        self.follows_bursts = any(stage.follows_bursts for stage in self.stages)

    def reset(self) -> None:
        for stage in self.stages:
            stage.reset()

    def mark(self, starts: Sequence[int]) -> None:
        for stage in self.stages:
            if stage.follows_bursts:
                stage.mark(starts)

    def process(self, samples: np.ndarray) -> np.ndarray:
        samples = np.asarray(samples, np.complex64)
        if not self.stages:
            return samples.copy()
        for stage in self.stages:
            samples = stage.process(samples)
        return samples
