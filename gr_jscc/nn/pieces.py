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

    def room(self, part: Part) -> Piece:
        """Tensors for a part, with nothing in them yet, whose channels are where these have them."""
        sides = [slice(0, x.stop - x.start) for x in part]
        shapes = ((*x.shape[:2], *(side.stop for side in self.place(x, sides)[2:])) for x in self.tensors)
        made = (
            torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_form_of(x))
            for shape, x in zip(shapes, self.tensors)
        )
        return Piece(tuple(made), part)

    def put(self, piece: Piece) -> None:
        """Copies a piece to where it belongs in this one."""
        there = self.cut(piece.part)
        for own, tensor in zip(there.tensors if there else (), piece.tensors):
            own.copy_(tensor)

    def dense(self, copy: bool = False) -> Piece:
        """The same without gaps in memory, where channels stay last if they are: kernels are chosen by that.

        Args:
            copy: whether in memory of its own in any case.
        """
        made = ((x.clone if copy else x.contiguous)(memory_format=_form_of(x)) for x in self.tensors)
        return Piece(tuple(made), self.part)


class Seam:
    """Between two functions, of which the second looks further than a tile.

    Tiles come row by row, from the left. The first function makes what is new of each, up to where the second looks;
    what that looks at of tiles above and on the left was kept.

    Example:
        >>> picture, seam = torch.arange(12.0).reshape(1, 1, 2, 6), Seam()
        >>> def tile(begin, end, seen, again):
        ...     rows, made = slice(0, 2), Piece((picture[..., begin:end],), [slice(0, 2), slice(begin, end)])
        ...     looked = seam.joined(made, made.part, [rows, slice(seen, end)], again=(2, again))
        ...     return looked.tensors[0]
        >>> left, right = tile(0, 3, seen=0, again=2), tile(3, 6, seen=2, again=6)
        >>> torch.equal(right, picture[..., 2:])
        True
    """

    def __init__(self) -> None:
        self._left: Piece | None = None
        self._above: dict[int, Piece | None] = {}  # by a tile's first column that was new

    def joined(self, made: Piece | None, new: Part, seen: Part, again: Sequence[int]) -> Piece:
        """What the second function looks at for a tile.

        Args:
            made: by the first one, with all that is new; None where nothing is.
            new: positions.
            seen: positions looked at: none below or on the right of what is new.
            again: the first row and the first column of which something will be looked at once more, for the tiles
                below and on the right.
        """
        key = new[1].start
        fresh = made.cut(new) if made else None
        rows, columns = (slice(x.start, y.stop) for x, y in zip(seen, new))
        known = _joined([self._above.get(key), self._left if key else None, fresh], [rows, columns])
        below = known.cut([slice(again[0], rows.stop), new[1]])
        right = known.cut([rows, slice(again[1], columns.stop)])
        self._above[key] = below and below.dense(copy=True)
        self._left = right and right.dense(copy=True)
        looked = known.cut(seen)
        assert looked is not None
        return looked.dense()


def is_empty(part: Part) -> bool:
    """Whether there are no positions in it."""
    return any(side.stop <= side.start for side in part)


def _form_of(tensor: Tensor) -> torch.memory_format:
    """Whether a tensor [B, C, ·, ·], or what it is a part of, has its channels last in memory."""
    return torch.channels_last if tensor.stride(1) == 1 else torch.contiguous_format


def _joined(pieces: Sequence[Piece | None], part: Part) -> Piece:
    """One of pieces that together are all of a part."""
    there = [piece for piece in pieces if piece]
    if len(there) == 1:
        return there[0]
    whole = there[0].room(part)
    for piece in there:
        whole.put(piece)
    return whole
