"""What limiting peak power costs in picture quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.benchmarks.modem import USUAL
from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Codec
from gr_jscc.link.assembly import Assembler
from gr_jscc.link.bursts import LinkSettings, round_bursts
from gr_jscc.link.decoding import Pictures
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem import Numerology, StreamDemodulator, modulate
from gr_jscc.modem.papr import papr_db

LIMITS_DB = (None, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0)


@dataclass(frozen=True)
class Tradeoff:
    """One limit.

    Attributes:
        limit_db: asked for; None without control.
        papr_db: mean over bursts, reached.
        cost_db: SNR dB → mean PSNR lost against no control.

    Example:
        >>> Tradeoff(limit_db=7.0, papr_db=7.0, cost_db={10.0: 0.05, 20.0: 0.3}).cost_db[20.0]
        0.3
    """

    limit_db: float | None
    papr_db: float
    cost_db: dict[float, float]


def papr_tradeoff(
    codec: Codec,
    images: list[np.ndarray],
    cbr: float,
    snrs_db: tuple[float, ...],
    seed: int,
    settings: LinkSettings = USUAL,
) -> list[Tradeoff]:
    """PAPR reached and PSNR lost at each of `LIMITS_DB`, over white noise at each SNR."""
    sent = []
    for image in images:
        payload = codec.transmitter(cbr).start(image)
        sent.append(round_bursts(payload, *image.shape[:2], codec.weights_hash, 0, settings=settings))
    rows, best, layout = [], {}, settings.numerology
    for limit_db in LIMITS_DB:
        peaks, quality = [], {snr_db: [] for snr_db in snrs_db}
        for image, bursts in zip(images, sent, strict=True):
            samples = [modulate(burst.header, burst.symbols, layout, limit_db) for burst in bursts]
            peaks += [papr_db(part) for part in samples]
            stream = np.concatenate(samples)
            for snr_db in snrs_db:
                rng = np.random.default_rng([seed, round(snr_db)])
                received = _received(codec, stream + noise(stream.shape, 10 ** (-snr_db / 10), rng), layout)
                quality[snr_db].append(psnr_db(image, received))
        means = {snr_db: float(np.mean(values)) for snr_db, values in quality.items()}
        best = best or means
        rows.append(Tradeoff(limit_db, float(np.mean(peaks)), {s: best[s] - means[s] for s in snrs_db}))
    return rows


def _received(codec: Codec, stream: np.ndarray, layout: Numerology) -> np.ndarray:
    """The picture of a stream that holds one transfer of one round."""
    demodulator, assembler = StreamDemodulator(layout), Assembler()
    arrivals = [a for burst in demodulator.push(stream) + demodulator.flush() for a in assembler.push(burst)]
    (arrival,) = arrivals + assembler.flush()
    return Pictures(codec).decode(arrival)
