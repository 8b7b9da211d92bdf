"""The textbook channel in place of the link, as the papers have it; needs no GNU Radio."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.base import Codec, Payload
from gr_jscc.files.names import readable
from gr_jscc.imaging import load_image
from gr_jscc.link.budget import round_uses
from gr_jscc.link.bursts import LinkSettings, settings_of
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.reports.collector import Collector, Result
from gr_jscc.reports.report import OnAir, Received, Sent

IDEAL = "ideal-"  # before the channel's name in reports


def ideal_results(
    codec: Codec,
    files: list[Path],
    cbr: float,
    channel: str,
    snr_db: float,
    seed: int,
    settings: LinkSettings | None = None,
    every_round: bool = False,
) -> Iterator[Result]:
    """Results of the textbook channel: white noise, known perfectly, and a way back without noise.

    Headers, manifests and side information arrive, and are charged as the link would send them with ``settings``.
    Without ``every_round`` only the final results have pictures, and their figures.
    """
    rng = np.random.default_rng(seed)
    for transfer, path in enumerate(files):
        picture = readable(path.name), load_image(path)
        for result in ideal_picture(codec, picture, cbr, channel, snr_db, rng, settings, every_round):
            yield replace(result, transfer=transfer)


def ideal_picture(
    codec: Codec,
    picture: tuple[str, np.ndarray],
    cbr: float,
    channel: str,
    snr_db: float,
    rng: np.random.Generator,
    settings: LinkSettings | None = None,
    every_round: bool = False,
) -> Iterator[Result]:
    """Results of one picture, its name and uint8[H, W, 3]; otherwise as `ideal_results`.

    Raises:
        CodecError: the codec cannot send it.
    """
    name, image = picture
    collector = Collector(IDEAL + channel, snr_db)
    started = time.monotonic()
    rounds = ideal_transfer(codec, image, cbr, snr_db, taps(channel), rng, every_round=every_round)
    seconds = rounds[0].encode_seconds
    collector.sent(0, Sent(name, image, codec.name, codec.weights_name, cbr, seconds, started, len(rounds)))
    for number, one in enumerate(rounds):
        # What stands for an ideal code carries the picture as side information, and has paid for it as payload.
        carried = b"" if codec.ideal_only else one.payload.side_info
        sent = Payload(one.payload.symbols, carried)
        collector.on_air(0, number, OnAir(round_uses(sent, *image.shape[:2], settings_of(codec, settings))))
        received = Received(
            one.picture, None, one.decode_seconds, one.finished, len(carried), one.insight, one.shows_grey
        )
        yield from collector.received(0, number, received)
