"""What NTSCC's codec computes between the transforms, tile by tile: a large picture's latents are kept, little else is.

Latents, rate indexes and symbols are given for the whole picture; hyperlatents are, too. What the hyperprior says of
the latents, and what follows from it, is there for one tile at a time. Pictures that fit one tile are computed as a
whole.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.hyper import STRIDE as HYPER_STRIDE
from gr_jscc.codecs.ntscc.jscc import Prior
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.nn.entropy_models import gaussian_bits
from gr_jscc.nn.rate_attention import of_group
from gr_jscc.nn.tiles import all_by_tiles, by_tiles
from gr_jscc.nn.window_attention import WindowBlocks

HYPER_REACH = 6  # latent positions on every side that h_s looks at
TENSORS = 3  # as large as a tile's latents, for which a tile is made small enough; there are some more


def hyperlatents(network: NTSCCNetwork, latents: Tensor, quality: Tensor) -> Tensor:
    """h_a, not rounded: float32[B, Z, ⌈h/4⌉, ⌈w/4⌉] of latents float32[B, C, h, w] at qualities float32[B]."""
    hyperprior, steps = network.hyperprior, network.steps(quality)
    stages = [(lambda values: hyperprior.enter(values / steps), 0)]
    return hyperprior.condense(by_tiles(stages, [hyperprior.padded(latents)], _values(network)))


def bits_of(network: NTSCCNetwork, latents: Tensor, hyper: Tensor, quality: Tensor) -> Tensor:
    """Bits float32[B, h, w] of the latents by rounded hyperlatents, as `NTSCCNetwork.model` counts them."""
    steps = network.steps(quality)
    unit = network.amplitude / steps

    def count(latents: Tensor, hyper: Tensor) -> Tensor:
        mean, scale = _described(network, hyper, latents)
        return gaussian_bits((latents / steps).round(), mean * unit, scale * unit).sum(1, keepdim=True)

    wide = _spread(hyper, latents)
    return by_tiles([(count, HYPER_REACH)], [latents, wide], _values(network), HYPER_STRIDE)[:, 0]


def channel_values(network: NTSCCNetwork, latents: Tensor, hyper: Tensor | None, index: Tensor) -> Tensor:
    """Values float32[B, C, h, w] that f_e makes, not scaled to a power; 0 where nothing is sent.

    Args:
        network: the model's.
        latents: y, float32[B, C, h, w].
        hyper: float32[B, Z, h', w'], rounded; None for a model that refines nothing.
        index: int64[B, h, w], rate indexes.
    """

    def encode(latents: Tensor, index: Tensor, *hyper: Tensor) -> Tensor:
        prior = _prior(network, latents, *hyper)
        return network.encoder(latents / network.amplitude, index[:, 0], network.sent(index[:, 0]), prior)

    inputs = [latents, index[:, None], *([] if hyper is None else [_spread(hyper, latents)])]
    return by_tiles([(encode, _reach(network.encoder.blocks))], inputs, _values(network), _multiple(network))


def estimates(
    network: NTSCCNetwork, received: Tensor, noise_var: Tensor, scale: Tensor, index: Tensor, hyper: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """f_d*: latents and the trust in them, float32[B, C, h, w], and what `NTSCCNetwork.sums` says of both.

    Args:
        network: the model's.
        received: complex64[B, C/2, h, w].
        noise_var: float32 of the same shape, per complex symbol; ``inf`` where a symbol is lost.
        scale: float32[B].
        index: int64[B, h, w].
        hyper: as in `channel_values`.
    """

    def decode(received: Tensor, noise_var: Tensor, index: Tensor, *hyper: Tensor) -> tuple[Tensor, ...]:
        prior = _prior(network, received, *hyper)
        estimate, trust, sums = network.estimated(received, noise_var, scale, index[:, 0], prior)
        return estimate * network.amplitude, trust, sums

    inputs = [received, noise_var, index[:, None], *([] if hyper is None else [_spread(hyper, received)])]
    stages = [(decode, _reach(network.decoder.blocks))]
    estimate, trust, sums = all_by_tiles(stages, inputs, _values(network), _multiple(network))
    return estimate, trust, sums


def _values(network: NTSCCNetwork) -> float:
    return TENSORS * network.latents


def _multiple(network: NTSCCNetwork) -> int:
    """Positions of which tiles begin at multiples: windows are where they were, and hyperlatents whole."""
    return math.lcm(HYPER_STRIDE, *(block.attention.window for block in network.encoder.blocks.blocks))


def _reach(blocks: WindowBlocks) -> int:
    """Positions on every side: as tiles begin where windows do, only those that are shifted reach beyond a tile."""
    return sum(block.attention.shift for block in blocks.blocks) + HYPER_REACH


def _prior(network: NTSCCNetwork, like: Tensor, hyper: Tensor | None = None) -> Prior:
    """What both ends know of a tile's latents, in full precision, as both must derive it alike."""
    mean = spread = None
    if hyper is not None:
        with torch.autocast(hyper.device.type, enabled=False):
            mean, spread = _described(network, hyper, like)
    return network.prior(torch.empty(len(like), network.latents, *like.shape[2:], device=like.device), mean, spread)


def _spread(hyper: Tensor, like: Tensor) -> Tensor:
    """Hyperlatents [B, Z, h', w'] at every position of [B, ·, h, w]."""
    return of_group(hyper, HYPER_STRIDE, like.shape[2:]).contiguous()


def _described(network: NTSCCNetwork, wide: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of a tile's latents by hyperlatents that `_spread` spread."""
    return network.hyperprior.describe(wide[:, :, ::HYPER_STRIDE, ::HYPER_STRIDE], *like.shape[2:])
