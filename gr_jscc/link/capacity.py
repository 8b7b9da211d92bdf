"""How much of a picture the air carries in a given time."""

from __future__ import annotations

import numpy as np

from gr_jscc.codecs.base import Payload
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.budget import round_uses
from gr_jscc.link.bursts import LinkError, LinkSettings

SIDE_INFO_BYTES = (0, 8, 64)  # of codecs without, with some, and with much
SPARE = 0.98  # of the time, for what lies between


def total_cbr_within(samples: int, height: int, width: int, settings: LinkSettings) -> float:
    """The largest CBR, everything charged, of which a picture takes at most so many samples of air.

    Args:
        samples: that each picture has, such as sample rate over frames a second.
        height, width: of the picture.
        settings: how its round becomes bursts.

    Raises:
        LinkError: headers and side information alone take longer.

    Example:
        >>> round(total_cbr_within(100_000, 240, 320, LinkSettings()), 3)
        0.224
    """
    bounds = [_total_within(SPARE * samples, height, width, settings, length) for length in SIDE_INFO_BYTES]
    bound = min((each for each in bounds if each), default=0)
    if not bound:
        raise LinkError(f"a frame has {samples} samples of air, less than its headers take: send fewer a second")
    return min(1.0, bound / (3 * height * width))


def _total_within(room: float, height: int, width: int, settings: LinkSettings, side_info: int) -> int:
    """The most channel uses of a round with so many bytes of side information; 0 where there is no room for any."""

    def uses(symbols: int) -> ChannelUses:
        return round_uses(Payload(np.zeros(symbols, np.complex64), bytes(side_info)), height, width, settings)

    fits, too_many = 0, int(room) + 1  # payload symbols: each takes more than a sample
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if uses(middle).air <= room else (fits, middle)
    return uses(fits).total if fits else 0
