"""Pieces of what networks make of a picture, and what is kept of them along the edges of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

Part: TypeAlias = Sequence[slice]  # rows and columns, in positions of the picture


class Piece(NamedTuple):
    """A part of a picture in several tensors.

    Attributes:
        tensors: [B, C, ·, ·], each with rows and columns in a ratio of its own to the positions.
        part: which positions.

    Example:
        >>> piece = Piece((torch.zeros(1, 3, 8, 8), torch.zeros(1, 7, 4, 4)), [slice(0, 4), slice(0, 4)])
        >>> [tuple(tensor.shape) for tensor in piece.cut([slice(1, 3), slice(0, 4)]).tensors]
        [(1, 3, 4, 8), (1, 7, 2, 4)]
    """

    tensors: tuple[Tensor, ...]
    part: Part

    def cut(self, wanted: Part) -> Piece | None:
        """Views of a part; None where that is empty."""
        if is_empty(wanted):
            return None
        offsets = [slice(x.start - whole.start, x.stop - whole.start) for x, whole in zip(wanted, self.part)]
        return Piece(tuple(tensor[self.place(tensor, offsets)] for tensor in self.tensors), wanted)

    def place(self, tensor: Tensor, offsets: Part) -> tuple[slice, ...]:
        """Where in one of the tensors positions are that are counted from the piece's first."""
        ratios = (Fraction(length, side.stop - side.start) for length, side in zip(tensor.shape[2:], self.part))
        rows, columns = (slice(int(x.start * ratio), int(x.stop * ratio)) for x, ratio in zip(offsets, ratios))
        return slice(None), slice(None), rows, columns

    def dense(self, copy: bool = False) -> Piece:
        """The same without gaps in memory, where channels stay last if they are: kernels are chosen by that.

        Args:
            copy: whether in memory of its own in any case.
        """
        forms = (torch.channels_last if x.stride(1) == 1 else torch.contiguous_format for x in self.tensors)
        made = ((x.clone if copy else x.contiguous)(memory_format=form) for x, form in zip(self.tensors, forms))
        return Piece(tuple(made), self.part)


class Seam:
    """Between two functions, of which the second looks further than a tile.

    Tiles come row by row, from the left. The first function makes what is new of each, up to where the second looks;
    what that looks at of tiles above and on the left was kept.

    Example:
        >>> picture, seam = torch.arange(12.0).reshape(1, 1, 2, 6), Seam()
        >>> def tile(begin, end, seen, again):
        ...     rows, made = slice(0, 2), Piece((picture[..., begin:end],), [slice(0, 2), slice(begin, end)])
        ...     looked = seam.joined(made, made.part, [rows, slice(seen, end)], [slice(2, 2), slice(again, end)])
        ...     return looked.tensors[0]
        >>> left, right = tile(0, 3, seen=0, again=2), tile(3, 6, seen=2, again=6)
        >>> torch.equal(right, picture[..., 2:])
        True
    """

    def __init__(self) -> None:
        self._left: Piece | None = None
        self._above: dict[int, Piece | None] = {}  # by a tile's first column that was new

    def joined(self, made: Piece | None, new: Part, seen: Part, again: Part) -> Piece:
        """What the second function looks at for a tile.

        Args:
            made: by the first one, with all that is new; None where nothing is.
            new: positions.
            seen: positions looked at: none below or on the right of what is new.
            again: rows and columns of them that will be looked at once more, for the tiles below and on the right.
        """
        key = new[1].start
        fresh = made.cut(new) if made else None
        column = _joined([self._above.get(key), fresh], [seen[0], new[1]], 2)
        looked = _joined([self._left if key else None, column], seen, 3)
        assert looked is not None
        below, right = looked.cut([again[0], new[1]]), looked.cut([seen[0], again[1]])
        self._above[key] = below and below.dense(copy=True)
        self._left = right and right.dense(copy=True)
        return looked.dense()


def is_empty(part: Part) -> bool:
    """Whether there are no positions in it."""
    return any(side.stop <= side.start for side in part)


def _joined(pieces: Sequence[Piece | None], part: Part, dim: int) -> Piece | None:
    """Pieces that lie side by side, as far as there are any."""
    there = [piece for piece in pieces if piece]
    if len(there) <= 1:
        return there[0] if there else None
    return Piece(tuple(torch.cat(tensors, dim) for tensors in zip(*(piece.tensors for piece in there))), part)
