"""The scale by which a picture's symbols were brought to power 1, as a receiver is told it: 8 bits, logarithmic."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 32  # codes per octave: 0.19 dB apart, from 2^-4 to 2^4
CODES = 256


def quantise_scale(scale: Tensor, steps: int = STEPS) -> Tensor:
    """The 8-bit code int64[B] that a receiver is sent for a power scale float32[B]."""
    return ((scale.log2() * steps).round() + CODES // 2).clamp(0, CODES - 1).long()


def scale_of(code: Tensor, steps: int = STEPS) -> Tensor:
    """The power scale float32 behind an 8-bit code."""
    return torch.exp2((code.float() - CODES // 2) / steps)


def exact_scale(code: int, steps: int = STEPS) -> float:
    """`scale_of` in double precision, for what two machines must derive alike from it."""
    return 2.0 ** ((code - CODES // 2) / steps)


def known_scale(scale: Tensor, steps: int = STEPS) -> Tensor:
    """The scale float32[B] as the receiver will know it; its gradient is that of the exact one."""
    return scale * (scale_of(quantise_scale(scale.detach(), steps), steps) / scale).detach()
