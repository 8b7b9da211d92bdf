"""Slow Rayleigh fading as a torch function, for training and for measuring.

One complex coefficient h of mean power 1 for a whole transfer, y = h·z + n, and nobody tells the receiver h.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gr_jscc.nn.noise import awgn


class SlowRayleigh:
    """A channel for one batch: every image keeps its coefficient over all calls (all layers).

    Args:
        snr_db: float32[B], mean Es/N0.
        generator: of the coefficients and the noise.

    Example:
        >>> channel = SlowRayleigh(torch.tensor([100.0]), torch.Generator().manual_seed(1))
        >>> first, second = (channel(torch.ones(1, 3, dtype=torch.complex64))[0] for _ in range(2))
        >>> torch.allclose(first, second, atol=1e-4)
        True
    """

    def __init__(self, snr_db: Tensor, generator: torch.Generator | None = None) -> None:
        self.snr_db, self.generator = snr_db, generator
        parts = torch.randn(len(snr_db), 2, generator=generator, device=snr_db.device)
        self.coefficient = torch.view_as_complex(parts) / 2**0.5

    def __call__(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """complex64[B, ...] as received, and the noise variance float32[B, ...] of the same shape."""
        faded = symbols * self.coefficient.reshape(-1, *[1] * (symbols.ndim - 1))
        return awgn(faded, self.snr_db, self.generator)
