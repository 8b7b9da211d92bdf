"""Measures NTSCC, DeepJSCC and NTC + capacity on the banana source (figures 9 and 10 of the NTSCC paper).

The paper charges only the channel values, and lets the receiver know how many each sample has. Here the same is also
measured with that number charged: its entropy, at capacity.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gr_jscc.banana.models import RATES, BananaDeepJSCC, BananaNTSCC, draw_banana
from gr_jscc.figures import Figure
from gr_jscc.weights import FOLDER, read_model
from gr_jscc.weights.loading import load_network

SNR_DB = 5.0
CAPACITY = 0.5 * math.log2(1 + 10 ** (SNR_DB / 10))  # bits on a real channel use
RATIOS = (0.25, 0.4, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0)  # real channel uses per number of the source
QUALITIES = tuple(i / 12 for i in range(13))
ETAS = tuple(0.2 * 6 ** (i / 23) for i in range(24))
LIMITS = (1, RATES - 1)  # of a sample's channel values
DIMENSIONS = 2
SAMPLES = 40_000


@dataclass(frozen=True)
class Point:
    """One way to send: channel uses per number as the paper counts, the same with everything charged, SDR in dB.

    Example:
        >>> point = Point(ratio=0.75, total=0.9, sdr_db=8.1, quality=0.5, eta=1.2)
        >>> round(point.total - point.ratio, 2)  # what the numbers of channel values cost
        0.15
    """

    ratio: float
    total: float
    sdr_db: float
    quality: float
    eta: float = 0.0
    most: int = RATES - 1


def load_banana(path: Path | None = None) -> BananaNTSCC:
    """The shipped model, or another file."""
    return load_network(lambda config: BananaNTSCC(), read_model(path or FOLDER / "banana.safetensors", "banana"))


def sdr_db(x: Tensor, received: Tensor) -> float:
    """Signal-to-distortion ratio, equation (30)."""
    return float(10 * torch.log10(x.square().sum(1).mean() / (received - x).square().sum(1).mean()))


@torch.inference_mode()
def ntscc_points(network: BananaNTSCC, x: Tensor, generator: torch.Generator) -> list[Point]:
    """All qualities, η and limits on float32[N, 2]."""
    points = []
    for level in QUALITIES:
        quality = torch.full((len(x), 1), level)
        y = network.compressor.analyse(x, quality)
        bits = network.compressor.bits(y, quality)
        for eta, most in itertools.product(ETAS, LIMITS):
            rate = network.rate(bits, torch.tensor(eta), most)
            received = network.transmit(y, rate, quality, SNR_DB, generator)
            share = torch.bincount(rate) / len(rate)
            entropy = float(-(share[share > 0] * share[share > 0].log2()).sum())
            ratio = float(rate.float().mean()) / DIMENSIONS
            total = ratio + entropy / CAPACITY / DIMENSIONS
            points.append(Point(ratio, total, sdr_db(x, received), level, eta, most))
    return points


@torch.inference_mode()
def ntc_points(network: BananaNTSCC, x: Tensor) -> list[Point]:
    """The compressor in it, its bits sent at capacity."""
    points = []
    for level in [i / 40 for i in range(41)]:
        quality = torch.full((len(x), 1), level)
        y = network.compressor.analyse(x, quality).round()
        ratio = float(network.compressor.bits(y, quality).mean()) / CAPACITY / DIMENSIONS
        points.append(Point(ratio, ratio, sdr_db(x, network.compressor.synthesise(y, quality)), level))
    return points


def best(points: list[Point], ratio: float, total: bool = False) -> Point | None:
    """The best that stays below so many channel uses per number."""
    fitting = [point for point in points if (point.total if total else point.ratio) <= ratio]
    return max(fitting, key=lambda point: point.sdr_db, default=None)


@dataclass(frozen=True)
class Measured:
    """What `banana_figures` measured, for plots.

    Example:
        >>> measured = Measured(ntscc=[], ntc=[], deepjscc=[(0.5, 5.8), (1.0, 8.9)])
        >>> max(sdr_db for _, sdr_db in measured.deepjscc)
        8.9
    """

    ntscc: list[Point]
    ntc: list[Point]
    deepjscc: list[tuple[float, float]]


def measure_banana(network: BananaNTSCC, rivals: list[BananaDeepJSCC], samples: int, seed: int) -> Measured:
    """Runs all systems on the same samples."""
    generator = torch.Generator().manual_seed(seed)
    x = draw_banana(samples, generator)
    with torch.inference_mode():
        plain = [(rival.values / DIMENSIONS, sdr_db(x, rival(x, SNR_DB, generator))) for rival in rivals]
    return Measured(ntscc_points(network, x, generator), ntc_points(network, x), plain)


def banana_figures(measured: Measured) -> Iterator[Figure]:
    """SDR over CBR; NTSCC's bars are what DeepJSCC reaches at the same CBR."""
    plain = dict(measured.deepjscc)
    for ratio, value in plain.items():
        yield Figure("sdr_db", value, "dB", {"codec": "deepjscc", "cbr": ratio, "snr_db": SNR_DB})
    for ratio in RATIOS:
        at = {"cbr": ratio, "snr_db": SNR_DB}
        compared = {"ntc-capacity": best(measured.ntc, ratio), "ntscc": best(measured.ntscc, ratio)}
        for codec, point in compared.items():
            if point is not None:
                least = plain.get(ratio) if codec == "ntscc" else None
                yield Figure("sdr_db", point.sdr_db, "dB", {"codec": codec, **at}, least=least)
        charged = best(measured.ntscc, ratio, total=True)
        if charged is not None:
            yield Figure("sdr_db", charged.sdr_db, "dB", {"codec": "ntscc", **at, "charged": "rates too"})
    gains = []
    for point in measured.ntscc:
        rival = best(measured.ntc, point.ratio)
        if 0.25 <= point.ratio <= 0.9 and rival is not None:
            gains.append(point.sdr_db - rival.sdr_db)
    yield Figure(
        "sdr_gain_db", max(gains, default=math.nan), "dB", {"over": "ntc-capacity", "cbr": [0.25, 0.9]}, least=0.0
    )
