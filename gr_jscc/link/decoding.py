"""Rounds that arrived become pictures: a codec's receiving halves, one for each transfer."""

from __future__ import annotations

import collections
from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec, Insight, Receiver
from gr_jscc.link.arrival import Arrival
from gr_jscc.telling import one_line

PICTURES_AT_ONCE = 64  # codec receivers kept for transfers whose rounds interleave


class Pictures:
    """What was decoded of each transfer so far.

    Args:
        codec: the codec that the transmitter is believed to use.

    Attributes:
        refused: rounds of another codec or other weights.
        tell: is told in one line of a picture that the codec fails with.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> from gr_jscc.link.arrival import nothing
        >>> pictures = Pictures(Separation("jpeg:ldpc-2/3:16qam"))
        >>> pictures.decode(nothing(transfer=7, round_=0)) is None, pictures.shows_grey(7)
        (True, False)
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.refused = 0
        self.tell: Callable[[str], object] = lambda line: None
        self._receivers: collections.OrderedDict[int, Receiver] = collections.OrderedDict()

    def decode(self, arrival: Arrival, show: bool = True) -> np.ndarray | None:
        """The picture so far, uint8[H, W, 3].

        None without ``show``, or when the manifest is lost or names another codec's weights, or the codec or the memory
        failed.
        """
        manifest = arrival.manifest
        if manifest is None:
            return None
        if manifest.weights_hash != self._codec.weights_hash:
            self.refused += 1
            return None
        if arrival.reception is None:
            return None
        try:
            receiver = self._receiver(arrival)
            return receiver.push(arrival.reception) if show else receiver.hear(arrival.reception)
        except Exception as error:  # of every kind: whatever it is, it is not to cost more than this picture
            self._receivers.pop(arrival.transfer, None)
            self.tell(f"a picture of {manifest.width}x{manifest.height} could not be decoded: {one_line(error)}")
            return None

    def insight(self, transfer: int) -> Insight | None:
        """What the codec's receiving half knows of its transmitter, after what was decoded of a transfer so far."""
        receiver = self._receivers.get(transfer)
        return receiver and receiver.insight

    def shows_grey(self, transfer: int) -> bool:
        """Whether what was decoded last of a transfer is the codec's plain grey picture, as nothing was usable."""
        receiver = self._receivers.get(transfer)
        return receiver is not None and receiver.shows_grey

    def _receiver(self, arrival: Arrival) -> Receiver:
        """The codec's receiving half for a round's picture."""
        if arrival.round == 0 or arrival.transfer not in self._receivers:
            manifest = arrival.manifest
            self._receivers[arrival.transfer] = self._codec.receiver(manifest.height, manifest.width)
            self._receivers.move_to_end(arrival.transfer)
            while len(self._receivers) > PICTURES_AT_ONCE:
                self._receivers.popitem(last=False)
        return self._receivers[arrival.transfer]
