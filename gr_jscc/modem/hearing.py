"""What is in a stream in which a demodulator finds no burst: bursts of another version or numerology, or only power."""

from __future__ import annotations

import numpy as np

from gr_jscc.modem.demodulator import StreamDemodulator
from gr_jscc.modem.numerology import NUMEROLOGIES, Numerology
from gr_jscc.modem.version import VERSION

LOOK = 65_536  # samples in which other numerologies are looked for
FIRST_LOOK = 2 * LOOK  # samples without a burst, after which they are; then after twice as many, and so on
LONGEST_PAUSE = 64 * LOOK  # samples between two looks at most, and before it is told that nothing was found
BY_CHANCE = 2  # places that look like a preamble in so many samples of noise, at most


def heard_numerologies(samples: np.ndarray, but: Numerology) -> list[Numerology]:
    """Numerologies of `NUMEROLOGIES` of which there are bursts in a stream: their headers' checksums are right.

    Args:
        samples: complex64[n].
        but: the one that is not looked for.
    """
    found = []
    for other in NUMEROLOGIES.values():
        if other != but:
            demodulator = StreamDemodulator(other)
            demodulator.push(samples)
            demodulator.flush()
            if _headers(demodulator):
                found.append(other)
    return found


class Hearing:
    """Watches a demodulator that may be deaf to what is sent.

    Costs next to nothing while bursts come: a look takes some tenths of a second, and there are the fewer the longer
    it goes on.

    Args:
        demodulator: which.

    Example:
        >>> demodulator = StreamDemodulator()
        >>> hearing = Hearing(demodulator)
        >>> hearing.push(np.zeros(1000, np.complex64)) is None  # silence: there is nothing to say
        True
    """

    def __init__(self, demodulator: StreamDemodulator) -> None:
        self._demodulator = demodulator
        self._begin()

    def _begin(self) -> None:
        self._headers = _headers(self._demodulator)
        self._failed = self._demodulator.counters.headers_failed
        self._foreign = self._demodulator.counters.other_versions
        self._samples, self._energy = 0, 0.0  # since the latest header
        self._next_look, self._told = FIRST_LOOK, False
        self._forget()

    def _forget(self) -> None:
        self._block: list[np.ndarray] = []
        self._loudest, self._loudest_energy = np.empty(0, np.complex64), 0.0

    def push(self, samples: np.ndarray) -> str | None:
        """Takes the samples, complex64[n], that the demodulator was just given.

        Returns:
            a line for a person, once until a burst comes; None where there is nothing to say.
        """
        if _headers(self._demodulator) > self._headers:
            self._begin()
            return None
        if self._told or not len(samples):
            return None
        energy = float(np.vdot(samples, samples).real)
        if not energy or not np.isfinite(energy):
            return None  # silence: nothing is sent
        self._samples += len(samples)
        self._energy += energy
        self._keep(samples)
        if self._samples < self._next_look:
            return None
        self._next_look += min(self._samples, LONGEST_PAUSE)
        line = self._look()
        self._told = line is not None
        self._forget()
        return line

    def _keep(self, samples: np.ndarray) -> None:
        """Keeps the loudest piece since the latest look: bursts may be few and far between."""
        self._block.append(np.array(samples, np.complex64))
        if sum(map(len, self._block)) >= LOOK:
            block = np.concatenate(self._block)
            energy = float(np.vdot(block, block).real) / len(block)
            if energy > self._loudest_energy:
                self._loudest, self._loudest_energy = block[: 2 * LOOK], energy
            self._block = []

    def _look(self) -> str | None:
        ours = self._demodulator.numerology
        if self._demodulator.counters.other_versions > self._foreign:
            return (
                f"received bursts of another version of the air interface, but this end supports {VERSION}: "
                "both ends need the same release of gr-jscc"
            )
        for other in heard_numerologies(self._loudest, ours):
            return f"received bursts of {_named(other)}, but this end is set to {_named(ours)}"
        if self._samples < LONGEST_PAUSE:
            return None
        power_db = 10 * np.log10(self._energy / self._samples)
        failed = self._demodulator.counters.headers_failed - self._failed
        samples = f"{self._samples / 1e6:.1f} million samples of mean power {power_db:.1f} dB"
        heard = f"no burst of {_named(ours)} in {samples}"
        if failed > BY_CHANCE:
            return f"{heard}; {failed} times its preamble seemed to be there, but no readable header followed"
        return heard


def _headers(demodulator: StreamDemodulator) -> int:
    """Headers that were read so far."""
    return demodulator.counters.candidates - demodulator.counters.headers_failed


def _named(layout: Numerology) -> str:
    return f"numerology {layout.description}"
