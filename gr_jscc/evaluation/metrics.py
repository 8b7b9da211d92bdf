"""How good a received picture is."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

ALEXNET = "alexnet-owt-7be5be79.pth"  # torchvision's file, on which LPIPS stands
LARGEST_MS_SSIM_DB = 50.0


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
    if why_no_lpips() or min(original.shape[:2]) < 64:
        return None
    import torch

    def tensor(picture: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1

    with torch.inference_mode():
        return float(_kept_lpips_network()(tensor(original), tensor(received)))


def why_no_lpips() -> str:
    """Why this machine leaves LPIPS out and what mends it, in one line; empty where it does not."""
    missing = missing_for_lpips()
    return f"LPIPS is left out: {missing}" if missing else ""


@lru_cache(1)
def missing_for_lpips() -> str:
    """What this machine lacks for LPIPS, in a clause; empty where it lacks nothing."""
    if importlib.util.find_spec("lpips") is None:
        return "pip install lpips, and torchvision from where your torch is (docs/sweeps.md)"
    try:
        importlib.import_module("lpips")
    except Exception as error:  # torchvision for another torch raises RuntimeError, OSError …
        reason = " ".join(str(error).split())
        return f"torchvision does not load, it must be of the same kind as torch ({reason})"
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not (folder / ALEXNET).is_file():
        return f"{ALEXNET} of torchvision is not in {folder}: it is at download.pytorch.org/models"
    return ""


def lpips_network():
    """A torch module of LPIPS as in `lpips`, where `missing_for_lpips` is empty.

    It takes two batches of pictures float32[B, 3, H, W] from -1 to 1 and returns float32[B, 1, 1, 1].
    """
    from lpips import LPIPS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it names torchvision's weights in an old way
        return LPIPS(net="alex", verbose=False).eval()


@lru_cache(1)
def _kept_lpips_network():
    return lpips_network()
