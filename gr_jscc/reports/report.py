"""The report: one JSON object an image, the same keys everywhere."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gr_jscc.codecs.base import Insight
from gr_jscc.files.whole import write_whole
from gr_jscc.link.accounting import ChannelUses, capacity_uses
from gr_jscc.link.arrival import Arrival
from gr_jscc.metrics.picture import ms_ssim, psnr_db


@dataclass(frozen=True)
class Sent:
    """What the transmitting side knows of an image's transfer.

    Attributes:
        name: of the image, for people.
        image: uint8[H, W, 3] as sent; None where the original is not known.
        codec, weights: names.
        cbr: asked for by the user; None when unknown.
        encode_seconds: the codec took; None when unknown.
        started: `time.monotonic` when the image entered the codec; None on another machine.
        rounds: that the codec made of it.

    Example:
        >>> sent = Sent("photo.png", None, "deepjscc", "deepjscc-photo", cbr=1 / 12, encode_seconds=0.02, started=None)
        >>> sent.rounds
        1
    """

    name: str
    image: np.ndarray | None
    codec: str
    weights: str
    cbr: float | None
    encode_seconds: float | None
    started: float | None
    rounds: int = 1


@dataclass(frozen=True)
class OnAir:
    """What the modulator made of a transfer.

    Attributes:
        uses: channel uses; None when the transmitter did not tell.
        bursts: analog bursts; 0 over the ideal channel.
        papr_db: peak-to-average power ratio of the samples; None over the ideal channel.
        repeated: bursts that were sent again, of all kinds.
        side_info_bytes: manifests and side information that went over the back-channel instead of the air.

    Example:
        >>> air = OnAir(ChannelUses(payload=98_304, side_info=200, header=11_808, air=210_000), bursts=41, papr_db=9.5)
        >>> round(air.uses.cbr(512, 768)["payload"], 4)
        0.0833
    """

    uses: ChannelUses | None
    bursts: int = 0
    papr_db: float | None = None
    repeated: int = 0
    side_info_bytes: int = 0


@dataclass(frozen=True)
class Feedback:
    """What went back to the transmitter.

    Attributes:
        rounds: rounds that were fed back in time.
        bytes: they took on the back-channel.
        missed: rounds whose feedback came too late, or never.

    Example:
        >>> Feedback(rounds=3, bytes=9000)
        Feedback(rounds=3, bytes=9000, missed=0)
    """

    rounds: int = 0
    bytes: int = 0
    missed: int = 0


@dataclass(frozen=True)
class Received:
    """What the receiving side knows.

    Attributes:
        image: uint8[H, W, 3], or None when nothing could be decoded.
        arrival: the last round, as the link reports it; None over the ideal channel.
        decode_seconds: the codec took.
        finished: `time.monotonic` when the picture was there.
        side_info_bytes: that the codec asked to be carried, in this round or in all that are reported together.
        insight: of the codec's receiving half.
        shown_grey: whether ``image`` is the plain grey one that codecs show when nothing was usable.

    Example:
        >>> grey = np.full((4, 6, 3), 128, np.uint8)
        >>> Received(grey, None, decode_seconds=0.02, finished=0.5).arrived
        True
        >>> Received(grey, None, decode_seconds=0.02, finished=0.5, shown_grey=True).arrived
        False
    """

    image: np.ndarray | None
    arrival: Arrival | None
    decode_seconds: float
    finished: float
    side_info_bytes: int = 0
    insight: Insight | None = None
    shown_grey: bool = False

    @property
    def arrived(self) -> bool:
        """Whether anything of the picture came."""
        return self.image is not None and not self.shown_grey


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
    feedback: Feedback | None = None,
    radio: dict | None = None,
) -> dict:
    """One image's report; null stands for what is not known.

    Args:
        sent, air, received: the stations of its way.
        channel: its name; ``ideal-…`` without the OFDM link.
        snr_db: Es/N0 of the channel where known.
        sample_rate: samples per second, turns samples into seconds and cycles per sample into Hz.
        feedback: what went back; None for nothing.
        radio: the receiver's, see `gr_jscc.radio.statistics.radio_report`; None in a simulation.
    """
    arrival, picture, feedback = received.arrival, received.image, feedback or Feedback()
    insight = received.insight
    known = next((image for image in (sent.image, picture) if image is not None), None)
    height, width = (None, None) if known is None else known.shape[:2]
    comparable = sent.image is not None and picture is not None and picture.shape == sent.image.shape
    bursts_received = arrival.bursts_received if arrival else 0
    uses = air.uses and {key: getattr(air.uses, key) for key in ("payload", "side_info", "header", "air")}
    cbr = air.uses.cbr(height, width) if air.uses and height else {}
    per_payload = air.uses.per_payload() if air.uses else {}
    snr = snr_db if snr_db is not None else arrival and arrival.snr_db
    if cbr and snr is not None and math.isfinite(snr):
        cbr["paper"] = cbr["payload"] + capacity_uses(received.side_info_bytes, snr) / (3 * height * width)
    return {
        "codec": sent.codec,
        "weights": sent.weights,
        "image": {"name": sent.name, "height": height, "width": width},
        "channel": channel,
        "snr_db": _rounded(snr_db, 3),
        "arrived": received.arrived,
        "psnr_db": _rounded(psnr_db(sent.image, picture), 3) if comparable else None,
        "ms_ssim": _rounded(ms_ssim(sent.image, picture), 5) if comparable else None,
        "bursts": {
            "sent": air.bursts,
            "received": bursts_received,
            "lost": air.bursts - bursts_received,
            "repeated": air.repeated,
        },
        "uses": uses or dict.fromkeys(("payload", "side_info", "header", "air")),
        "cbr": {key: _rounded(cbr.get(key), 6) for key in ("payload", "paper", "total", "air")},
        "per_payload": {key: _rounded(per_payload.get(key), 4) for key in ("total", "air")},
        "link": {
            "snr_est_db": _rounded(arrival.snr_db, 3) if arrival else None,
            "evm_db": _rounded(arrival.evm_db, 3) if arrival else None,
            "cfo_hz": _rounded(arrival.cfo * sample_rate, 2) if arrival else None,
            "papr_db": _rounded(air.papr_db, 2),
        },
        "radio": radio,
        "side_info": {"bytes": received.side_info_bytes, "back_channel_bytes": air.side_info_bytes},
        "feedback": {
            "rounds": feedback.rounds,
            "bytes": feedback.bytes,
            "missed": feedback.missed,
            "blind_from": insight and insight.blind_from,
            "drifted": insight and insight.drifted,
        },
        "seconds": {
            "encode": _rounded(sent.encode_seconds, 4),
            "air": round(air.uses.air / sample_rate, 4) if air.uses else None,
            "decode": round(received.decode_seconds, 4),
            "total": None if sent.started is None else round(received.finished - sent.started, 4),
        },
    }


def write_json(path: Path, content: object) -> None:
    """Writes JSON; the file is whole or not there."""
    write_whole(path, json.dumps(content, indent=1) + "\n")
