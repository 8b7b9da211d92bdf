"""Muon: momentum whose step for a matrix is made orthogonal.

Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks", with the scaling of Liu et al.
(2025), "Muon is scalable for LLM training", so that one learning rate serves it and Adam. Kernels count as
matrices of output channels × the rest; everything else goes to AdamW.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ADAM_RMS = 0.2  # of one of Adam's steps, per unit of learning rate
BOOST = 2.0  # learning rate of kernels over that of the rest


class Muon(torch.optim.AdamW):
    """AdamW that steps the kernels of 3×3 and larger convolutions by Muon.

    Args:
        network: what to train.
        learning_rate: of AdamW; kernels take `BOOST` times as much.
        weight_decay: AdamW's.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
        >>> len(Muon(network, learning_rate=1e-3, weight_decay=0.0).kernels)  # the 1×1 convolution goes to AdamW
        1
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        super().__init__(network.parameters(), learning_rate, weight_decay=weight_decay, fused=True)
        self.kernels = {id(p) for p in network.parameters() if p.ndim == 4 and p.shape[2] > 1}

    @torch.no_grad()
    def step(self, closure=None) -> None:
        gradients = {}
        for group in self.param_groups:
            kernels = [p for p in group["params"] if id(p) in self.kernels and p.grad is not None]
            for parameter in kernels:
                gradients[parameter] = parameter.grad
                parameter.grad = None  # AdamW passes by
            self._step_kernels(kernels, gradients, group)
        super().step(closure)
        for parameter, gradient in gradients.items():
            parameter.grad = gradient

    def _step_kernels(self, kernels: list[Tensor], gradients: dict[Tensor, Tensor], group: dict) -> None:
        alike: dict[object, list[tuple[Tensor, Tensor]]] = {}
        for parameter in kernels:
            state, gradient = self.state[parameter], gradients[parameter]
            if not state:
                state["step"] = torch.tensor(0.0)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros(())
            state["step"] += 1
            state["exp_avg"].lerp_(gradient, 1 - MOMENTUM)
            ahead = gradient.lerp(state["exp_avg"], MOMENTUM).reshape(len(gradient), -1)
            # On a GPU those of one shape together: few large products in place of many small ones. CPUs gain nothing.
            alike.setdefault(ahead.shape if ahead.is_cuda else parameter, []).append((parameter, ahead))
        for members in alike.values():
            directions = orthogonalised(torch.stack([ahead for _, ahead in members]))
            size = ADAM_RMS * max(directions.shape[1:]) ** 0.5 * BOOST * group["lr"]
            for (parameter, _), direction in zip(members, directions):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(direction.reshape(parameter.shape), alpha=-size)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with the singular vectors of float32[..., N, M] and singular values near 1, by Newton–Schulz steps."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices) / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x
