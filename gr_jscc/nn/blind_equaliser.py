"""Turns symbols back that a channel turned and scaled by one unknown coefficient, without pilots."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WEAKEST = 1e-3  # power gain below which the coefficient is not undone any further


class BlindEqualiser(nn.Module):
    """Estimates the coefficient from the symbols' own means.

    An encoder in front of it learns to give its symbols a mean (which costs it power), a receiver learns
    which channels' means tell the coefficient: h = Σ w_s · mean of channel s.

    Args:
        symbols: S, complex symbols per position.

    Attributes:
        offset: mean of the last channel's real part that a fresh equaliser reckons with.

    Example:
        >>> equaliser = BlindEqualiser(symbols=1)
        >>> turned = torch.full((1, 1, 2, 2), 0.6 * 0.5j)
        >>> symbols, noise_var = equaliser(turned, torch.full((1, 1, 2, 2), 0.1))
        >>> symbols.detach().flatten()
        tensor([0.6000+0.j, 0.6000+0.j, 0.6000+0.j, 0.6000+0.j])
        >>> noise_var.detach().flatten()
        tensor([0.4000, 0.4000, 0.4000, 0.4000])
    """

    offset = 0.6

    def __init__(self, symbols: int) -> None:
        super().__init__()
        start = torch.zeros(symbols, 2)
        start[-1, 0] = 1 / self.offset
        self.weight = nn.Parameter(start)

    def forward(self, received: Tensor, noise_var: Tensor) -> tuple[Tensor, Tensor]:
        """Zero-forced symbols complex64[B, S, h, w] and their noise variance, float32 of the same shape."""
        arrived = noise_var.isfinite()
        count = arrived.sum((2, 3)).clamp(min=1)
        means = torch.where(arrived, received, 0).sum((2, 3)) / count
        coefficient = (means * torch.view_as_complex(self.weight)).sum(1)[:, None, None, None]
        gain = (coefficient.real.square() + coefficient.imag.square()).clamp(min=WEAKEST)
        return received * coefficient.conj() / gain, noise_var / gain
