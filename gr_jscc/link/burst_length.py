"""How long bursts should be, by how many of them the receiver lost."""

from __future__ import annotations

import numpy as np

from gr_jscc.modem.header import MAX_SYMBOLS, BurstHeader, BurstKind
from gr_jscc.modem.layout import burst_length
from gr_jscc.modem.numerology import Numerology

USUAL = 2400  # symbols of a burst while nothing is known
RUNGS = (300, 600, 1200, USUAL, 4800, 9600, MAX_SYMBOLS)
MEMORY = 200  # usual bursts, in which what was heard counts for less and less


class BurstLength:
    """Finds the burst length that costs the least air.

    A burst is lost as soon as anything hits it, and sent again as a whole; each has a preamble and a header. With hits
    at random, λ a sample, a burst of T samples and n symbols takes T exp(λT) / n samples for each symbol that arrives.
    λ comes from what the receiver says it got; before that it is the one for which `USUAL` is the best.

    Args:
        numerology: of the bursts.

    Example:
        >>> from gr_jscc.modem import DEFAULT_NUMEROLOGY
        >>> length = BurstLength(DEFAULT_NUMEROLOGY)
        >>> length.symbols
        2400
        >>> for _ in range(20):
        ...     length.heard(np.ones(40, bool), 2400)
        >>> length.symbols
        16384
        >>> for _ in range(20):
        ...     length.heard(np.array([True, False]), 16384)
        >>> length.symbols < 16384
        True
    """

    def __init__(self, numerology: Numerology) -> None:
        self._numerology = numerology
        self._samples = {rung: self._length(rung) for rung in RUNGS}
        # T exp(λT) / n is least at λ = opening / (T (T - opening)), T falling on the opening where n is none.
        usual, opening = self._length(USUAL), self._length(1)
        self._usual_air = usual * (usual - opening) / opening  # of one hit
        self._hits, self._air = 0.0, 0.0

    @property
    def symbols(self) -> int:
        """Symbols of a burst."""
        hits_per_sample = (1 + self._hits) / (self._usual_air + self._air)
        return min(RUNGS, key=lambda rung: self._samples[rung] * np.exp(hits_per_sample * self._samples[rung]) / rung)

    def heard(self, received: np.ndarray, symbols: int) -> None:
        """The receiver says which of some bursts, bool[n], of so many symbols it got when they were first sent."""
        lost, length = int(np.sum(~received)), self._length(symbols)
        fading = np.exp(-len(received) * length / (MEMORY * self._samples[USUAL]))
        # A burst that was lost had met its hit half-way, on average.
        air = (len(received) - lost / 2) * length
        self._hits, self._air = fading * self._hits + lost, fading * self._air + air

    def _length(self, symbols: int) -> int:
        """Samples of a burst."""
        return burst_length(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, symbols), self._numerology)
