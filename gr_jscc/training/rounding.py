"""Weights as they will be stored: in steps, so that what their rounding costs is learned away, and in validation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gr_jscc.weights.compact import compacted, expanded
from gr_jscc.weights.difference import as_stored, is_coarse


def stored_finely(network: nn.Module) -> tuple[str, ...]:
    """Beginnings of names of tensors that a network wants in eight bits where others are stored in four."""
    return getattr(network, "stored_finely", ())


def rounded(network: nn.Module, others: dict[str, Tensor]) -> contextlib.AbstractContextManager[None]:
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
    fine = stored_finely(network)
    coarse = {name: value for name, value in network.state_dict().items() if is_coarse(name, value, fine)}
    return _replaced(network, {name: as_stored(value, others.get(name)) for name, value in coarse.items()})


def in_eight_bits(network: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Has a network compute with its weights as `gr_jscc.weights.compact` stores them; then they are as before.

    Example:
        >>> network = nn.Linear(64, 64)
        >>> with in_eight_bits(network):
        ...     print(network.weight[0].unique().numel() <= 255)
        True
    """
    return _replaced(network, expanded(compacted(network.state_dict())))


@contextlib.contextmanager
def _replaced(network: nn.Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """With other values in some of a network's tensors."""
    kept = {}
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name in tensors:
                kept[name] = value.clone()
                value.copy_(tensors[name])
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if name in kept:
                    value.copy_(kept[name])
