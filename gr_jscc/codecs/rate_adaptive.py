"""What codecs share that give every part of a picture as many channel values as it is worth."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.trained import TrainedCodec

QUALITY_CODES = 255  # of a quality of 1
ETAS = (1e-3, 1e3)  # between which η is sought
TYPICAL_SLOPE = 0.13  # by how much the logarithm of a picture's symbols rises with a level, where nothing is known yet
NEAR = TYPICAL_SLOPE / 2  # of the logarithm: η makes up for so little, be it too much


class RateAdaptiveCodec(TrainedCodec):
    """A trained codec whose rates follow η·bits.

    Attributes:
        eta: real channel values per bit, see `set_eta`; None: what fits the CBR. With it, only the quality follows.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("ntscc", "ntscc-cifar")
        >>> isinstance(codec, RateAdaptiveCodec)
        True
        >>> codec.set_eta(0)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: eta must be from 0.001 to 1000, not 0
    """

    side_info_mcs = 3  # QPSK and LDPC of rate 1/2
    side_info_copies = 2
    eta: float | None = None

    def set_eta(self, eta: float) -> None:
        low, high = ETAS
        if not low <= eta <= high:
            raise CodecError(f"eta must be from {low:g} to {high:g}, not {eta:g}")
        self.eta = eta


def largest_eta(symbols_at: Callable[[float], int], symbols: int) -> float:
    """The largest η at which a picture takes at most so many complex symbols."""
    low, high = ETAS
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if symbols_at(middle) <= symbols else (low, middle)
    return low


def finest_level(levels: int, symbols_at: Callable[[int], float], symbols: int) -> int:
    """The highest of so many levels, from 0, that takes at most so many complex symbols; 0 where none does.

    What a level takes may cost a network's run. Levels take more symbols by about the same factor each, so the next one
    to look at is guessed on a line through what is known; bisection needs nearly twice as many.
    """
    low, high = -1, levels  # the highest known to fit, the lowest known not to
    known: dict[int, float] = {}  # level → log of its symbols over those there are
    level = levels // 2
    while high - low > 1:
        taken = symbols_at(level)
        known[level] = math.log(max(taken, 1) / max(symbols, 1))
        low, high = (level, high) if taken <= symbols else (low, level)
        slope = TYPICAL_SLOPE
        if low in known and high in known:
            slope = (known[high] - known[low]) / (high - low)
        guess = level - known[level] / max(slope, 1e-3)
        level = min(max(math.floor(guess), low + 1), high - 1)
    return max(low, 0)


def finest_by_sample(
    levels: int, symbols_at: Callable[[int], int], sampled_at: Callable[[int], float] | None, symbols: int
) -> int:
    """About what `finest_level` finds, of a picture of which a sample says for little how levels compare.

    Args:
        levels, symbols_at, symbols: as there.
        sampled_at: about what `symbols_at` says. What it is off by at one level it is taken to be off by at all. None:
            there is no sample.

    Example:
        >>> looked = []
        >>> finest_by_sample(9, lambda level: looked.append(level) or 100 << level, lambda level: 97 << level, 3000)
        4
        >>> looked
        [4]
    """
    if sampled_at is None:
        return finest_level(levels, symbols_at, symbols)
    sampled, known, ratio = functools.cache(sampled_at), dict[int, int](), 1.0

    def about(level: int) -> float:
        return known.get(level, ratio * sampled(level))

    while (level := finest_level(levels, about, symbols)) not in known:
        known[level] = symbols_at(level)
        if abs(math.log(max(known[level], 1) / max(symbols, 1))) < NEAR:
            break
        ratio = known[level] / max(sampled(level), 1)
    return level


def quality_code(level: int, levels: int) -> int:
    """The code of one of so many levels of quality, from 0 to `QUALITY_CODES`."""
    return round(level * QUALITY_CODES / (levels - 1))
