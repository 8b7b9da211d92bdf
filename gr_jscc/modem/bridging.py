"""Bursts whose preamble and header an interferer drowned, read from where their neighbours say that they must be.

The bursts of a round follow one another without a pause, in their order, and all but the last are of one size. Where
what lies between two that were heard is as long as just those that are missing, each missing one's place and header are
known. Its payload may be sound: an interferer of 10 ms drowns the opening of a burst of 20 ms and leaves half of its
symbols. Only the channel is not known there. It is taken from the opening of the nearest neighbour, turned to the phase
of the payload's own pilots, which must then agree with it: a channel that changed from burst to burst is not believed,
and neither is a burst that is not there.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from gr_jscc.modem.burst_estimate import BurstEstimate
from gr_jscc.modem.burst_opening import BurstOpening
from gr_jscc.modem.header import MAX_SYMBOLS, BurstHeader, BurstKind, header_symbols
from gr_jscc.modem.layout import burst_length
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.phase import coarse_line
from gr_jscc.modem.received_burst import HeaderSource

__all__ = ["HeardBursts", "credible", "lent_cells"]

# Most bursts that are missing in a row, so that few samples need to be kept.
_MOST_MISSING = 4
# Digital bursts that may stand between two analog ones, and how many of them may be lost.
_MOST_DIGITAL, _MOST_DIGITAL_LOST = 16, 2
# Samples by which the timings of two bursts may differ from what was sent.
_JITTER = 6
# Radians per OFDM symbol that are left of the carrier offset.
_SLOPE_LEFT = 0.05
# Times what is expected of an OFDM symbol that it may weigh in the phase.
_MOST_SEEN = 3.0
# How often the phase is looked at, each time without what the last look found hit, and the share that is kept at least.
_LOOKS, _SOUND_SHARE = 4, 0.25
# Of OFDM symbols that must be free of interference, and times the noise that their pilots may be off.
_TRUSTED_SHARE, _MOST_OFF = 0.1, 2.0
# Share of what is expected of the pilots that must be there.
_LEAST_SEEN = 0.5


class HeardBursts:
    """The bursts heard last, and those that are missing between them.

    Args:
        numerology: of all of them.

    Example:
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> length, nothing = burst_length(480, layout), np.empty(0)
        >>> headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, 4, 480) for index in range(4)]
        >>> openings = [
        ...     BurstOpening(header, nothing, i * length, (i + 1) * length, 0.0, nothing, nothing, 0.1, nothing)
        ...     for i, header in enumerate(headers)
        ... ]
        >>> heard = HeardBursts(layout)
        >>> heard.missing_before(openings[0]), [one.header.index for one in heard.missing_before(openings[3])]
        ([], [1, 2])
    """

    def __init__(self, numerology: Numerology) -> None:
        self._numerology = numerology
        self._heard: list[BurstOpening] = []  # of one round: an analog one or none, and the digital ones since
        self._digital = 0  # samples of the last digital one
        self._analog = self._length(MAX_SYMBOLS)  # of the last analog one, or the longest
        self._free_from = 0  # sample before which all was heard or is of another round

    def keep_from(self, now: int) -> int:
        """First sample that may still be needed for missing bursts, where the stream has come to sample ``now``."""
        if self._heard and now > self._heard[0].window + (_MOST_MISSING + 2) * self._length(MAX_SYMBOLS):
            self._heard.clear()
        return (self._heard[0].window if self._heard else now) - 2 * self._analog

    def missing_before(self, opening: BurstOpening) -> list[BurstOpening]:
        """Takes the next burst of the stream.

        Returns:
            those that must be between it and the ones before; where a digital one is missing as well, wherever they may
            be: their pilots tell which are there.
        """
        heard, header = self._heard, opening.header
        if heard and (heard[0].header.transfer, heard[0].header.round) != (header.transfer, header.round):
            self._free_from = heard[-1].window + self._length(heard[-1].header.symbols)
            heard.clear()
        heard.append(opening)
        if header.kind == BurstKind.ANALOG:
            self._analog = self._length(header.symbols)
            self._heard = [opening]
            return self._between(heard)
        self._digital = self._length(header.symbols)
        missing = self._last_ones(heard)
        if missing:
            self._heard, self._free_from = [opening], opening.window  # nothing analog is left to come
        del heard[1 : 1 + len(heard) - _MOST_DIGITAL]
        return missing

    def _between(self, heard: list[BurstOpening]) -> list[BurstOpening]:
        """The bursts that are missing before the last of those heard, an analog one."""
        first, after = heard[0].header, heard[-1].header
        is_known = first.kind == BurstKind.ANALOG and len(heard) > 1
        known = first if is_known else after
        left_out = after.index - (known.index + 1 if is_known else 0)
        # The last one of a round may be smaller than the others, and tells nothing of them.
        if not 0 < left_out <= _MOST_MISSING or known.index == known.count - 1:
            return []
        fills = self._filling(heard, self._length(known.symbols), left_out)
        if fills is None:
            return []
        between = sum(count for count, _ in fills)
        if is_known and between != left_out:
            return []
        headers = [replace(known, index=i) for i in range(after.index - left_out, after.index)]
        if between == left_out:
            return self._filled(heard, headers, fills, HeaderSource.BETWEEN)
        early = left_out - between
        later = self._filled(heard, headers[early:], fills, HeaderSource.BEFORE)
        return self._preceding(heard[0], headers[:early]) + later

    def _preceding(self, opening: BurstOpening, headers: list[BurstHeader]) -> list[BurstOpening]:
        """Bursts of these headers before the first one that was heard of a round, as far back as samples are kept."""
        missing, length = [], self._length(headers[-1].symbols)
        for back, header in enumerate(reversed(headers), start=1):
            for window in self._places(opening.window - back * length, -self._digital, _MOST_DIGITAL_LOST):
                if window >= max(self._free_from - _JITTER, opening.window - 2 * self._analog):
                    missing.append(self._bridged(header, window, opening, opening, HeaderSource.BEFORE))
        return missing

    def _last_ones(self, heard: list[BurstOpening]) -> list[BurstOpening]:
        """The bursts that are missing between an analog one and the manifest at the round's end, if they are its last.

        The last one is as small as it is when all are as equal as can be; the link knows it, and cuts what is too much.
        """
        known = heard[0].header
        left_out = known.count - 1 - known.index
        if known.kind != BurstKind.ANALOG or not 0 < left_out <= _MOST_MISSING:
            return []
        length = self._length(known.symbols)
        headers = [replace(known, index=i) for i in range(known.index + 1, known.count)]
        for less in range(min(known.count, known.symbols, self._numerology.data_count)):
            shorter = length - self._length(known.symbols - less)
            moved = [*heard[:-1], replace(heard[-1], window=heard[-1].window + shorter)]
            fills = self._filling(moved, length, left_out)
            if fills is not None and sum(count for count, _ in fills) == left_out and fills[-1][0]:
                headers[-1] = replace(headers[-1], symbols=known.symbols - less)
                return self._filled(moved, headers, fills, HeaderSource.BETWEEN)
        return []

    def _filling(self, heard: list[BurstOpening], length: int, most: int) -> list[tuple[int, int]] | None:
        """How many analog and how many digital bursts are missing after each of those heard; None where others are."""
        fills = []
        for left, right in zip(heard, heard[1:]):
            free = right.window - left.window - self._length(left.header.symbols)
            fits = [
                (round((free - lost * self._digital) / length), lost)
                for lost in range(_MOST_DIGITAL_LOST + 1 if self._digital else 1)
                if abs((free - lost * self._digital + length / 2) % length - length / 2) <= _JITTER
            ]
            if not fits or fits[0][0] < 0:
                return None
            fills.append(fits[0])
        return fills if sum(count for count, _ in fills) <= most else None

    def _filled(
        self, heard: list[BurstOpening], headers: list[BurstHeader], fills: list[tuple[int, int]], source: HeaderSource
    ) -> list[BurstOpening]:
        """Bursts of these headers, as many after each of those heard as `_filling` says."""
        length, missing, left_over = self._length(headers[0].symbols) if headers else 0, [], iter(headers)
        for (count, lost), left, right in zip(fills, heard, heard[1:]):
            begin = left.window + self._length(left.header.symbols)
            for i, header in enumerate(islice(left_over, count)):
                for window in self._places(begin + i * length, self._digital, lost):
                    missing.append(self._bridged(header, window, left, right, source))
        return missing

    def _places(self, window: int, step: int, lost: int) -> Iterator[int]:
        """Where a burst may be when up to so many digital ones are missing beside it."""
        return (window + i * step for i in range(lost + 1 if step else 1))  # no digital one was heard yet

    def _bridged(
        self, header: BurstHeader, window: int, left: BurstOpening, right: BurstOpening, source: HeaderSource
    ) -> BurstOpening:
        """A burst at a sample between two that were heard, with the channel of the nearer."""
        share = (window - left.window) / max(right.window - left.window, 1)
        near = left if share < 0.5 else right
        return replace(
            near,
            header=header,
            header_symbols=header_symbols(header),
            window=window,
            end=window + self._length(header.symbols) - self._numerology.cp_len,
            cfo=near.cfo if left is right else left.cfo + share * (right.cfo - left.cfo),
            source=source,
            lender=near,
        )

    def _length(self, symbols: int) -> int:
        return burst_length(symbols, self._numerology)


def lent_cells(
    lent: np.ndarray, late: np.ndarray, response: np.ndarray, noise_var: float, places: np.ndarray
) -> np.ndarray:
    """The cells of a neighbour's opening, turned as a burst's own would be: complex64[opening, used_count].

    Args:
        lent: complex64[opening, used_count], of the neighbour, as observations of the channel.
        late: complex64[payload's symbols, pilot_count], the burst's own pilots, likewise.
        response: complex64[used_count], the neighbour's channel; noise_var: mean of its cells.
        places: int64[payload's symbols, pilot_count], where the pilots stand among the used carriers.
    """
    expected = response[places]
    seen, strength = (late * expected.conj()).sum(axis=1), np.square(np.abs(expected)).sum(axis=1)
    seen /= np.maximum(np.abs(seen) / np.maximum(_MOST_SEEN * strength, 1e-30), 1)
    # The line counts from the middle of the payload, which the opening precedes.
    moments = np.arange(-len(lent), len(late)) - (len(late) - 1) / 2
    for _ in range(_LOOKS):
        ((offset, slope, _),) = coarse_line(seen[None], _SLOPE_LEFT)
        turns = np.exp(1j * (offset + slope * moments))[:, None]
        error = np.square(np.abs(late - expected * turns[len(lent) :])).mean(axis=1)
        # OFDM symbols that an interferer hit spoil the line, but a line that is spoilt makes all look hit.
        seen[error > np.maximum(_MOST_OFF * noise_var, np.quantile(error, _SOUND_SHARE))] = 0
    return (lent * turns[: len(lent)]).astype(np.complex64)


def credible(estimate: BurstEstimate, places: np.ndarray) -> np.ndarray:
    """Whether enough of the payloads' pilots are where a neighbour's channel has them: bool[bursts].

    Args:
        estimate: of all of them, taken to be there.
        places: int64[payload's symbols, pilot_count], where the pilots stand among the used carriers.
    """
    trusted = estimate.trust.sum(axis=1)
    error = (estimate.pilot_error * estimate.trust).sum(axis=1) / np.maximum(trusted, 1)
    # Where noise is as strong as signal, an error of twice the noise is just what a burst that is not there makes.
    expected, trust = estimate.response[:, places], estimate.trust[:, :, None]
    seen = ((estimate.late * expected.conj()).real * trust).sum(axis=(1, 2))
    there = seen >= _LEAST_SEEN * (np.square(np.abs(expected)) * trust).sum(axis=(1, 2))
    enough = trusted >= _TRUSTED_SHARE * estimate.trust.shape[1]
    return enough & (error <= _MOST_OFF * estimate.own_noise) & there
