"""PSNR of a picture over SNR, through the ideal channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db

SNRS_DB = np.arange(-5.0, 31.0, 5.0)


def ideal_quality(codec: str = "deepjscc", cbr: float = 1 / 12) -> Callable[[float], float]:
    """PSNR of the demo photo as a function of Es/N0, both dB; between measured points straight lines."""
    loaded, image = load_codec(codec), load_image(demo_image())
    payload = loaded.transmitter(cbr).start(image)
    rng = np.random.default_rng(1)
    levels = []
    for snr_db in SNRS_DB:
        reception = ideal_reception(payload, float(snr_db), taps("awgn"), rng)
        levels.append(psnr_db(image, loaded.receiver(*image.shape[:2]).push(reception)))
    rising = np.maximum.accumulate(levels)
    return lambda snr_db: float(np.interp(snr_db, SNRS_DB, rising))
