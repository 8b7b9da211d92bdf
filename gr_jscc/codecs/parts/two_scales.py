"""Convolutions at strides 4 and 8 beside a linear path, as DeepJSCC's network and `MixedTransforms` have them.

Plain functions over a network with the modules of these names; large pictures are worked on tile by tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.parts.pixels import in_blocks
from gr_jscc.nn.residual import Bottleneck, ResidualBlock
from gr_jscc.nn.tiles import Stage, by_tiles

FINE, STRIDE = 4, 8  # pixels of a position's side at the two scales


def hidden_channels(hidden: int | Sequence[int]) -> tuple[int, int]:
    """Channels inside blocks at the finer and coarser scale; one number is the coarser ones', plain ones have 0.

    Example:
        >>> hidden_channels(96), hidden_channels([48, 96])
        ((0, 96), (48, 96))
    """
    narrow, hidden = (0, hidden) if isinstance(hidden, int) else hidden
    return narrow, hidden


def fine_blocks(count: int, channels: int, hidden: int, padding: str = "zeros") -> nn.Sequential:
    """Blocks at the finer scale: bottlenecks, or plain ones if they have no channels inside.

    Example:
        >>> [type(block).__name__ for hidden in (0, 4) for block in fine_blocks(1, 8, hidden)]
        ['ResidualBlock', 'Bottleneck']
    """
    if hidden:
        return nn.Sequential(*(Bottleneck(channels, hidden, padding) for _ in range(count)))
    return nn.Sequential(*(ResidualBlock(channels, padding) for _ in range(count)))


def encoded(network: nn.Module, images: Tensor, condition: Tensor) -> Tensor:
    """What the encoder makes of pictures: float32[B, channels, H/8, W/8].

    Args:
        network: with an encoder's modules.
        images: float32[B, 3, H, W] from 0 to 1, or uint8, which of large pictures takes less memory.
        condition: of its blocks.
    """

    def enter(images: Tensor) -> Tensor:
        return network.encoder_stem(in_blocks(images, FINE) - 0.5)

    def leave(x: Tensor, images: Tensor) -> Tensor:
        return linearly(network.analysis, images) + network.encoder_head(x)

    stages = [
        Stage(enter, FINE), *(Stage(block, block.reach * FINE) for block in network.encoder_fine),
        Stage(network.encoder_down, 0), *_conditioned(network.encoder_coarse, condition, STRIDE),
        Stage(leave, STRIDE, [images]),
    ]  # fmt: skip
    values = max(network.encoder_stem.out_channels / FINE**2, network.encoder_down.out_channels / STRIDE**2)
    return by_tiles(stages, [images], values, multiple=STRIDE)


def linearly(analysis: nn.Conv2d, images: Tensor) -> Tensor:
    """What a 1×1 convolution makes of blocks of `STRIDE` pixels, in full precision: [B, channels, H/8, W/8].

    It is computed over blocks of `FINE` pixels, which are quicker to make of a picture.
    """
    many = STRIDE // FINE
    kernel = analysis.weight.reshape(-1, 3, many, FINE, many, FINE).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    with torch.autocast(images.device.type, enabled=False):
        return F.conv2d(in_blocks(images, FINE), kernel, analysis.bias, stride=many)


def painted(network: nn.Module, estimate: Tensor, trust: Tensor, condition: Tensor) -> Tensor:
    """The picture [B, 3, H, W], not clipped, from an estimate [B, C, H/8, W/8] and the trust in each of its values."""

    def enter(estimate: Tensor, trust: Tensor) -> Tensor:
        return network.decoder_stem(torch.cat([estimate, trust], dim=1))

    def refine(x: Tensor) -> Tensor:
        return F.pixel_shuffle(network.decoder_up(x), STRIDE // FINE)

    def leave(x: Tensor, estimate: Tensor) -> Tensor:
        head = F.pixel_shuffle(network.decoder_head(x), FINE)
        with torch.autocast(estimate.device.type, enabled=False):
            return F.pixel_shuffle(network.synthesis(estimate), STRIDE) + head

    stages = [
        Stage(enter, 1), *_conditioned(network.decoder_coarse, condition, 1), Stage(refine, 0),
        *(Stage(block, block.reach) for block in network.decoder_fine), Stage(leave, 1, [estimate]),
    ]  # fmt: skip
    values = max(network.decoder_up.out_channels, network.decoder_stem.out_channels)
    return by_tiles(stages, [estimate, trust], values)


def _conditioned(blocks: nn.ModuleList, condition: Tensor, reach: int) -> list[Stage]:
    """Blocks that are told the condition."""
    return [Stage(lambda x, block=block: block(x, condition), reach) for block in blocks]
