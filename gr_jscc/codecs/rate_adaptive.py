"""What codecs share that give every part of a picture as many channel values as it is worth."""

from __future__ import annotations

from collections.abc import Callable

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.trained import TrainedCodec

QUALITY_CODES = 255  # of a quality of 1
ETAS = (1e-3, 1e3)  # between which η is sought


class RateAdaptiveCodec(TrainedCodec):
    """A trained codec whose rates follow η·bits.

    Attributes:
        eta: real channel values per bit, see `set_eta`; None: what fits the CBR. With it, only the quality follows.
    """

    side_info_mcs = 3  # QPSK and LDPC of rate 1/2
    side_info_copies = 2
    eta: float | None = None

    def set_eta(self, eta: float) -> None:
        low, high = ETAS
        if not low <= eta <= high:
            raise CodecError(f"eta must be from {low:g} to {high:g}, not {eta:g}")
        self.eta = eta

    def check_cbr(self, cbr: float) -> None:
        """Raises CodecError for a CBR out of `cbr_range`."""
        lowest, highest = self.cbr_range
        if not lowest * (1 - 1e-9) <= cbr <= highest * (1 + 1e-9):
            raise CodecError(
                f"{self.name} with {self.weights_name} serves a CBR from 1/{1 / lowest:g} to 1/{1 / highest:g}, "
                f"not {cbr:g}"
            )

    def too_small(self, height: int, width: int, cbr: float) -> CodecError:
        """What to raise for a picture whose padding alone breaks the CBR."""
        return CodecError(f"a {width}x{height} picture is too small to be sent by {self.name} at CBR {cbr:.4g}")


def largest_eta(symbols_at: Callable[[float], int], symbols: int) -> float:
    """The largest η at which a picture takes at most so many complex symbols."""
    low, high = ETAS
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if symbols_at(middle) <= symbols else (low, middle)
    return low


def finest_level(levels: int, fits: Callable[[int], bool]) -> int:
    """The highest of so many levels, from 0, that fits; 0 where none does."""
    low, high = 0, levels - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def quality_code(level: int, levels: int) -> int:
    """The code of one of so many levels of quality, from 0 to `QUALITY_CODES`."""
    return round(level * QUALITY_CODES / (levels - 1))
