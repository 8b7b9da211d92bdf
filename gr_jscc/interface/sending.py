"""One picture over a simulated link, in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gr_jscc.errors import UserError
from gr_jscc.interface.link import AnyCodec, Link
from gr_jscc.interface.pictures import Picture
from gr_jscc.interface.sent import Sent
from gr_jscc.interface.simulated import IdealLink

Kind: TypeAlias = Callable[..., Link]


def send(
    image: Picture,
    codec: AnyCodec = "deepjscc",
    cbr: float = 1 / 12,
    snr_db: float = 10.0,
    channel: str = "awgn",
    weights: str | Path | None = None,
    seed: int = 1,
    link: Kind = IdealLink,
) -> Sent:
    """Sends one picture, over the ideal channel unless told otherwise.

    Args:
        image, codec, cbr, weights: see `Link.send`.
        snr_db: Es/N0 per data subcarrier, dB.
        channel: ``awgn`` or ``multipath``.
        seed: of the noise: the same gives the same picture.
        link: a kind of link: `IdealLink`, `SimulatedLink`, `FlowgraphLink`, or a function of ``snr_db``, ``channel``
            and ``seed`` that makes one, such as ``functools.partial(SimulatedLink, loss=0.1)``. A link that is made
            already has a ``send`` of its own.

    Raises:
        UserError: what cannot be sent, in one line.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> send(parrots, codec="deepjscc", snr_db=0).psnr_db < send(parrots, snr_db=20).psnr_db
        True
    """
    return made(link, snr_db, channel, seed).send(image, codec, cbr, weights)


def made(link: Kind, snr_db: float, channel: str, seed: int) -> Link:
    """A link of a kind.

    Raises:
        UserError: the kind is a link already, or its values make no sense.
    """
    if isinstance(link, Link):
        raise UserError(f"{type(link).__name__} is made already, with an SNR of its own: call its send")
    return link(snr_db=snr_db, channel=channel, seed=seed)
