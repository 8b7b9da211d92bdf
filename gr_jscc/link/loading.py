"""The codec that a transmitter sends with, as it was asked for."""

from __future__ import annotations

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec, load_codec_for_air
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings, settings_of


def load_sending_codec(
    name: str,
    weights: str = "",
    device: str = "cpu",
    eta: float | None = None,
    total: bool = False,
    settings: LinkSettings | None = None,
    ideal: bool = False,
) -> Codec:
    """Loads a codec ready to send.

    Args:
        name, weights, device: see `load_codec`; "" for the codec's default weights.
        eta: see `Codec.set_eta`; None leaves it to the codec.
        total: whether the CBR bounds headers and side information as well, see `WithinTotal`.
        settings: how its rounds become bursts, which ``total`` reckons with; None: as the codec asks.
        ideal: whether nothing will go through the air, so that bounds will do.

    Raises:
        CodecError: unknown codec, a bound that cannot be sent, or one without an eta.
        WeightsError: bad weights.
    """
    codec = (load_codec if ideal else load_codec_for_air)(name, weights or None, device)
    if eta is not None:
        codec.set_eta(eta)
    return WithinTotal(codec, settings_of(codec, settings)) if total else codec
