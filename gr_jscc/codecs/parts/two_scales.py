"""Convolutions at strides 4 and 8 beside a linear path, as DeepJSCC's network and `MixedTransforms` have them.

Plain functions over a network with the modules of these names; large pictures are worked on tile by tile.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.parts.pixels import in_unit
from gr_jscc.nn.tiles import Stage, by_tiles

STRIDE = 8  # pixels of a position's side


def encoded(network: nn.Module, images: Tensor, condition: Tensor) -> Tensor:
    """What the encoder makes of pictures: [B, channels, H/8, W/8] in full precision.

    Args:
        network: with an encoder's modules.
        images: float32[B, 3, H, W] from 0 to 1, or uint8, which of large pictures takes less memory.
        condition: of its blocks.
    """

    def enter(images: Tensor) -> tuple[Tensor, Tensor]:
        images = in_unit(images)
        x = network.encoder_stem(F.pixel_unshuffle(images - 0.5, 4))
        return network.encoder_down(network.encoder_fine(x)), images

    def leave(x: Tensor, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):  # what is sent stays in full precision
            return network.analysis(F.pixel_unshuffle(images, STRIDE)) + network.encoder_head(x.float())

    fine = 4 * (1 + 2 * len(network.encoder_fine))
    stages = [(enter, fine), *_conditioned(network.encoder_coarse, condition, STRIDE), (leave, STRIDE)]
    values = max(network.encoder_stem.out_channels / 16, network.encoder_down.out_channels / STRIDE**2)
    return by_tiles(stages, [images], values, multiple=STRIDE)


def painted(network: nn.Module, estimate: Tensor, trust: Tensor, condition: Tensor) -> Tensor:
    """The picture [B, 3, H, W], not clipped, from an estimate [B, C, H/8, W/8] and the trust in each of its values."""

    def enter(estimate: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
        return network.decoder_stem(torch.cat([estimate, trust], dim=1)), estimate

    def leave(x: Tensor, estimate: Tensor) -> Tensor:
        x = network.decoder_fine(F.pixel_shuffle(network.decoder_up(x), 2))
        head = F.pixel_shuffle(network.decoder_head(x), 4)
        with torch.autocast(estimate.device.type, enabled=False):
            return F.pixel_shuffle(network.synthesis(estimate), STRIDE) + head

    fine = -(-4 * (1 + 2 * len(network.decoder_fine)) // STRIDE)
    stages = [(enter, 1), *_conditioned(network.decoder_coarse, condition, 1), (leave, fine)]
    values = max(network.decoder_up.out_channels, network.decoder_stem.out_channels)
    return by_tiles(stages, [estimate, trust], values)


def _conditioned(blocks: nn.ModuleList, condition: Tensor, reach: int) -> list[Stage]:
    """Blocks that are told the condition, and pass on what goes beside them."""
    return [(lambda x, beside, block=block: (block(x, condition), beside), reach) for block in blocks]
