"""How tensors of a smaller network become those of a larger one, see `gr_jscc.training.start`."""

from __future__ import annotations

from torch import Tensor


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
