"""The best linear analog code in layers of equal power.

A single layer gives every principal component power ∝ its standard deviation (Lee & Petersen 1976). Layers of
equal power cannot: the later ones, left to the weak components, would waste most of theirs. They also repeat the
strong components, in sums with the weak ones, and the receiver tells them apart by what it had before. Which sums
are best has no closed form; this finds them numerically, which takes seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 400
MIXING = 0.05  # of all components into all latents at the start of the search


@torch.enable_grad()
def fit_layers(variance: Tensor, layers: int, latents: int, noise_var: float) -> Tensor:
    """Encoding matrix of whitened components, float32[layers·latents, M].

    Minimises the mean over i of the logarithm of the MSE from the first i layers with a linear MMSE receiver.

    Args:
        variance: float32[M], of the principal components, strongest first.
        layers: L.
        latents: real values sent in each layer; each layer's rows have mean power ½.
        noise_var: of each received latent.
    """
    variance = variance.double()
    components = len(variance)
    start = torch.zeros(layers * latents, components, dtype=torch.float64)
    own = torch.arange(min(layers * latents, components))
    start[own, own] = variance[own] ** 0.25
    for part in start.split(latents):
        part.div_(part.norm() / (latents / 2) ** 0.5)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(start.shape, generator=generator, dtype=torch.float64)
    matrix = (start + MIXING * noise * (variance / variance[0]) ** 0.25).requires_grad_()
    optimiser = torch.optim.Adam([matrix], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        scaled = _equal_power(matrix, latents)
        loss = sum(_error(scaled[: (i + 1) * latents], variance, noise_var).log() for i in range(layers))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return _equal_power(matrix.detach(), latents).float()


def linear_receiver(matrix: Tensor, noise_var: float) -> Tensor:
    """Linear MMSE estimator of whitened components, float32[M, rows], from received rows of an encoding matrix."""
    matrix = matrix.double()
    identity = torch.eye(matrix.shape[1], dtype=torch.float64)
    return (torch.linalg.solve(identity + matrix.T @ matrix / noise_var, matrix.T) / noise_var).float()


def _equal_power(matrix: Tensor, latents: int) -> Tensor:
    return torch.cat([part * ((latents / 2) ** 0.5 / part.norm()) for part in matrix.split(latents)])


def _error(matrix: Tensor, variance: Tensor, noise_var: float) -> Tensor:
    identity = torch.eye(len(variance), dtype=torch.float64)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(identity + matrix.T @ matrix / noise_var))
    return (variance * inverse.diagonal()).sum()
