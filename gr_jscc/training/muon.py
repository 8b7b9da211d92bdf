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
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        super().__init__(network.parameters(), learning_rate, weight_decay=weight_decay)
        self.kernels = {id(p) for p in network.parameters() if p.ndim == 4 and p.shape[2] > 1}

    @torch.no_grad()
    def step(self, closure=None) -> None:
        gradients = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                if id(parameter) in self.kernels and parameter.grad is not None:
                    gradients[parameter] = parameter.grad
                    parameter.grad = None  # AdamW passes by
            for parameter, gradient in gradients.items():
                self._step_kernel(parameter, gradient, group)
        super().step(closure)
        for parameter, gradient in gradients.items():
            parameter.grad = gradient

    def _step_kernel(self, parameter: Tensor, gradient: Tensor, group: dict) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros(())
        state["step"] += 1
        state["exp_avg"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(state["exp_avg"], MOMENTUM)
        direction = orthogonalised(ahead.reshape(len(ahead), -1))
        size = ADAM_RMS * max(direction.shape) ** 0.5 * BOOST * group["lr"]
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction.reshape(parameter.shape), alpha=-size)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix with the singular vectors of float32[N, M] and singular values near 1, by five Newton–Schulz steps."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix) / (matrix.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x
