"""HJSCC with and without feedback over ideal channels: SNR, a wrong belief about it, and what each latent adds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec
from gr_jscc.figures import Figure
from gr_jscc.link.ideal import IdealRound, ideal_transfer
from gr_jscc.metrics.picture import psnr_db

CBR = 1 / 16
DESIGN_SNR_DB = 10.0
SNRS_DB = (0.0, 4.0, 8.0, 10.0, 12.0, 16.0, 20.0)
BELIEF_ERRORS_DB = (-5.0, -2.5, 0.0, 2.5, 5.0)
CODECS = ("hjscc-feedback", "hjscc")
WEIGHTS = "hjscc-photo"  # which both have in common
RIVALS = ("ntscc", "deepjscc")


def hjscc_figures(pictures: list[np.ndarray], device: str, seed: int) -> Iterator[Figure]:
    """PSNR at CBR 1/16 over the ideal channel.

    Args:
        pictures: uint8[H, W, 3].
        device: a torch device.
        seed: of the noise.

    Yields:
        ``psnr_db`` over SNR of HJSCC, told the SNR, and of its rivals; of HJSCC at 10 dB that believes another SNR
        (``belief_error_db``); and after each latent (``latents``). ``encode_seconds`` and ``decode_seconds`` of a
        picture, all rounds together.
    """
    for name in (*CODECS, *RIVALS):
        codec = load_codec(name, WEIGHTS if name in CODECS else None, device)
        for snr_db in SNRS_DB:
            if name in CODECS:
                codec.snr_db = snr_db
            crossed = _crossed(codec, pictures, snr_db, seed)
            at = {"codec": name, "weights": codec.weights_name, "snr_db": snr_db, "images": len(pictures)}
            yield Figure("psnr_db", _mean_psnr_db(pictures, crossed), "dB", at)
            if snr_db == DESIGN_SNR_DB:
                yield from _latents(pictures, crossed, at) if codec.uses_feedback else ()
                yield from _seconds(crossed, at)
        for error_db in BELIEF_ERRORS_DB if name in CODECS else ():
            codec.snr_db = DESIGN_SNR_DB + error_db
            crossed = _crossed(codec, pictures, DESIGN_SNR_DB, seed)
            at = {"codec": name, "snr_db": DESIGN_SNR_DB, "belief_error_db": error_db, "images": len(pictures)}
            yield Figure("psnr_db", _mean_psnr_db(pictures, crossed), "dB", at)


def _crossed(codec: Codec, pictures: list[np.ndarray], snr_db: float, seed: int) -> list[list[IdealRound]]:
    rng = np.random.default_rng(seed)
    channel = CBR, snr_db, taps("awgn"), rng
    return [ideal_transfer(codec, picture, *channel, every_round=True) for picture in pictures]


def _mean_psnr_db(pictures: list[np.ndarray], crossed: list[list[IdealRound]], last: int = -1) -> float:
    return float(np.mean([psnr_db(picture, rounds[last].picture) for picture, rounds in zip(pictures, crossed)]))


def _latents(pictures: list[np.ndarray], crossed: list[list[IdealRound]], at: dict) -> Iterator[Figure]:
    for number in range(min(len(rounds) for rounds in crossed)):
        uses = [len(rounds[number].payload.symbols) / picture.size for picture, rounds in zip(pictures, crossed)]
        here = {**at, "latents": number + 1}
        yield Figure("psnr_db", _mean_psnr_db(pictures, crossed, number), "dB", here)
        yield Figure("cbr_payload", float(np.mean(uses)), "1", here)


def _seconds(crossed: list[list[IdealRound]], at: dict) -> Iterator[Figure]:
    for half in ("encode_seconds", "decode_seconds"):
        whole = [sum(getattr(one, half) for one in rounds) for rounds in crossed]
        yield Figure(half, float(np.mean(whole)), "s", at)
