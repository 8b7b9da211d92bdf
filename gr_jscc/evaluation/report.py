"""The report: one JSON object an image, the same keys everywhere."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gr_jscc.evaluation.accounting import ChannelUses
from gr_jscc.evaluation.metrics import ms_ssim, psnr_db
from gr_jscc.link.assembly import Arrival


@dataclass(frozen=True)
class Sent:
    """What the transmitting side knows of an image's transfer.

    Attributes:
        name: of the image, for people.
        image: uint8[H, W, 3] as sent.
        codec, weights: names.
        cbr: asked for by the user.
        encode_seconds: the codec took.
        started: `time.monotonic` when the image entered the codec.
    """

    name: str
    image: np.ndarray
    codec: str
    weights: str
    cbr: float
    encode_seconds: float
    started: float


@dataclass(frozen=True)
class OnAir:
    """What the modulator made of a transfer.

    Attributes:
        uses: channel uses.
        bursts: analog bursts; 0 over the ideal channel.
        papr_db: peak-to-average power ratio of the samples; None over the ideal channel.
    """

    uses: ChannelUses
    bursts: int = 0
    papr_db: float | None = None


@dataclass(frozen=True)
class Received:
    """What the receiving side knows.

    Attributes:
        image: uint8[H, W, 3], or None when nothing could be decoded.
        arrival: the last round, as the link reports it; None over the ideal channel.
        decode_seconds: the codec took.
        finished: `time.monotonic` when the picture was there.
    """

    image: np.ndarray | None
    arrival: Arrival | None
    decode_seconds: float
    finished: float


def _rounded(value: float | None, digits: int) -> float | None:
    """JSON knows no NaN or infinity: they become null."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def build_report(
    sent: Sent,
    air: OnAir,
    received: Received,
    channel: str,
    snr_db: float | None,
    sample_rate: float = 1e6,
) -> dict:
    """One image's report.

    Args:
        sent, air, received: the stations of its way.
        channel: its name; ``ideal-…`` without the OFDM link.
        snr_db: Es/N0 of the channel where known.
        sample_rate: samples per second, turns samples into seconds and cycles per sample into Hz.
    """
    height, width = sent.image.shape[:2]
    arrival, picture = received.arrival, received.image
    same_size = picture is not None and picture.shape == sent.image.shape
    psnr = psnr_db(sent.image, picture) if same_size else None
    arrived = arrival.bursts_received if arrival else 0
    return {
        "codec": sent.codec,
        "weights": sent.weights,
        "image": {"name": sent.name, "height": height, "width": width},
        "channel": channel,
        "snr_db": _rounded(snr_db, 3),
        "psnr_db": _rounded(psnr, 3),
        "ms_ssim": _rounded(ms_ssim(sent.image, picture), 5) if same_size else None,
        "bursts": {
            "sent": air.bursts,
            "received": arrived,
            "lost": air.bursts - arrived,
        },
        "uses": {
            "payload": air.uses.payload,
            "side_info": air.uses.side_info,
            "header": air.uses.header,
            "air": air.uses.air,
        },
        "cbr": {key: round(value, 6) for key, value in air.uses.cbr(height, width).items()},
        "link": {
            "snr_est_db": _rounded(arrival.snr_db, 3) if arrival else None,
            "evm_db": _rounded(arrival.evm_db, 3) if arrival else None,
            "cfo_hz": _rounded(arrival.cfo * sample_rate, 2) if arrival else None,
            "papr_db": _rounded(air.papr_db, 2),
        },
        "feedback": {"rounds": 0, "bytes": 0},
        "seconds": {
            "encode": round(sent.encode_seconds, 4),
            "air": round(air.uses.air / sample_rate, 4),
            "decode": round(received.decode_seconds, 4),
            "total": round(received.finished - sent.started, 4),
        },
    }


def write_json(path: Path, content: object) -> None:
    """Writes JSON; the file is whole or not there."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(part, path)
