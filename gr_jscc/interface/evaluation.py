"""Codecs measured over pictures, SNRs and CBRs: a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
from rich.console import Console
from rich.progress import track

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.interface.link import AnyCodec, Link, loaded
from gr_jscc.interface.pictures import Picture, named_pictures, read_picture
from gr_jscc.interface.sending import Kind, made
from gr_jscc.interface.simulated import IdealLink
from gr_jscc.link.bursts import LinkError
from gr_jscc.reports.report import OnAir, Received, Sent, build_report
from gr_jscc.reports.row import Row, row_of


def evaluate(
    codecs: AnyCodec | Sequence[AnyCodec],
    images: Picture | Iterable[Picture] | Mapping[str, Picture],
    snrs_db: Sequence[float] = (10.0,),
    cbrs: Sequence[float] = (1 / 12,),
    channel: str = "awgn",
    seeds: Sequence[int] = (1,),
    link: Kind = IdealLink,
    quiet: bool = False,
) -> list[Row]:
    """Sends every picture with every codec at every SNR and CBR.

    Args:
        codecs: one or several, see `Link.send`; those with weights of their own as `load_codec` makes them.
        images: pictures, see `Link.send`; folders of them; or a mapping from names to pictures.
        snrs_db: Es/N0 per data subcarrier, dB.
        cbrs: most complex symbols per colour value.
        channel: ``awgn`` or ``multipath``.
        seeds: of the noise. All pictures meet the same.
        link: a kind of link, see `send`.
        quiet: show no progress.

    Returns:
        Rows for `pandas.DataFrame`, all with the same keys, see `Sent.row`, and ``error``: the reason why the codec
        could not send a picture so, else "".

    Raises:
        UserError: a codec or a picture that there is not, or a channel that makes no sense; nothing was sent then.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> parrots = load_image(demo_image())[150:342, 100:356]
        >>> rows = evaluate("deepjscc", parrots, snrs_db=[0, 10], cbrs=[1 / 12, 1 / 2])
        >>> [(row["snr_db"], round(row["cbr"], 3), bool(row["error"])) for row in rows]
        [(0.0, 0.083, False), (10.0, 0.083, False), (0.0, 0.5, True), (10.0, 0.5, True)]
    """
    several = codecs if isinstance(codecs, Sequence) and not isinstance(codecs, str) else [codecs]
    ready = [loaded(codec) for codec in several]
    pictures = named_pictures(images)
    links = [made(link, snr_db, channel, seed) for seed, snr_db in product(seeds, snrs_db)]
    console = Console(stderr=True)
    silent = quiet or not (console.is_terminal or console.is_jupyter)
    rows: list[Row] = []
    # A picture is read once, and what codecs remember of it serves all its rows.
    for name, picture in track(pictures, "sending", console=console, disable=silent):
        shown = read_picture(picture, name)
        rows += [_row(way, shown, codec, cbr) for codec, cbr, way in product(ready, cbrs, links)]
    return rows


def _row(link: Link, picture: tuple[str, np.ndarray], codec: Codec, cbr: float) -> Row:
    try:
        return link.carry(*picture, codec, cbr).row | {"error": ""}
    except (CodecError, LinkError) as error:
        return _unsent(link, picture, codec, cbr, str(error))


def _unsent(link: Link, picture: tuple[str, np.ndarray], codec: Codec, cbr: float, reason: str) -> Row:
    """The row of a picture that never left."""
    about = Sent(*picture, codec.name, codec.weights_name, cbr, None, None)
    report = build_report(about, OnAir(None), Received(None, None, 0.0, 0.0), link.channel, link.snr_db)
    report["seconds"]["decode"] = None
    return row_of(report | {"rounds": []}, link=link.name, cbr=cbr, seed=link.seed, error=reason)
