"""Successive refinement on CIFAR-10: PSNR after every layer over SNR, and the residual scheme's Table I.

What Kurka & Gündüz (2019) report in figures 3 and 4 and in Table I, measured over the ideal channels that they used
(white noise, slow Rayleigh fading). Pictures are rounded to 8 bits, the PSNR is the mean over pictures and draws.
Networks run on batches here; a test shows that the codecs' halves compute the same, one picture at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.successive.codec import SuccessiveCodec
from gr_jscc.codecs.successive.network import ResidualNetwork, sent_in_layers
from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.metrics.picture import LARGEST_PSNR_DB
from gr_jscc.nn.noise import awgn
from gr_jscc.nn.slow_fading import SlowRayleigh
from gr_jscc.weights import shipped_models

SNRS_DB = (1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0, 25.0)
DESIGN_SNR_DB = 13.0
REALISATIONS = (1, 10, 100, 1000)
BATCH = 100
AT_ONCE = 1000  # pictures decoded in one go

# Table I, CIFAR-10, k₁/n = k₂/n = 1/12, 13 dB.
PAPER_TABLE = {1: 29.04, 10: 29.68, 100: 29.73, 1000: 29.75}
PAPER_FEEDBACK = 30.64
# The paper's network trained and tested at one SNR, for CBR 1/12 and for CBR 1/6; read off its figures.
PAPER_CNN = {7: (25.4, 28.1), 10: (26.9, 29.8), 13: (27.9, 31.1)}
TOLERANCE = 0.3  # dB below the paper that still counts as reached

Channel = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Model:
    """A model that is measured.

    Attributes:
        weights: its name; also that of its recipe.
        codec: the codec's name.
        fading: whether it is for slow Rayleigh fading, and measured there.
        snrs_db: Es/N0 it is measured at.

    Example:
        >>> model = Model("successive-single-2", "successive-single", snrs_db=(7.0,))
        >>> find_codec(model, runs=None, device="cpu").network.layers
        2
    """

    weights: str
    codec: str = "successive-multiple"
    fading: bool = False
    snrs_db: tuple[float, ...] = SNRS_DB


MODELS = (
    Model("successive-multiple-2"),
    Model("successive-multiple-5"),
    Model("successive-residual-2", "successive-residual"),
    Model("successive-single-2", "successive-single"),
    Model("successive-rayleigh-2", fading=True),
    # Not shipped: what the others are compared with.
    Model("successive-base", snrs_db=(DESIGN_SNR_DB,)),
    Model("successive-one-layer", snrs_db=(DESIGN_SNR_DB,)),
    Model("successive-multiple-2-narrow", snrs_db=(DESIGN_SNR_DB,)),
    Model("successive-multiple-3", snrs_db=(DESIGN_SNR_DB,)),
    Model("successive-multiple-4", snrs_db=(DESIGN_SNR_DB,)),
    # The paper's network for one SNR each: two layers of CBR 1/12, and one of CBR 1/6.
    *(Model(f"successive-cnn-{snr_db}", snrs_db=(float(snr_db),)) for snr_db in PAPER_CNN),
    *(Model(f"successive-cnn-one-{snr_db}", snrs_db=(float(snr_db),)) for snr_db in PAPER_CNN),
)


def find_codec(model: Model, runs: Path | None, device: str) -> SuccessiveCodec | None:
    """The codec of a model that was trained in ``runs`` or is shipped; None for one that nobody has."""
    trained = runs / model.weights / f"{model.weights}.safetensors" if runs else None
    if trained is not None and trained.is_file():
        return load_codec(model.codec, trained, device)
    return load_codec(model.codec, model.weights, device) if model.weights in shipped_models() else None


@torch.inference_mode()
def psnr_after_layers(
    codec: SuccessiveCodec, images: Tensor, snr_db: float, draws: int, seed: int, fading: bool = False
) -> list[float]:
    """Mean PSNR in dB after each layer; a residual scheme's transmitter knows what arrived.

    Args:
        codec: with a network of L layers.
        images: uint8[N, 3, H, W], sides multiples of 8.
        snr_db: Es/N0.
        draws: of the channel for each image.
        seed: of all draws.
        fading: slow Rayleigh fading instead of white noise alone.
    """
    network, total = codec.network, torch.zeros(codec.network.layers, dtype=torch.float64)
    for batch, original in _batches(images, codec.device):
        latents = None if isinstance(network, ResidualNetwork) else network.encode_all(batch)
        for draw in range(draws):
            channel = _channel(snr_db, len(batch), _generator(codec.device, seed, draw), fading)
            if latents is None:
                estimates = network(batch, channel)
            else:
                received = sent_in_layers(network, latents, channel)
                estimates = [network.estimate(*received, i + 1) for i in range(network.layers)]
            total += torch.stack([_psnr_db(estimate, original).sum() for estimate in estimates]).cpu()
    return (total / (len(images) * draws)).tolist()


@torch.inference_mode()
def residual_table(
    codec: SuccessiveCodec, images: Tensor, snr_db: float, realisations: Sequence[int], draws: int, seed: int
) -> dict[int | None, float]:
    """Table I: mean PSNR in dB after two layers for each number of simulated receptions, and with feedback (None).

    An image's draws share one simulated mean where it consists of ten receptions or more; the real receptions are
    the same in every column.

    Args:
        codec: ``successive-residual``; simulates at the SNR of the channel.
        images, snr_db, draws, seed: see `psnr_after_layers`.
        realisations: numbers of simulated receptions, m.
    """
    network = codec.network
    columns: list[int | None] = [*realisations, None]
    total = dict.fromkeys(columns, 0.0)
    for batch, original in _batches(images, codec.device):
        symbols, scale = network.modulate(network.encode(0, batch, None))
        for m in columns:
            imagined, aware = None, torch.tensor([m is None], device=codec.device)
            for draw in range(draws):
                channel = _channel(snr_db, len(batch), _generator(codec.device, seed, draw), fading=False)
                first = network.decode(0, *network.demodulate(0, *channel(symbols), scale), None, None)
                if m is None:
                    imagined = first
                elif imagined is None or m < 10:
                    simulation = _generator(codec.device, seed + 1, draw)
                    imagined = _simulated_mean(network, symbols, scale, snr_db, m, simulation)
                second, second_scale = network.modulate(network.encode(1, batch, imagined))
                estimate = network.decode(1, *network.demodulate(1, *channel(second), second_scale), first, aware)
                total[m] += float(_psnr_db(estimate, original).sum())
    return {m: value / (len(images) * draws) for m, value in total.items()}


def successive_figures(
    images: Tensor, runs: Path | None, draws: int, seed: int, device: str = "cpu"
) -> Iterator[Figure]:
    """Everything that `gr-jscc reproduce successive` tells, as it is measured.

    Args:
        images: uint8[N, 3, 32, 32], CIFAR-10 test pictures.
        runs: folder of training runs, for the models that do not ship; None for none.
        draws: channel draws for each image.
        seed: of all draws.
        device: of the networks.

    Raises:
        UserError: none of the models is there.
    """
    at = {"dataset": "cifar10 test", "images": len(images), "draws": draws}
    quality: dict[tuple[str, float], list[float]] = {}
    codecs = {model.weights: find_codec(model, runs, device) for model in MODELS}
    if not any(codecs.values()):
        raise UserError("no weights for successive refinement are shipped or in the folder of runs")
    residual = codecs["successive-residual-2"]
    if residual is not None:
        yield from _table_figures(residual_table(residual, images, DESIGN_SNR_DB, REALISATIONS, draws, seed), at)
    for model in MODELS:
        codec = codecs[model.weights]
        for snr_db in model.snrs_db if codec is not None else ():
            values = psnr_after_layers(codec, images, snr_db, draws, seed, model.fading)
            quality[model.weights, snr_db] = values
            bars = _paper_bars(model.weights, snr_db)
            for i, value in enumerate(values):
                where = {"codec": model.codec, "weights": model.weights, "layers": i + 1, "snr_db": snr_db}
                where["channel"] = "slow Rayleigh" if model.fading else "awgn"
                yield Figure("psnr_db", value, "dB", {**where, **at}, least=bars.get(i))
    yield from _comparisons({w: v for (w, snr_db), v in quality.items() if snr_db == DESIGN_SNR_DB}, at)


def _table_figures(table: dict[int | None, float], at: dict) -> Iterator[Figure]:
    """Table I with its bars: every column at least the one before it, the last two near the paper or above."""
    before = None
    for m, value in table.items():
        paper = PAPER_FEEDBACK if m is None else PAPER_TABLE.get(m)
        bars = [] if before is None else [before]
        if m in (None, max(PAPER_TABLE)):
            bars.append(paper - TOLERANCE)
        where = {"codec": "successive-residual", "weights": "successive-residual-2", "layers": 2}
        where |= {"snr_db": DESIGN_SNR_DB, "realisations": "direct feedback" if m is None else m}
        yield Figure("psnr_db", value, "dB", {**where, **at}, least=max(bars) if bars else None)
        before = round(value, 4)


def _paper_bars(weights: str, snr_db: float) -> dict[int, float]:
    """What the paper's network has after a layer (from 0), for models that are that network."""
    if weights.startswith("successive-cnn-one-"):
        return {0: PAPER_CNN[round(snr_db)][1]}
    return {0: PAPER_CNN[round(snr_db)][0]} if weights.startswith("successive-cnn-") else {}


def _comparisons(at_design: dict[str, list[float]], at: dict) -> Iterator[Figure]:
    """What layers gain and cost at the design SNR, as far as the models are there."""
    at = {"snr_db": DESIGN_SNR_DB, **at}
    two = at_design.get("successive-multiple-2")
    for weights in ("successive-multiple-2", "successive-residual-2", "successive-single-2"):
        if weights in at_design:
            first, second = at_design[weights]
            yield Figure("refinement_gain_db", second - first, "dB", {"weights": weights, **at}, least=2.0)
    for layer, weights in enumerate(("successive-base", "successive-one-layer")):
        if two and weights in at_design:
            where = {"weights": "successive-multiple-2", "against": weights, "layers": layer + 1, **at}
            yield Figure("layering_loss_db", at_design[weights][0] - two[layer], "dB", where, most=0.3)
    if two and "successive-single-2" in at_design:
        for layer, (many, single) in enumerate(zip(two, at_design["successive-single-2"], strict=True)):
            where = {"weights": "successive-single-2", "against": "successive-multiple-2", "layers": layer + 1, **at}
            yield Figure("single_decoder_loss_db", many - single, "dB", where, most=0.5)
    alike = ("successive-multiple-2-narrow", *(f"successive-multiple-{layers}" for layers in (3, 4, 5)))
    firsts = {weights: at_design[weights][0] for weights in alike if weights in at_design}
    if len(firsts) > 1:
        spread = max(firsts.values()) - min(firsts.values())
        yield Figure("first_layer_spread_db", spread, "dB", {"weights": ", ".join(firsts), **at}, most=0.2)


def _batches(images: Tensor, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures as the networks take them, float32 in [0, 1], and as they are scored, in grey levels."""
    for part in images.split(BATCH):
        original = part.to(device).float()
        yield (original / 255).contiguous(memory_format=torch.channels_last), original


def _psnr_db(estimate: Tensor, original: Tensor) -> Tensor:
    """PSNR in dB float64[B] of float32[B, 3, H, W] in [0, 1], rounded to 8 bits, against grey levels."""
    error = (estimate.clamp(0, 1) * 255).round() - original
    mse = error.double().square().mean((1, 2, 3))
    return (10 * (255**2 / mse).log10()).clamp(max=LARGEST_PSNR_DB)


def _generator(device: str, *seeds: int) -> torch.Generator:
    """Of one draw; the same draw of different models and columns meets the same noise."""
    seed = 0
    for part in seeds:
        seed = seed * 1_000_003 + part
    return torch.Generator(device).manual_seed(seed)


def _channel(snr_db: float, count: int, generator: torch.Generator, fading: bool) -> Channel:
    snr = torch.full((count,), snr_db, device=generator.device)
    return SlowRayleigh(snr, generator) if fading else partial(_white, snr, generator)


def _white(snr_db: Tensor, generator: torch.Generator, symbols: Tensor) -> tuple[Tensor, Tensor]:
    return awgn(symbols, snr_db[:1].expand(len(symbols)), generator)


def _simulated_mean(
    network: ResidualNetwork, symbols: Tensor, scale: Tensor, snr_db: float, m: int, generator: torch.Generator
) -> Tensor:
    """The mean of what m receptions of the first layer give, float32[B, 3, H, W]."""
    channel = _channel(snr_db, 1, generator, fading=False)
    total, left = 0.0, m
    while left:
        count = min(left, max(1, AT_ONCE // len(symbols)))
        received, noise_var = channel(symbols.repeat(count, 1, 1, 1))
        decoded = network.decode(0, *network.demodulate(0, received, noise_var, scale.repeat(count)), None, None)
        total = total + decoded.unflatten(0, (count, len(symbols))).sum(0)
        left -= count
    return total / m
