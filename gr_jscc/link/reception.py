"""The receiving end of the link: arrivals in, pictures out."""

from __future__ import annotations

import numpy as np

from gr_jscc.codecs.base import Codec, Receiver
from gr_jscc.link.assembly import Arrival


class ReceivingEnd:
    """Keeps one codec receiver for the transfer in progress and feeds it round by round.

    Args:
        codec: the codec that the transmitter is believed to use.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.refused = 0  # rounds of another codec or other weights
        self._transfer: int | None = None
        self._receiver: Receiver | None = None

    def decode(self, arrival: Arrival) -> np.ndarray | None:
        """The picture so far, uint8[H, W, 3]; None when the manifest is lost or names another codec's weights."""
        manifest = arrival.manifest
        if manifest is None or arrival.reception is None:
            return None
        if manifest.weights_hash != self.codec.weights_hash:
            self.refused += 1
            return None
        if arrival.transfer != self._transfer or arrival.round == 0:
            self._transfer = arrival.transfer
            self._receiver = self.codec.receiver(manifest.height, manifest.width)
        return self._receiver.push(arrival.reception)
