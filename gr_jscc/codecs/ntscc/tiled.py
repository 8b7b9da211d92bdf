"""What NTSCC's codec computes between the transforms, tile by tile: a large picture's latents are kept, little else is.

Latents, rate indexes and symbols are given for the whole picture; hyperlatents are, too. What the hyperprior says of
the latents, and what follows from it, is there for one tile at a time. Pictures that fit one tile are computed as a
whole.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.jscc import Prior
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.codecs.parts.hyper import STRIDE as HYPER_STRIDE
from gr_jscc.nn.entropy_models import gaussian_bits
from gr_jscc.nn.rate_attention import of_group
from gr_jscc.nn.tiles import Stage, all_by_tiles, by_tiles

HYPER_REACH = 6  # latent positions on every side that h_s looks at
# Tensors as large as a tile's latents that counting bits, f_e and f_d* are given room for; there are some more.
COUNTED, ENCODED, DECODED = 1.5, 2.0, 3.0
IN_CACHE = 512  # positions whose bits are counted at a time


def hyperlatents(network: NTSCCNetwork, latents: Tensor, quality: Tensor) -> Tensor:
    """h_a, not rounded: float32[B, Z, ⌈h/4⌉, ⌈w/4⌉] of latents float32[B, C, h, w] at qualities float32[B]."""
    hyperprior, steps = network.hyperprior, network.steps(quality)
    stages = [Stage(lambda values: hyperprior.enter(values / steps), 0)]
    return hyperprior.condense(by_tiles(stages, [hyperprior.padded(latents)], COUNTED * network.latents))


def bits_of(network: NTSCCNetwork, latents: Tensor, hyper: Tensor, quality: Tensor) -> Tensor:
    """Bits float32[B, h, w] of the latents by rounded hyperlatents, as `NTSCCNetwork.model` counts them."""
    steps = network.steps(quality)
    unit = network.amplitude / steps

    def count(features: Tensor, latents: Tensor) -> Tensor:
        mean, scale = network.hyperprior.moments(features)
        rows = max(1, IN_CACHE // latents.shape[3])
        parts = zip(*(tensor.split(rows, 2) for tensor in (latents, mean, scale)))
        bits = (gaussian_bits((values / steps).round(), mean * unit, scale * unit) for values, mean, scale in parts)
        return torch.cat([part.sum(1, keepdim=True) for part in bits], 2)

    stages = [_features_of(network, hyper), Stage(count, 0, [latents])]
    return by_tiles(stages, [_given(hyper, latents[:, 0])], COUNTED * network.latents, HYPER_STRIDE)[:, 0]


def channel_values(network: NTSCCNetwork, latents: Tensor, hyper: Tensor | None, index: Tensor) -> Tensor:
    """Values float32[B, C, h, w] that f_e makes, not scaled to a power; 0 where nothing is sent.

    Args:
        network: the model's.
        latents: y, float32[B, C, h, w].
        hyper: float32[B, Z, h', w'], rounded; None for a model that refines nothing.
        index: int64[B, h, w], rate indexes.
    """

    def encode(features: Tensor, latents: Tensor, index: Tensor) -> Tensor:
        sent = network.sent(index[:, 0])
        return network.encoder(latents / network.amplitude, index[:, 0], sent, _prior(network, hyper, features))

    last = Stage(encode, network.encoder.blocks.reach, [latents, index[:, None]])
    stages, inputs = [_features_of(network, hyper), last], [_given(hyper, index)]
    return by_tiles(stages, inputs, ENCODED * network.latents, _multiple(network))


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

    def arrive(features: Tensor, received: Tensor, noise_var: Tensor, index: Tensor) -> tuple[Tensor, ...]:
        prior = _prior(network, hyper, features)
        x, trust, sums = network.arrived(received, noise_var, scale, index[:, 0], prior)
        return x, prior.mean, prior.variance, trust, sums

    def attend(x: Tensor, mean: Tensor, variance: Tensor, begin: tuple[int, int]) -> tuple[Tensor, ...]:
        return network.decoder.blocks(x, begin).float(), mean, variance

    def refine(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return network.decoder.refined(x, Prior(mean, variance)) * network.amplitude

    stages = [
        _features_of(network, hyper), Stage(arrive, 0, [received, noise_var, index[:, None]], keeps=2),
        Stage(attend, network.decoder.blocks.reach, placed=True), Stage(refine, 0),
    ]  # fmt: skip
    inputs, room = [_given(hyper, index)], DECODED * network.latents
    trust, sums, estimate = all_by_tiles(stages, inputs, room, _multiple(network))
    return estimate, trust, sums


def _multiple(network: NTSCCNetwork) -> int:
    """Positions of which tiles begin at multiples: windows are where they were, and hyperlatents whole."""
    return math.lcm(HYPER_STRIDE, *(block.attention.window for block in network.encoder.blocks.blocks))


def _given(hyper: Tensor | None, index: Tensor) -> Tensor:
    """What a tile's prior is made of, at every position [B, ·, h, w]: hyperlatents, or but as many positions as index
    [B, h, w] has.
    """
    if hyper is None:
        return index[:, None]
    return of_group(hyper, HYPER_STRIDE, index.shape[1:]).contiguous()


def _features_of(network: NTSCCNetwork, hyper: Tensor | None) -> Stage:
    """Makes of `_given` what `_prior` is made of."""

    def widen(given: Tensor) -> Tensor:
        with torch.autocast(given.device.type, enabled=False):
            return network.hyperprior.features(given[:, :, ::HYPER_STRIDE, ::HYPER_STRIDE], *given.shape[2:])

    return Stage(lambda index: index, 0) if hyper is None else Stage(widen, HYPER_REACH)


def _prior(network: NTSCCNetwork, hyper: Tensor | None, features: Tensor) -> Prior:
    """What both ends know of a tile's latents; in full precision, as both must derive it alike."""
    mean = deviation = None
    if hyper is not None:
        with torch.autocast(features.device.type, enabled=False):
            mean, deviation = network.hyperprior.moments(features)
    shape = len(features), network.latents, *features.shape[2:]
    return network.prior(torch.empty(shape, device=features.device), mean, deviation)
