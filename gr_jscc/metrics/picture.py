"""How good a received picture is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LARGEST_PSNR_DB = 100.0  # of a picture without any error, which then counts in means, plots and curves
LARGEST_MS_SSIM_DB = 50.0
MOST_REMEMBERED = 2**22  # colour values of an original whose features are kept for the next comparison
ROWS = 64  # of pictures that are compared at a time, so that large ones take no more memory
SMALLEST_MS_SSIM_SIDE = 161  # pixels; five scales of an 11-pixel window need as many


def psnr_db(original: np.ndarray, received: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8[H, W, 3] pictures, dB: 10·log10(255² / MSE).

    The MSE is over all pixels and colours; at most 100 dB, which is also what identical pictures have.

    Raises:
        ValueError: shapes differ.
    """
    if original.shape != received.shape:
        raise ValueError(f"pictures of different shapes: {original.shape} and {received.shape}")
    squares = 0.0  # whole numbers, and so exact in whatever order
    for begin in range(0, len(original), ROWS):
        error = np.subtract(original[begin : begin + ROWS], received[begin : begin + ROWS], dtype=np.float64)
        squares += float(np.vdot(error, error))
    mse = squares / original.size
    return LARGEST_PSNR_DB if mse == 0 else min(float(10 * np.log10(255**2 / mse)), LARGEST_PSNR_DB)


def ms_ssim(original: np.ndarray, received: np.ndarray) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) in RGB, 0 to 1; None when a side is below 161 pixels."""
    if min(original.shape[:2]) < SMALLEST_MS_SSIM_SIDE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as score

    def tensor(picture: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
        return pixels.contiguous(memory_format=torch.channels_last)  # the filters' faster order

    with torch.inference_mode():
        return float(score(tensor(original), tensor(received), data_range=255))


def ms_ssim_db(value: float) -> float:
    """MS-SSIM in dB, -10·log10(1 - MS-SSIM), which spreads what lies close to 1; at most 50."""
    return float(min(-10 * np.log10(max(1 - value, 1e-9)), LARGEST_MS_SSIM_DB))


def lpips(original: np.ndarray, received: np.ndarray) -> float | None:
    """Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1 on AlexNet; 0 is the same.

    Args:
        original, received: uint8[H, W, 3] of the same shape.

    Returns:
        None where this machine cannot (see `why_no_lpips`), and for pictures that are too small.
    """
    from gr_jscc.metrics.lpips import SMALLEST_SIDE, lpips_network

    if why_no_lpips() or min(original.shape[:2]) < SMALLEST_SIDE:
        return None
    import torch

    # One original is compared with many pictures in turn; the features of a large one are not kept in memory.
    known = _features if original.size <= MOST_REMEMBERED else _features.__wrapped__
    first, second = known(original.shape, original.tobytes()), _features.__wrapped__(received.shape, received.tobytes())
    with torch.inference_mode():
        return float(lpips_network().distance(first, second))


@lru_cache(1)
def _features(shape: tuple[int, int, int], pixels: bytes) -> list:
    """What LPIPS compares of a picture uint8[H, W, 3]."""
    import torch

    from gr_jscc.metrics.lpips import lpips_network

    picture = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(shape)
    with torch.inference_mode():
        return lpips_network().features(picture.permute(2, 0, 1)[None].float() / 127.5 - 1)


def why_no_lpips() -> str:
    """Why this machine leaves LPIPS out and what mends it, in one line; empty where it does not."""
    from gr_jscc.metrics.lpips import missing_for_lpips

    missing = missing_for_lpips()
    return f"LPIPS is skipped: {missing}" if missing else ""
