"""How long bursts should be, by how many of them the receiver lost."""

from __future__ import annotations

import numpy as np

from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem.header import MAX_SYMBOLS, BurstHeader, BurstKind
from gr_jscc.modem.layout import burst_length
from gr_jscc.modem.numerology import Numerology

USUAL = LinkSettings().burst_symbols  # while nothing is known
RUNGS = (300, 600, 1200, USUAL, 4800, 9600, MAX_SYMBOLS)
MEMORY = 200  # usual bursts, in which what was heard counts for less and less
FORGOTTEN = 0.1  # bursts of a length, of which nothing is known any more
PROBE = 8  # of so many rounds one tries the next shorter or longer bursts, or what is best there would never be known
# What is thought possible: a, and λ times a usual burst's samples.
ANYWAY, HITS = np.append(0, np.geomspace(0.02, 4, 24)), np.geomspace(1e-4, 30, 80)


class BurstLength:
    """Finds the burst length that costs the least air.

    Each burst has a preamble and a header, and is sent again as a whole when it was lost. Some losses come with every
    burst alike, as in a fade or where an interferer lasts longer than a burst: a share exp(-a) is spared them. Others
    come the sooner the longer a burst is, hits at random, λ a sample. So a burst of T samples and n symbols takes
    T exp(a + λT) / n samples for each symbol that arrives. Taken are the likeliest a and λ after what the receiver says
    it got of bursts of each length; before that λ is the one for which `USUAL` is the best.

    Args:
        numerology: of the bursts.

    Example:
        >>> from gr_jscc.modem import DEFAULT_NUMEROLOGY
        >>> length = BurstLength(DEFAULT_NUMEROLOGY)
        >>> length.symbols
        2400
        >>> for _ in range(20):
        ...     length.heard(np.ones(40, bool), 2400)
        >>> length.symbols > 2400
        True
    """

    def __init__(self, numerology: Numerology) -> None:
        self._numerology = numerology
        self._unit = self._samples(USUAL)
        self._lengths = {rung: self._samples(rung) / self._unit for rung in RUNGS}  # in usual bursts
        # T exp(λT) / n is least where λT = o / (T - o), T falling on the opening, o, where n is none.
        opening = self._samples(1) / self._unit
        self._air_of_a_hit = (1 - opening) / opening
        self._bursts: dict[float, tuple[float, float]] = {}  # by length in usual bursts: how many, and how many lost
        self._rounds = 0

    @property
    def symbols(self) -> int:
        """Symbols of a burst."""
        anyway, hits = ANYWAY[:, None], HITS
        # Beforehand as if one hit had come in so much air.
        evidence = np.log(hits) - self._air_of_a_hit * hits - anyway
        for length, (sent, lost) in self._bursts.items():
            exponent = anyway + hits * length
            evidence = evidence - (sent - lost) * exponent + lost * np.log(-np.expm1(-exponent))
        likeliest = HITS[np.argmax(evidence) % len(HITS)]
        costs = [length * np.exp(likeliest * length) / rung for rung, length in self._lengths.items()]
        best, turn = int(np.argmin(costs)), self._rounds % (2 * PROBE)
        if turn in (PROBE - 1, 2 * PROBE - 1):
            best += 1 if turn < PROBE else -1
        return RUNGS[min(max(best, 0), len(RUNGS) - 1)]

    def heard(self, received: np.ndarray, symbols: int) -> None:
        """The receiver says which of some bursts, bool[n], of so many symbols it got when they were first sent."""
        self._rounds += 1
        length = self._samples(symbols) / self._unit
        fading = np.exp(-len(received) * length / MEMORY)
        faded = {known: (fading * sent, fading * lost) for known, (sent, lost) in self._bursts.items()}
        sent, lost = faded.get(length, (0.0, 0.0))
        faded[length] = sent + len(received), lost + int(np.sum(~received))
        self._bursts = {known: counts for known, counts in faded.items() if counts[0] > FORGOTTEN}

    def _samples(self, symbols: int) -> int:
        """Of a burst."""
        return burst_length(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, symbols), self._numerology)
