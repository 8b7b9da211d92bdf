"""The codec's part of sending: what is around it is told of the channel, and rounds are asked of its transmitter."""

from __future__ import annotations

from collections.abc import Callable

from gr_jscc.codecs.base import Codec, Payload, Reception, Transmitter
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings


def adapt_codec(codec: Codec, settings: LinkSettings, snr_db: float | None) -> None:
    """Tells what is around a codec how rounds are sent now, and how they arrive.

    Args:
        codec: that may be wrapped.
        settings: of the rounds to come.
        snr_db: Es/N0 as the receiver reported it; None while it has not.
    """
    while isinstance(codec, Wrapped):
        if isinstance(codec, WithinTotal):
            codec.settings = settings
        if snr_db is not None:
            codec.hear_snr(snr_db)
        codec = codec.codec


def further_rounds(
    transmitter: Transmitter, feedback: Reception | None, is_wanted: Callable[[int], bool]
) -> list[Payload]:
    """The codec's next round or, when there is no feedback, all to its last.

    Args:
        transmitter: the codec's sending half.
        feedback: the round before as the receiver reported it.
        is_wanted: told how many rounds there are here so far, whether one more is.
    """
    payloads: list[Payload] = []
    while is_wanted(len(payloads)) and (payload := transmitter.next(feedback)) is not None:
        payloads.append(payload)
        if feedback is not None:
            break
    return payloads
