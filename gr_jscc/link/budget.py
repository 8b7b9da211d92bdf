"""A codec held to a bound on everything that is charged: payload, side information as coded, and headers."""

from __future__ import annotations

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Payload, Reception, Transmitter, UseMap
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.link.accounting import ChannelUses, count_uses
from gr_jscc.link.bursts import LinkSettings, round_bursts

TRIES = 6
SMALL = 256 * 256  # pixels
CLOSE = 0.985  # share of the bound that is near enough


class WithinTotal(Wrapped):
    """A codec of one round whose ``cbr`` bounds what a report calls ``cbr.total``, without repeats.

    Args:
        codec: what is held to the bound.
        settings: how its rounds become bursts.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> within = WithinTotal(Separation("jpeg:ldpc-2/3:16qam"), LinkSettings())
        >>> payload = within.transmitter(1 / 3).start(np.full((96, 128, 3), 90, np.uint8))
        >>> len(payload.symbols) < within.total(payload, 96, 128) <= 96 * 128
        True
    """

    def __init__(self, codec: Codec, settings: LinkSettings) -> None:
        super().__init__(codec)
        self.settings = settings

    @property
    def cbr_range(self) -> tuple[float, float]:
        return self.codec.cbr_range[0], 1.0

    def of_stream(self, refresh: int, is_even: bool = False) -> WithinTotal:
        return super().of_stream(refresh, is_even=True)  # as every frame is bounded

    def use_map(self, image: np.ndarray, cbr: float) -> UseMap | None:
        return None  # how much of the bound is the payload's is only known when the picture was sent

    def transmitter(self, cbr: float) -> Transmitter:
        lowest = self.codec.cbr_range[0]
        if not lowest <= cbr <= 1:
            raise CodecError(f"{self.name} needs a CBR of at least 1/{1 / lowest:g} for its payload alone, not {cbr:g}")
        return _Transmitter(self, cbr)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.codec.check_size(height, width, min(cbr, self.codec.cbr_range[1]))

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        # Headers and side information are too much for small pictures, if for any: those are cheaply tried.
        if image[..., 0].size <= SMALL:
            self.transmitter(cbr).start(image)
        else:
            self.codec.check_picture(image, min(cbr, self.codec.cbr_range[1]))

    def total(self, payload: Payload, height: int, width: int) -> int:
        """Complex symbols that a round is charged with."""
        return round_uses(payload, height, width, self.settings).total


def round_uses(payload: Payload, height: int, width: int, settings: LinkSettings) -> ChannelUses:
    """What a round costs on the air when nothing is repeated."""
    bursts = round_bursts(payload, height, width, bytes(4), 0, 0, settings)
    return count_uses([burst.header for burst in bursts], settings.numerology)


class _Transmitter(Transmitter):
    def __init__(self, within: WithinTotal, bound: float) -> None:
        self.within, self.bound = within, bound

    def start(self, image: np.ndarray) -> Payload:
        codec, values = self.within.codec, image.size
        lowest, highest = codec.cbr_range
        cbr, most = min(self.bound, highest), self.bound * values
        best: Payload | None = None
        for _ in range(TRIES):
            transmitter = codec.transmitter(cbr)
            payload = transmitter.start(image)
            if transmitter.next(None) is not None:
                raise CodecError(f"{codec.name} sends several rounds: only the CBR of the payload can be bounded")
            total = self.within.total(payload, *image.shape[:2])
            if total <= most and (best is None or len(payload.symbols) > len(best.symbols)):
                best = payload
            if best is payload and (total >= CLOSE * most or cbr >= highest):
                break
            # What is left over or missing, given to the payload: the rest hardly depends on it.
            wanted = min(max((len(payload.symbols) + most - total) / values, lowest), highest)
            if wanted == cbr:
                break
            cbr = wanted
        if best is None:
            raise CodecError(
                f"a {image.shape[1]}x{image.shape[0]} picture cannot be sent by {codec.name} at a total CBR of "
                f"{self.bound:.4g}: headers and side information take too much"
            )
        return best

    def next(self, feedback: Reception | None) -> Payload | None:
        return None
