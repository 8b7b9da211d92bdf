"""What training does otherwise on a GPU: blocks are compiled, one kind at a time."""

from __future__ import annotations

import torch
from torch import nn

from gr_jscc.nn.convnext import ConvNeXtBlock
from gr_jscc.nn.residual import Bottleneck, ConditionedBottleneck, ResidualBlock
from gr_jscc.nn.window_attention import WindowBlock

BLOCKS = (Bottleneck, ConditionedBottleneck, ConvNeXtBlock, ResidualBlock, WindowBlock)
VARIANTS = 64  # of a kind, by shapes and options; torch gives up after eight


def compile_blocks(network: nn.Module, backend: str = "inductor") -> int:
    """Compiles a network's blocks in place; returns how many.

    A network whole takes minutes to compile. Its blocks are of a few kinds, and those of a kind share what was compiled
    for the first: that takes tens of seconds and removes most of the small kernels. Names of parameters stay.

    Args:
        network: on its device.
        backend: of `torch.compile`.
    """
    torch._dynamo.config.cache_size_limit = VARIANTS
    blocks = [module for module in network.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        block.compile(backend=backend, dynamic=False)
    return len(blocks)
