"""The codec that a transmitter sends with, as it was asked for."""

from __future__ import annotations

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.refined import Refined
from gr_jscc.codecs.registry import load_codec, load_codec_for_air
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings, settings_of

BELIEVED_SNR_DB = 10.0  # Es/N0 that refinement reckons with before anything is known


def load_sending_codec(
    name: str,
    weights: str = "",
    device: str = "cpu",
    eta: float | None = None,
    total: bool = False,
    settings: LinkSettings | None = None,
    ideal: bool = False,
    refine: int = 0,
) -> Codec:
    """Loads a codec ready to send.

    Args:
        name, weights, device: see `load_codec`; "" for the codec's default weights.
        eta: see `Codec.set_eta`; None leaves it to the codec.
        total: whether the CBR bounds headers and side information as well, see `WithinTotal`.
        settings: how its rounds become bursts, which ``total`` reckons with; None: as the codec asks.
        ideal: whether nothing will go through the air, so that bounds will do.
        refine: steps by which the transmitter refines each round's symbols, see `Refined`; 0 for none.

    Raises:
        CodecError: unknown codec, a bound that cannot be sent, or one without an eta, or that cannot be refined.
        WeightsError: bad weights.
    """
    codec = (load_codec if ideal else load_codec_for_air)(name, weights or None, device)
    if eta is not None:
        codec.set_eta(eta)
    if total:
        codec = WithinTotal(codec, settings_of(codec, settings))
    if not refine:
        return codec
    told = settings and settings.control_snr_db
    return Refined(codec, refine, BELIEVED_SNR_DB if told is None else told)
