"""Where our modem's bursts begin in a stream that carries no tags, to the sample."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.candidates import find_candidates, grid, metric_span
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.preamble import PREAMBLE_SIGNS, training_symbol
from gr_jscc.modem.turning import FAST, cosine_sine

_LARGEST = 1e7  # as in the demodulator: samples beyond it, or that are no numbers, count as zero in the search
_REACH = 24  # samples by which a candidate may be off; 11 were seen at 0 dB, 5 at 10 dB
# Least share of the energy at a candidate that the preamble explains: at 10 dB 0.87 to 0.9, at 0 dB 0.33 to 0.5; in
# payload and header of 21,000 bursts at most 0.15.
_LEAST_SHARE = 0.25


class BurstFinder:
    """Finds the bursts of one numerology by their preambles; passes the samples on as they are, a little later.

    The search is the demodulator's own (`gr_jscc.modem.synchroniser`). A candidate is a burst when the preamble, at
    some carrier offset up to two subcarriers, explains enough of the energy there, and begins where it explains most:
    at 0 dB and above that is its first sample. With echoes on it, a burst begins with its strongest, and is missed
    where even that is weak. What is found does not depend on how the stream is cut into calls.

    Args:
        numerology: the transmitter's.
        step: samples searched together. Fewer are held back for less time, at more work for each.

    Attributes:
        delay: samples held back, always: after n samples in, n - delay are out. So many more, of silence, push out the
            last ones at the end of a stream.
        found: bursts handed out.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.modem import BurstHeader, BurstKind, modulate
        >>> burst = modulate(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 480), np.ones(480, np.complex64))
        >>> _, starts = BurstFinder().push(np.concatenate([burst, np.zeros(60_000, np.complex64)]))
        >>> len(starts)
        1
    """

    def __init__(self, numerology: Numerology = DEFAULT_NUMEROLOGY, step: int = 8192) -> None:
        self.numerology = numerology
        symbol = numerology.symbol_len
        self._step = -(-step // 4) * 4
        self._ahead = metric_span(numerology) + 4 * symbol  # after a candidate: the peaks that it must beat
        self._again = 3 * symbol  # what every step looks at again, since peaks that near suppress each other
        self._slack = 2 * grid(numerology)  # by which a candidate may move from one step to the next
        self._margin = _REACH + self._slack  # by which a burst may begin before what was searched
        self.delay = self._step + self._ahead + self._margin
        self.found = 0
        # Silence before the stream, so that a burst at its very beginning is found like any other.
        self._base = -(self._again + 2 * self._margin)  # place in the stream of the buffer's first sample
        self._buffer = np.zeros(-self._base, np.complex64)
        self._searched = -self._margin  # bursts whose candidates lie before this are known
        self._released = 0
        self._starts: list[int] = []  # places of bursts whose samples are still here
        self._last = -metric_span(numerology)  # place of the last burst
        # What is compiled here need not be while samples wait.
        _align(self._buffer, *find_candidates(self._buffer, numerology), *_reference(numerology))

    def push(self, samples: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """Takes in the next samples of the stream, complex64[n], any n.

        Returns:
            complex64[m], the next samples whose bursts are known; and where in them bursts begin, ascending.
        """
        self._buffer = np.concatenate([self._buffer, np.asarray(samples, np.complex64)])
        stop = self._base + len(self._buffer)
        while self._searched + self._step + self._ahead <= stop:
            self._search(self._searched + self._step)
        first, self._released = self._released, max(self._released, stop - self.delay)
        released = self._buffer[first - self._base : self._released - self._base]
        starts = [start - first for start in self._starts if start < self._released]
        del self._starts[: len(starts)]
        self.found += len(starts)
        keep = min(self._released, self._searched - self._again - self._margin)
        self._buffer = self._buffer[keep - self._base :]
        self._base = keep
        return released, starts

    def _search(self, limit: int) -> None:
        """Finds the bursts whose candidates lie between the last search and ``limit``, a place in the stream."""
        begin = self._searched - self._again
        samples = _sound(self._buffer[begin - self._margin - self._base : limit + self._ahead - self._base])
        positions, offsets = find_candidates(samples[self._margin :], self.numerology)
        fresh = (begin + positions >= self._searched - self._slack) & (begin + positions < limit)
        self._searched = limit
        places, shares = _align(samples, positions[fresh] + self._margin, offsets[fresh], *_reference(self.numerology))
        for start in begin - self._margin + places[shares >= _LEAST_SHARE]:
            # A burst at the border of two steps is found in both. None begins before the stream does.
            if start >= max(0, self._last + metric_span(self.numerology)):
                self._starts.append(int(start))
                self._last = int(start)


@lru_cache(maxsize=32)
def _reference(numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """The conjugated training symbol under the carrier offsets that `find_candidates` leaves open, none first:
    complex64[7, symbol_len]; and the signs of its repetitions, float32[4]."""
    lag = numerology.symbol_len
    multiples = np.array([0, 1, -1, 2, -2, 3, -3])[:, None]
    turned = training_symbol(numerology) * np.exp(2j * np.pi * multiples * np.arange(lag) / lag)
    return np.conj(turned).astype(np.complex64), PREAMBLE_SIGNS.astype(np.float32)


@njit(cache=True, nogil=True, fastmath=FAST)
def _align(samples, positions, offsets, templates, signs):
    """Where near each candidate the preamble matches best, and how well.

    Args:
        samples: complex64[n].
        positions, offsets: as from `find_candidates`; _REACH samples lie before and a symbol after each preamble.
        templates, signs: as from `_reference`.

    Returns:
        int64[c], and the share of the energy there that the preamble explains, float32[c].
    """
    folds, lag = templates.shape
    places, shares = np.zeros(len(positions), np.int64), np.zeros(len(positions), np.float32)
    added = np.empty(lag + 2 * _REACH, np.complex64)
    matches = np.empty(2 * _REACH + 1, np.float32)
    known = np.float32(0)
    for i in range(lag):
        known += templates[0, i].real ** 2 + templates[0, i].imag ** 2
    known *= len(signs)
    for c in range(len(positions)):
        begin = positions[c] - _REACH
        # The training symbols, turned back and added up: one symbol to compare instead of four.
        added[:] = 0
        for row in range(len(signs)):
            part, sign = samples[begin + row * lag :][: len(added)], signs[row]
            for i in range(len(part)):
                cosine, sine = cosine_sine(-offsets[c] * (row * lag + i))
                added[i] += part[i] * np.complex64(complex(cosine * sign, sine * sign))
        for fold in range(folds):
            best = 0
            for d in range(len(matches)):
                real, imag, part, template = np.float32(0), np.float32(0), added[d : d + lag], templates[fold]
                for i in range(lag):
                    real += part[i].real * template[i].real - part[i].imag * template[i].imag
                    imag += part[i].real * template[i].imag + part[i].imag * template[i].real
                matches[d] = real * real + imag * imag
                if matches[d] > matches[best]:
                    best = d
            energy = np.float32(1e-30)
            part = samples[begin + best :][: len(signs) * lag]
            for i in range(len(part)):
                energy += part[i].real * part[i].real + part[i].imag * part[i].imag
            share = matches[best] / (energy * known)
            if share > shares[c]:
                places[c], shares[c] = begin + best, share
            if share >= _LEAST_SHARE:
                break
    return places, shares


def _sound(samples: np.ndarray) -> np.ndarray:
    """The samples, with zeros in place of those that are no numbers or too large."""
    parts = samples.view(np.float32)
    with np.errstate(over="ignore"):  # numpy 2.5 warns of a sum that is infinite, which is an answer here
        energy = float(np.dot(parts, parts))
    if energy < _LARGEST**2:
        return samples
    sound = samples.copy()
    sound[~((np.abs(samples.real) < _LARGEST) & (np.abs(samples.imag) < _LARGEST))] = 0
    return sound
