"""The transforms under HJSCC's hierarchy: NTSCC's kinds, and the paper's ConvNeXt."""

from __future__ import annotations

from torch import Tensor, nn

from gr_jscc.codecs.parts.transforms import KINDS as NTSCC_KINDS
from gr_jscc.codecs.parts.transforms import WindowTransforms
from gr_jscc.nn.convnext import ConvNeXtBlock


class ConvNeXtStage(nn.Module):
    """So many `ConvNeXtBlock` in sequence.

    Args:
        channels: of the blocks.
        blocks: how many.

    Example:
        >>> import torch
        >>> ConvNeXtStage(channels=8, blocks=2)(torch.zeros(1, 8, 4, 6)).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class ConvNeXtTransforms(WindowTransforms):
    """`WindowTransforms` with ConvNeXt blocks in place of attention.

    Args:
        latents: C.
        widths: channels of the stages at strides 2, 4, 8 …
        blocks: of each stage.
        condition: length of the condition vectors.

    Example:
        >>> import torch
        >>> transforms = ConvNeXtTransforms(latents=12, widths=[8, 8], blocks=[1, 1])
        >>> transforms.stride, transforms.analyse(torch.zeros(1, 3, 16, 24)).shape
        (4, torch.Size([1, 12, 4, 6]))
    """

    def __init__(self, latents: int, widths: list[int], blocks: list[int], condition: int = 64) -> None:
        super().__init__(latents, widths, [0] * len(widths), heads=1, window=1, condition=condition)
        self.encoder = nn.ModuleList(ConvNeXtStage(width, count) for width, count in zip(widths, blocks))
        self.decoder = nn.ModuleList(ConvNeXtStage(width, count) for width, count in zip(widths, blocks))


KINDS = NTSCC_KINDS | {"convnext": ConvNeXtTransforms}
