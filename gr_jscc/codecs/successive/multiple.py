"""Successive refinement with multiple decoders: one encoder for all layers, a decoder for each number of them.

Kurka & Gündüz (2019), section III; the best of the three schemes, and the largest.
"""

from __future__ import annotations

from gr_jscc.codecs.successive.codec import JointReceiver, JointTransmitter, SuccessiveCodec, checked
from gr_jscc.codecs.successive.network import MultipleNetwork

__all__ = ["SuccessiveMultiple"]


class SuccessiveMultiple(SuccessiveCodec):
    """See `gr_jscc.codecs.base.Codec`; every layer is one round.

    Example:
        >>> codec = SuccessiveMultiple("successive-multiple-5")
        >>> [f"{1 / cbr:.0f}" for cbr in codec.cbr_range]
        ['12', '2']
    """

    name = "successive-multiple"
    default_weights = "successive-multiple-2"

    @staticmethod
    def build(config: dict) -> MultipleNetwork:
        return checked(MultipleNetwork(**config))

    def transmitter(self, cbr: float) -> JointTransmitter:
        return JointTransmitter(self, cbr)

    def receiver(self, height: int, width: int) -> JointReceiver:
        return JointReceiver(self, height, width)
