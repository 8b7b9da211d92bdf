"""Manifests that stand for the frames that follow: a stream's need not be sent with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gr_jscc.codecs.base import Codec, Payload


@dataclass(frozen=True)
class _Standing:
    """What the last manifest said, and when it was sent."""

    size: tuple[int, int]
    symbols: int
    side_info: bytes
    at: float
    is_new: bool  # without it a receiver can make nothing of the frames that follow


class StandingManifests:
    """The sender's: which frames the manifest that was sent last describes as well.

    One that tells of another size or number of symbols than the one before is sent with two frames: what loses one
    does not hide all that follow.

    Args:
        codec: whose frames they are.
        clock: seconds.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.codecs.registry import load_codec
        >>> manifests = StandingManifests(load_codec("separation"), clock=lambda: 0.0)
        >>> frame = Payload(np.ones(600, np.complex64))
        >>> [manifests.describe(frame, (240, 320), 0, seconds=1.0)[1] for _ in range(3)]
        [False, True, True]
    """

    def __init__(self, codec: Codec, clock: Callable[[], float]) -> None:
        self._codec, self._clock = codec, clock
        self._standing: dict[int, _Standing] = {}  # by round

    def describe(self, payload: Payload, size: tuple[int, int], round_: int, seconds: float) -> tuple[Payload, bool]:
        """A round as it is to be sent, and whether the manifest that was sent last describes it.

        Args:
            payload: of the codec.
            size: height and width of the picture.
            round_: its number.
            seconds: for how long a manifest stands; 0: for its own picture only.
        """
        last, now = self._standing.get(round_), self._clock()
        if not seconds or not self._codec.side_info_lasts:
            return payload, False
        alike = last is not None and last.size == size and last.symbols == len(payload.symbols)
        if alike and last.symbols and not last.is_new and now - last.at < seconds:
            restated = self._codec.restated(payload, last.side_info)
            if restated is not None:
                return restated, True
        is_new = last is not None and not alike
        self._standing[round_] = _Standing(size, len(payload.symbols), payload.side_info, now, is_new)
        return payload, False
