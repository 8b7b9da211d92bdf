"""The digital baseline over the ideal channel, beside figures from the literature, and its cliff over a real link."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec
from gr_jscc.figures import Figure
from gr_jscc.imaging import load_image
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db

__all__ = ["CLIFF_CBR", "CLIFF_SNRS_DB", "DESIGN_SNR_DB", "LITERATURE", "cliff_figures", "kodak_figures"]

DESIGN_SNR_DB = 10.0
WORKERS = 2  # encoders at a time; each is one thread

#: Codec → CBR → PSNR in dB on Kodak at 10 dB that papers report or that follows from BPG's rates.
LITERATURE = {
    "separation": {"1/48": 28.8, "1/24": 31.4, "1/16": 33.2, "1/12": 34.7, "1/8": 37.1},
    "separation-capacity": {"1/48": 29.7, "1/24": 32.5, "1/16": 34.6, "1/12": 36.2, "1/8": 38.8},
}
TOLERANCE_DB = 0.3  # below the literature that still counts as reached

CLIFF_SNRS_DB = tuple(float(snr_db) for snr_db in range(6, 15))
CLIFF_CBR = "1/12"

# (codec, weights, CBR, SNR dB) → the reports of all images through the flowgraph
Flowgraph = Callable[[str, str, float, float], list[dict]]


def kodak_figures(files: list[Path], seed: int) -> Iterator[Figure]:
    """Mean PSNR over white noise of 10 dB at the CBRs that papers use.

    Args:
        files: images; the bars are those of Kodak's 24.
        seed: of the noise.
    """
    for name, row in LITERATURE.items():
        codec = load_codec(name, f"hevc:{DESIGN_SNR_DB:g}dB")
        for cbr, literature_db in row.items():
            quality, lost = _over_white_noise(codec, files, _ratio(cbr), seed)
            at = _conditions(codec.name, codec.weights_name, "ideal-awgn", DESIGN_SNR_DB, cbr, len(files))
            yield Figure("psnr_db", quality, "dB", at, least=round(literature_db - TOLERANCE_DB, 3))
            yield Figure("images_lost", lost, "images", at, most=0)


def cliff_figures(flowgraph: Flowgraph, images: int) -> Iterator[Figure]:
    """Mean PSNR over SNR through the flowgraph: made for one SNR and met by others, beside a learned codec."""
    for name, weights in (("separation", f"hevc:{DESIGN_SNR_DB:g}dB"), ("deepjscc", "")):
        for snr_db in CLIFF_SNRS_DB:
            reports = flowgraph(name, weights, _ratio(CLIFF_CBR), snr_db)
            at = _conditions(name, reports[0]["weights"], "awgn", snr_db, CLIFF_CBR, images)
            shown = [report for report in reports if report["psnr_db"] is not None]  # grey ones, too
            psnr = float(np.mean([report["psnr_db"] for report in shown])) if shown else math.nan
            yield Figure("psnr_db", psnr, "dB", at)
            yield Figure("images_lost", sum(not report["arrived"] for report in reports), "images", at)
            yield Figure("cbr_total", float(np.mean([report["cbr"]["total"] for report in reports])), "1", at)


def _ratio(cbr: str) -> float:
    over, under = cbr.split("/")
    return int(over) / int(under)


def _conditions(codec: str, weights: str, channel: str, snr_db: float, cbr: str, images: int) -> dict:
    return {
        "codec": codec, "weights": weights, "channel": channel, "snr_db": snr_db, "cbr": cbr, "images": images,
    }  # fmt: skip


def _over_white_noise(codec: Codec, files: list[Path], cbr: float, seed: int) -> tuple[float, int]:
    """Mean PSNR in dB, and how many pictures came out grey."""

    def one(number: int) -> tuple[float, bool]:
        image = load_image(files[number])
        rng = np.random.default_rng((seed, number))
        payload = codec.transmitter(cbr).start(image)
        reception = ideal_reception(payload, DESIGN_SNR_DB, np.ones(1), rng)
        receiver = codec.receiver(*image.shape[:2])
        return psnr_db(image, receiver.push(reception)), receiver.shows_grey

    with ThreadPoolExecutor(WORKERS) as pool:
        qualities, lost = zip(*pool.map(one, range(len(files))), strict=True)
    return float(np.mean(qualities)), sum(lost)
