"""A picture encoded once for all channels that it meets: what is sent does not depend on them."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import Codec, Payload, Reception, Transmitter
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.sweeps.pictures import picture_hash

KEPT = 8  # encodings; a sweep goes on to the next when it is done with one


@dataclass(frozen=True)
class _Encoding:
    """All rounds of a picture, and the seconds that they took."""

    rounds: tuple[Payload, ...]
    seconds: float


class Remembered(Wrapped):
    """A codec without feedback whose transmitters look up what they sent of the same picture at the same CBR.

    Args:
        codec: what is wrapped.

    Attributes:
        encode_seconds: of the picture that was sent last, when it was encoded.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec, image = Remembered(load_codec("separation", "jpeg")), np.full((32, 48, 3), 90, np.uint8)
        >>> first, again = (codec.transmitter(1 / 3).start(image) for _ in range(2))
        >>> first is again
        True
    """

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self.encode_seconds = 0.0
        self._encodings: collections.OrderedDict[tuple[float, str], _Encoding] = collections.OrderedDict()

    def transmitter(self, cbr: float) -> Transmitter:
        return _Transmitter(self, self.codec.transmitter(cbr), cbr)

    def encoding(self, transmitter: Transmitter, cbr: float, image: np.ndarray) -> _Encoding:
        """Of uint8[H, W, 3] at a CBR, by a fresh transmitter where it is not known."""
        key = cbr, picture_hash(image)
        if key not in self._encodings:
            before, rounds = time.monotonic(), [transmitter.start(image)]
            while (payload := transmitter.next(None)) is not None:
                rounds.append(payload)
            self._encodings[key] = _Encoding(tuple(rounds), time.monotonic() - before)
        while len(self._encodings) > KEPT:
            self._encodings.popitem(last=False)
        return self._encodings[key]


class _Transmitter(Transmitter):
    def __init__(self, remembered: Remembered, inner: Transmitter, cbr: float) -> None:
        self._remembered, self._inner, self._cbr = remembered, inner, cbr
        self._left: list[Payload] = []

    def start(self, image: np.ndarray) -> Payload:
        encoding = self._remembered.encoding(self._inner, self._cbr, image)
        self._remembered.encode_seconds = encoding.seconds
        first, *self._left = encoding.rounds
        return first

    def next(self, feedback: Reception | None) -> Payload | None:
        return self._left.pop(0) if self._left else None
