"""How good a received picture is."""

from __future__ import annotations

import numpy as np


def psnr_db(original: np.ndarray, received: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8[H, W, 3] pictures, dB: 10·log10(255² / MSE).

    The MSE is over all pixels and colours; identical pictures give infinity.

    Raises:
        ValueError: shapes differ.
    """
    if original.shape != received.shape:
        raise ValueError(f"pictures of different shapes: {original.shape} and {received.shape}")
    mse = np.mean((original.astype(np.float64) - received.astype(np.float64)) ** 2)
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def ms_ssim(original: np.ndarray, received: np.ndarray) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) in RGB, 0 to 1; None when a side is at most 160 pixels.

    Five scales of an 11-pixel window need more than 160 pixels.
    """
    if min(original.shape[:2]) <= 160:
        return None
    import torch
    from pytorch_msssim import ms_ssim as score

    def tensor(picture: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()

    return float(score(tensor(original), tensor(received), data_range=255))
