"""How tensors of a smaller network become those of a larger one, see `gr_jscc.training.start`."""

from __future__ import annotations

from torch import Tensor, nn


def spread_parts(old: Tensor, into: Tensor, parts: int, axis: int) -> Tensor:
    """A tensor of several parts along an axis, each filled up to the length it has in the larger one.

    Args:
        old: of any shape.
        into: what is kept where the parts do not reach; its other sides are at least ``old``'s.
        parts: how many of equal length lie along ``axis``.
        axis: below 2.

    Returns:
        A tensor of ``into``'s shape.

    Example:
        >>> import torch
        >>> spread_parts(torch.tensor([1.0, 2.0]), torch.zeros(6), parts=2, axis=0)
        tensor([1., 0., 0., 2., 0., 0.])
    """
    result = into.detach().clone()
    for part, piece in enumerate(old.chunk(parts, dim=axis)):
        begin = part * into.shape[axis] // parts
        place = [slice(side) for side in old.shape]
        place[axis] = slice(begin, begin + piece.shape[axis])
        result[tuple(place)] = piece.to(result.dtype)
    return result


def deaf_inputs(old: Tensor, layer: nn.Conv2d | nn.Linear, parts: int) -> Tensor:
    """A layer's weight that reads of each part of its input what a narrower one did, and nothing of what is new.

    Args:
        old: weight of the narrower layer.
        layer: the wider one, as fresh; outputs that are new stay so.
        parts: how many inputs of equal length lie one after the other.

    Example:
        >>> import torch
        >>> deaf_inputs(torch.tensor([[1.0, 2.0]]), nn.Linear(4, 1), parts=2).tolist()
        [[1.0, 0.0, 2.0, 0.0]]
    """
    fresh = layer.weight.detach().clone()
    fresh[: len(old)] = 0
    return spread_parts(old, fresh, parts, 1)
