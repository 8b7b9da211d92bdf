"""The compressor inside NTSCC (the paper's NTC) against BPG's core: bits at equal PSNR.

Bits are what the entropy models count for rounded latents and hyperlatents; a range coder comes within a hundredth of
that. BPG's are bytes as written. No channel takes part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.codecs.parts.pixels import to_picture, to_pixels
from gr_jscc.codecs.separation.picture_codecs import picture_codec
from gr_jscc.figures import Figure
from gr_jscc.metrics.bd import bd_cbr_percent, bd_quality_db
from gr_jscc.metrics.picture import psnr_db

QUALITIES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
QUANTISERS = (46, 43, 40, 37, 34, 31, 28, 25)  # of BPG, from coarse to fine
MOST_PERCENT = 25.0  # more bits than BPG, the bar for a network that CPUs trained

Curve = list[tuple[float, float]]  # (bits a pixel, PSNR in dB), means over pictures


@torch.inference_mode()
def compressed(network: NTSCCNetwork, image: np.ndarray, quality: float) -> tuple[float, float, float]:
    """A picture uint8[H, W, 3] by the network's compressor.

    Returns:
        bits a pixel in all, those of the hyperlatents, and PSNR in dB.
    """
    height, width = image.shape[:2]
    device, stride = network.log_power.device, network.stride
    pixels = to_pixels(image, -(-height // stride) * stride, -(-width // stride) * stride, device)
    given = torch.full((1,), quality, device=device)
    latents = network.transforms.analyse(pixels)
    modelled = network.model(latents, given)
    side = float(modelled.hyper_bits) / (height * width)
    picture = to_picture(network.compress(latents, given).float(), height, width)
    return float(modelled.bits.sum()) / (height * width) + side, side, psnr_db(image, picture)


def rival_curve(images: Sequence[np.ndarray], quantisers: Sequence[int] = QUANTISERS) -> Curve:
    """BPG's core on pictures uint8[H, W, 3]."""
    codec, curve = picture_codec("hevc"), []
    for quantiser in quantisers:
        bits, quality = [], []
        for image in images:
            data = codec.encode(image, (quantiser, 0))
            bits.append(8 * len(data) / (image.shape[0] * image.shape[1]))
            quality.append(psnr_db(image, codec.decode(data, *image.shape[:2])))
        curve.append((float(np.mean(bits)), float(np.mean(quality))))
    return curve


def measure(network: NTSCCNetwork, images: Sequence[np.ndarray], name: str) -> Iterator[Figure]:
    """Figures, as they are measured.

    Args:
        network: on any device.
        images: uint8[H, W, 3].
        name: of the weights, for the figures.
    """
    curve: Curve = []
    for quality in QUALITIES:
        rows = np.array([compressed(network, image, quality) for image in images])
        bits, side, psnr = rows.mean(0)
        curve.append((bits, psnr))
        at = {"weights": name, "quality": quality}
        yield Figure("bits_per_pixel", float(bits), "bit", at)
        yield Figure("side_bits_per_pixel", float(side), "bit", at)
        yield Figure("psnr_db", float(psnr), "dB", at)
    rival = rival_curve(images)
    for quantiser, (bits, psnr) in zip(QUANTISERS, rival):
        at = {"weights": "hevc", "quantiser": quantiser}
        yield Figure("bits_per_pixel", bits, "bit", at)
        yield Figure("psnr_db", psnr, "dB", at)
    at = {"weights": name, "against": "hevc", "pictures": len(images)}
    yield Figure("bd_rate_percent", bd_cbr_percent(rival, curve), "%", at, most=MOST_PERCENT)
    yield Figure("bd_psnr_db", bd_quality_db(rival, curve), "dB", at)
