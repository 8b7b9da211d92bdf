"""Latents of one position spread over all its symbols, so that a lost symbol costs a little of each.

An orthogonal matrix mixes the latents that are sent. White noise stays what it was. Of what is lost only the part is
missing that the other symbols and the latents' powers do not tell: strong latents are kept almost whole, at the cost of
weak ones, where an unmixed one would be gone.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TOGETHER = 2048  # positions whose matrices are in memory at a time


def mixing_matrices(latents: int) -> Tensor:
    """An orthogonal matrix for each even number of latents: float32[latents/2 + 1, latents, latents].

    Number r mixes the first 2r and leaves the others as they are. They are part of the air interface, hence drawn by a
    generator whose numbers NumPy never changes.
    """
    matrices = np.tile(np.eye(latents), (latents // 2 + 1, 1, 1))
    for half in range(1, latents // 2 + 1):
        count = 2 * half
        draws = np.random.RandomState(count).standard_normal((count, count))
        basis, triangle = np.linalg.qr(draws)
        matrices[half, :count, :count] = basis * np.sign(np.diag(triangle))  # which makes it the only one
    return torch.from_numpy(matrices).float()


def mix(latents: Tensor, sent: Tensor, matrices: Tensor) -> Tensor:
    """Mixed latents float32[B, latents, h, w]; 0 beyond what is sent.

    Args:
        latents: float32[B, latents, h, w].
        sent: int64[B, h, w], how many latents of a position are sent, even numbers.
        matrices: of `mixing_matrices`.
    """
    mixed = torch.zeros_like(latents).permute(0, 2, 3, 1)
    for count in sent.unique().tolist():
        which = sent == count
        mixed[which] = F.pad(
            latents.permute(0, 2, 3, 1)[which][:, :count] @ matrices[count // 2, :count, :count].T,
            (0, latents.shape[1] - count),
        )
    return mixed.permute(0, 3, 1, 2)


def unmixed(
    received: Tensor, noise_var: Tensor, sent: Tensor, matrices: Tensor, power: Tensor
) -> tuple[Tensor, Tensor]:
    """The linear MMSE estimate of latents from mixed ones.

    The estimate has gradients by what was received, but none by powers and variances.

    Args:
        received: float32[B, latents, h, w], 0 where nothing arrived.
        noise_var: float32 of the same shape; large but finite where nothing arrived.
        sent: see `mix`.
        matrices: of `mixing_matrices`.
        power: float32[latents], prior variances.

    Returns:
        The estimate, and the share of each latent's power that it tells, from 0 to 1; both 0 for what was not sent.

    Example:
        >>> matrices, power = mixing_matrices(4), torch.tensor([8.0, 4.0, 1.0, 1.0])
        >>> latents, sent = torch.ones(1, 4, 1, 1), torch.full((1, 1, 1), 4)
        >>> noise_var = torch.full(latents.shape, 1e-4)
        >>> noise_var[0, :2] = 1e6  # a symbol is lost
        >>> estimate, told = unmixed(mix(latents, sent, matrices), noise_var, sent, matrices, power)
        >>> bool(told[0, 0] > 0.5 > told[0, 3])
        True
    """
    shape = received.permute(0, 2, 3, 1).shape
    received, noise_var = (x.permute(0, 2, 3, 1).flatten(0, 2) for x in (received, noise_var))
    estimate, told = torch.zeros_like(received), torch.zeros_like(received)
    for count in sent.unique().tolist():
        matrix, prior = matrices[count // 2, :count, :count], power[:count]
        unsent = (0, shape[-1] - count)
        for which in (sent.flatten() == count).nonzero()[:, 0].split(TOGETHER):
            with torch.no_grad():
                covariance = (matrix * prior) @ matrix.T + torch.diag_embed(noise_var[which, :count])
                inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(covariance).L)
                weights = prior[:, None] * (matrix.T @ inverse)
                share = (weights * matrix.T).sum(-1)
            estimate[which] = F.pad((weights @ received[which, :count, None])[..., 0], unsent)
            told[which] = F.pad(share, unsent)
    return tuple(x.reshape(shape).permute(0, 3, 1, 2) for x in (estimate, told))
