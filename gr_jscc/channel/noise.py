"""Gaussian noise as the project defines it."""

from __future__ import annotations

import numpy as np


def noise(shape: tuple[int, ...], variance: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Circular Gaussian noise complex64[shape]; ``variance`` is per complex sample, half of it per real dimension."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    return (parts * np.sqrt(np.asarray(variance, np.float32) / 2)).astype(np.complex64)
