"""Successive refinement with a single decoder, for any number of layers: what has not come is zero.

Kurka & Gündüz (2019), section V. For photos the network is DeepJSCC's own (`successive_photo_network`).
"""

from __future__ import annotations

from gr_jscc.codecs.successive.codec import JointReceiver, JointTransmitter, SuccessiveCodec, checked
from gr_jscc.codecs.successive.network import SingleNetwork
from gr_jscc.codecs.successive.photo_network import PhotoNetwork

__all__ = ["SuccessiveSingle", "single_network"]


def single_network(config: dict) -> SingleNetwork | PhotoNetwork:
    """The network of a configuration; kind ``photo`` is `PhotoNetwork`."""
    return (PhotoNetwork if config.get("kind") == "photo" else SingleNetwork)(**config)


class SuccessiveSingle(SuccessiveCodec):
    """See `gr_jscc.codecs.base.Codec`; every layer is one round.

    Example:
        >>> codec = SuccessiveSingle("successive-single-2")
        >>> codec.network.layers, codec.weights_name, codec.uses_feedback
        (2, 'successive-single-2', False)
    """

    name = "successive-single"
    default_weights = "successive-photo"

    @staticmethod
    def build(config: dict) -> SingleNetwork | PhotoNetwork:
        return checked(single_network(config))

    def transmitter(self, cbr: float) -> JointTransmitter:
        return JointTransmitter(self, cbr)

    def receiver(self, height: int, width: int) -> JointReceiver:
        return JointReceiver(self, height, width)
