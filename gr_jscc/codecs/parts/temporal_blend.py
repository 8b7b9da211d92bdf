"""How much of the frame before stays in a decoded one: more where both are alike, as there it only has other noise.

The sender knows the frame and says which of `BLENDS` both ends use; the rest follows from what each of them holds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# The largest share of the frame before, and the squared difference, of values from 0 to 1, where it is half of that.
BLENDS = (
    (0.0, 1.0), (0.3, 1e-4), (0.5, 1e-4), (0.7, 1e-4), (0.5, 4e-4), (0.7, 4e-4), (0.85, 4e-4), (0.9, 2e-3),
)  # fmt: skip
AROUND = 9  # pixels of a side over which differences are averaged
NOISE = 4e-5  # squared error of a decoded frame that the sender, who meets no noise, does not see


def blended(decoded: Tensor, before: Tensor, blend: int) -> Tensor:
    """float32[1, 3, H, W] of two such, by one of `BLENDS`.

    Example:
        >>> grey = torch.full((1, 3, 16, 16), 0.5)
        >>> round(float(blended(grey, grey + 0.01, 6).mean() - 0.5), 3)  # most of a small difference
        0.008
        >>> float(blended(grey, grey + 0.3, 6).mean() - 0.5) < 1e-4  # and nothing of a large one
        True
    """
    return decoded + _share(_apart(decoded, before), blend) * (before - decoded)


def best_blend(decoded: Tensor, before: Tensor, frame: Tensor) -> int:
    """Which of `BLENDS` brings float32[1, 3, H, W] nearest to the frame, the noise of receivers reckoned in."""
    error, change = decoded - frame, before - decoded
    products, squares = ((change * x).mean(1, keepdim=True) for x in (error, change))
    apart, gains = _apart(decoded, before), []
    for blend in range(len(BLENDS)):
        share = _share(apart, blend)  # of which the squared error is a polynomial
        gains.append(float((2 * share * (NOISE - products) - share.square() * (NOISE + squares)).mean()))
    return gains.index(max(gains))


def _apart(decoded: Tensor, before: Tensor) -> Tensor:
    squared = (decoded - before).square().mean(1, keepdim=True)
    return _around(squared) / _around(torch.ones_like(squared))


def _around(x: Tensor) -> Tensor:
    """Sums over `AROUND` pixels each way, of those that there are; by running sums, a quarter of a pooling's time."""
    half = AROUND // 2
    for side in (2, 3):
        x = F.pad(x, (half + 1, half, 0, 0) if side == 3 else (0, 0, half + 1, half)).cumsum(side)
        x = x.narrow(side, AROUND, x.shape[side] - AROUND) - x.narrow(side, 0, x.shape[side] - AROUND)
    return x


def _share(apart: Tensor, blend: int) -> Tensor:
    most, half = BLENDS[blend]
    return most / (1 + (apart / half).square())
