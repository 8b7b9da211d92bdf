"""Steps with weights as they will be stored, so that what their rounding costs is learned away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gr_jscc.weights.difference import as_stored, is_coarse


def stored_finely(network: nn.Module) -> tuple[str, ...]:
    """Beginnings of names of tensors that a network wants in eight bits where others are stored in four."""
    return getattr(network, "stored_finely", ())


@contextlib.contextmanager
def rounded(network: nn.Module, others: dict[str, Tensor]) -> Iterator[None]:
    """Has a network compute with its weights as `gr_jscc.weights.difference` stores them; then they are as before.

    Gradients taken inside are those of the rounded weights, and step the others: the straight-through estimator of
    Bengio, Leonard & Courville (2013).

    Args:
        network: changed in place, and back.
        others: tensors of the model that the weights are stored as differences from.

    Example:
        >>> network = nn.Linear(64, 64)
        >>> before = network.weight.detach().clone()
        >>> with rounded(network, {"weight": torch.zeros(64, 64)}):
        ...     print(network.weight[0].unique().numel() <= 15)
        True
        >>> bool((network.weight == before).all())
        True
    """
    fine, kept = stored_finely(network), {}
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if is_coarse(name, value, fine):
                kept[name] = value.clone()
                value.copy_(as_stored(value, others.get(name)))
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if name in kept:
                    value.copy_(kept[name])
