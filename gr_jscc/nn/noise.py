"""Noise and fading as differentiable functions of torch, for training; `gr_jscc.channel` impairs samples.

SNR is Es/N0: symbols have power 1 and the noise variance is 1/snr per *complex* symbol, 1/(2·snr) per
real dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor


def noise_variance(snr_db: Tensor) -> Tensor:
    """Variance per complex symbol for an Es/N0 in dB."""
    return 10 ** (-snr_db / 10)


def add_noise(symbols: Tensor, noise_var: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Adds circular Gaussian noise.

    Args:
        symbols: complex64[...].
        noise_var: float32, broadcastable to the symbols; where it is ``inf`` the result is 0.
    """
    noise = torch.view_as_complex(
        torch.randn(*symbols.shape, 2, generator=generator, device=symbols.device, dtype=torch.float32)
    )
    lost = torch.isinf(noise_var)
    spread = torch.where(lost, 0.0, (noise_var / 2).sqrt())
    return torch.where(lost, 0.0, symbols + noise * spread)


def awgn(symbols: Tensor, snr_db: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """White noise at snr_db float32[B] on complex64[B, ...]: (received, noise_var float32[B, ...])."""
    variance = noise_variance(snr_db).reshape(-1, *[1] * (symbols.ndim - 1)).expand(symbols.shape)
    return add_noise(symbols, variance, generator), variance


def uneven(
    symbols: Tensor,
    snr_db: Tensor,
    lost: Tensor,
    faded: Tensor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """What an interleaved OFDM link leaves of white noise: lost symbols and subcarriers of unequal quality.

    Args:
        symbols: complex64[B, ...].
        snr_db: float32[B], mean Es/N0.
        lost: float32[B], share of symbols erased.
        faded: bool[B], whether the subcarriers' power gains are exponential (Rayleigh) or equal.

    Returns:
        Zero-forced symbols and their noise variance float32 of the same shape, ``inf`` where erased.
    """
    shape = (-1, *[1] * (symbols.ndim - 1))
    draw = torch.rand(2, *symbols.shape, generator=generator, device=symbols.device)
    power_gain = torch.where(faded.reshape(shape), -torch.log(draw[0] + 1e-6), 1.0).clamp(min=1e-2)
    variance = noise_variance(snr_db).reshape(shape) / power_gain
    variance = torch.where(draw[1] < lost.reshape(shape), torch.inf, variance)
    return add_noise(symbols, variance, generator), variance
