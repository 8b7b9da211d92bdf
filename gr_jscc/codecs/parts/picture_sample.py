"""A sample of a large picture, by which its transmitter chooses among qualities before it looks at all of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCKS = 32  # about, evenly spread
BLOCK_PIXELS = 256  # of a block's side: what is near its edges is seen without what is beyond them
WORTHWHILE = 4  # samples that a picture must be as large as


def sample_of(levels: Sequence[Tensor], stride: int) -> tuple[list[Tensor], float]:
    """Blocks of a large picture side by side, as if they were a small one.

    Args:
        levels: [B, C, ·, ·], coarsest first, each with a whole number of times as many positions a side as the first.
        stride: pixels of a position's side in the first.

    Returns:
        The same of the sample, and how many times larger the picture is; of one that is not large all of it, and 1.

    Example:
        >>> coarse, fine = torch.rand(1, 2, 64, 96), torch.rand(1, 3, 128, 192)
        >>> sample, times = sample_of([coarse, fine], stride=64)
        >>> [tuple(level.shape) for level in sample], times
        ([(1, 2, 20, 28), (1, 3, 40, 56)], 10.971428571428572)
        >>> sample_of([coarse], stride=8)[1]
        1.0
    """
    rows, columns = levels[0].shape[2:]
    block = max(1, BLOCK_PIXELS // stride)
    across = max(1, round((BLOCKS * columns / rows) ** 0.5))
    down = max(1, round(BLOCKS / across))
    times = rows * columns / (down * across * block**2)
    if times < WORTHWHILE or rows < down * block or columns < across * block:
        return list(levels), 1.0

    def places(length: int, count: int, factor: int) -> Tensor:
        begins = [length * (2 * i + 1) // (2 * count) - block // 2 for i in range(count)]
        return (torch.tensor(begins)[:, None] * factor + torch.arange(block * factor)).flatten()

    sample = []
    for level in levels:
        factor = level.shape[2] // rows
        down_at, across_at = places(rows, down, factor), places(columns, across, factor)
        sample.append(level[:, :, down_at.to(level.device)][..., across_at.to(level.device)])
    return sample, times
