"""Generalised divisive normalisation (Ballé, Laparra & Simoncelli 2016), and its inverse."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GDN(nn.Module):
    """y_i = x_i / sqrt(β_i + Σ_j γ_ij x_j²) over the channels of [B, C, H, W]; with ``inverse`` it multiplies.

    β and γ are kept positive by squaring what is learned.

    Example:
        >>> import torch
        >>> GDN(8)(torch.ones(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta_root = nn.Parameter(torch.ones(channels))
        self.gamma_root = nn.Parameter((0.1 * torch.eye(channels) + 1e-3).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma_root.square()[:, :, None, None]
        norm = F.conv2d(x.square(), gamma.to(x.dtype), (self.beta_root.square() + 1e-6).to(x.dtype))
        return x * (norm.sqrt() if self.inverse else norm.rsqrt())
