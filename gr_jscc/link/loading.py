"""How a transmitter encodes and a receiver decodes, as they were asked to; the codec that a transmitter sends with."""

from __future__ import annotations

from dataclasses import dataclass

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec, load_codec_for_air
from gr_jscc.link.assembly import MEMORY
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings, settings_of

BELIEVED_SNR_DB = 10.0  # Es/N0 that refinement reckons with before anything is known


@dataclass(frozen=True)
class Encoding:
    """How a transmitter encodes.

    Attributes:
        codec: its name; or a class or a codec, see `load_codec`.
        cbr: most complex symbols per colour value of the picture, e.g. 1/12.
        weights: a shipped model or a file; "" for the codec's default.
        device: torch device.
        precision: of the networks, see `Codec.compute_in`.
        total: whether ``cbr`` bounds headers and side information as well, see `WithinTotal`.
        eta: for codecs that adapt their rate to the content, see `Codec.set_eta`; None leaves it to the codec.
        refine: steps by which the symbols of each round are refined, see `Refined`; 0 for none.

    Example:
        >>> Encoding("ntscc", cbr=1 / 24, refine=10).codec
        'ntscc'
    """

    codec: str | type[Codec] | Codec = "deepjscc"
    cbr: float = 1 / 12
    weights: str = ""
    device: str = "cpu"
    precision: str = "fp32"
    total: bool = False
    eta: float | None = None
    refine: int = 0


@dataclass(frozen=True)
class Decoding:
    """How a receiver decodes.

    Attributes:
        codec, weights: the transmitter's.
        device, precision: of this end, as `Encoding`'s.
        feedback_format: how received symbols are fed back: ``complex64``, ``float16`` or ``int8``.
        patience: seconds without a back-channel after which nothing is expected of it.
        rounds: of a picture that are good enough; the transmitter is then told to stop. 0 wants all.
        feedback_snr_db: Es/N0 of a feedback channel to imitate; 0 for none.
        memory_mib: that rounds on their way may take, and the same again for those that wait for the network.

    Example:
        >>> Decoding("ntscc").patience
        60.0
    """

    codec: str | type[Codec] | Codec = "deepjscc"
    weights: str = ""
    device: str = "cpu"
    precision: str = "fp32"
    feedback_format: str = "complex64"
    patience: float = 60.0
    rounds: int = 0
    feedback_snr_db: float = 0.0
    memory_mib: int = MEMORY >> 20


def load_sending_codec(encoding: Encoding, settings: LinkSettings | None = None, ideal: bool = False) -> Codec:
    """Loads a codec ready to send.

    Args:
        encoding: what was asked for.
        settings: how its rounds become bursts, which a bound on the total reckons with; None: as the codec asks.
        ideal: whether nothing will go through the air, so that bounds will do.

    Raises:
        CodecError: unknown codec, a bound that cannot be sent, or one without an eta, or that cannot be refined.
        WeightsError: bad weights.
    """
    load = load_codec if ideal else load_codec_for_air
    codec = load(encoding.codec, encoding.weights or None, encoding.device, encoding.precision)
    if encoding.eta is not None:
        codec.set_eta(encoding.eta)
    if encoding.total:
        codec = WithinTotal(codec, settings_of(codec, settings))
    if not encoding.refine:
        return codec
    from gr_jscc.codecs.refined import Refined  # with PyTorch

    told = settings and settings.control_snr_db
    return Refined(codec, encoding.refine, BELIEVED_SNR_DB if told is None else told)
