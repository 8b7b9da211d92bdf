"""Large pictures tile by tile: memory that does not grow with the network's activations, and the same result.

What a network computes at a position depends on positions nearby and on a few numbers of the whole picture. With these
numbers given, a tile with a rim as wide as the network reaches gives the same as the whole; at the picture's edges
there is no rim, so that the network sees them as they are. Each stage is ahead of the tile by as much as those behind
it reach, and what it made along the edges is kept for the tiles to the right and below, so that nothing is made twice
but what a single stage reaches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from gr_jscc.free_memory import give_back_freed
from gr_jscc.nn.pieces import Part, Piece, Seam, is_empty

LARGEST = 12 << 20  # bytes of a tile's widest tensor
MOST_CUTS = 64  # of a side that are tried
TOGETHER = 8  # tiles between which nothing is given back: to take fresh pages for each costs up to a third of the time


class Stage(NamedTuple):
    """One of the functions that tensors go through.

    Attributes:
        function: of all that the one before returned, tensors [B, C, ·, ·], and of those beside; returns one tensor or
            several. They may have other sides than the inputs, by a factor of their own.
        reach: positions on every side that it depends on, counted in those of the inputs.
        beside: tensors of whole pictures, of which it is given the same part behind the others.
        keeps: how many of the tensors it returns, the last ones, no later stage is given: they are results.
        placed: whether it is told the row and the column at which its part begins, as ``begin``. That may be any then,
            and is at a tile's multiple otherwise.

    Example:
        >>> import torch
        >>> whole = torch.rand(1, 1, 1000, 9000)
        >>> made = by_tiles([Stage(torch.sqrt, 0), Stage(torch.add, 0, [whole])], [whole], values=1)
        >>> torch.equal(made, whole.sqrt() + whole)
        True
    """

    function: Callable[..., Tensor | tuple[Tensor, ...]]
    reach: int
    beside: Sequence[Tensor] = ()
    keeps: int = 0
    placed: bool = False


def by_tiles(stages: Sequence[Stage], inputs: Sequence[Tensor], values: float, multiple: int = 1) -> Tensor:
    """The tensor that `all_by_tiles` makes, where there is one; arguments as there.

    Example:
        >>> import torch
        >>> blur = torch.nn.Conv2d(1, 1, 3, padding=1)
        >>> picture = torch.rand(1, 1, 1000, 9000)
        >>> with torch.no_grad():
        ...     bool((by_tiles([Stage(blur, 1)] * 2, [picture], values=1) - blur(blur(picture))).abs().max() < 1e-6)
        True
    """
    (made,) = all_by_tiles(stages, inputs, values, multiple)
    return made


def all_by_tiles(
    stages: Sequence[Stage], inputs: Sequence[Tensor], values: float, multiple: int = 1
) -> tuple[Tensor, ...]:
    """What functions make of tensors one after the other, tile by tile where the picture is large.

    Where convolution kernels are chosen by size the result differs from that of the whole by rounding.

    Args:
        stages: one after the other.
        inputs: [B, C, h, w] of one height and width.
        values: float32, of the widest tensor on the way, for each position of the inputs.
        multiple: positions of which tiles begin at multiples.

    Returns:
        What the stages keep, and then all that the last one makes.

    Example:
        >>> import torch
        >>> largest, picture = torch.nn.MaxPool2d(3, 1, padding=1), torch.rand(1, 1, 1000, 9000)
        >>> high, low = all_by_tiles([Stage(lambda x: (largest(x), -largest(-x)), 1)], [picture], values=1)
        >>> torch.equal(high, largest(picture)), torch.equal(low, -largest(-picture))
        (True, True)
    """
    size, ahead = inputs[0].shape[2:], [0]
    for stage in reversed(stages):
        ahead.insert(0, ahead[0] - (-stage.reach // multiple) * multiple)
    reaches = [
        stage.reach if stage.placed else before - after
        for stage, (before, after) in zip(stages, itertools.pairwise(ahead))
    ]
    cuts = best_cuts(size, max(ahead[0], 2 * max(reaches)), multiple, int(LARGEST / 4 / values))
    everything = [slice(0, length) for length in size]
    if cuts == (1, 1):
        kept = list[Tensor]()
        for stage in stages:
            inputs, more = _made_by(stage, inputs, stage.beside, everything)
            kept += more
        return *kept, *inputs
    given, told = Piece(tuple(inputs), everything), [Piece(tuple(stage.beside), everything) for stage in stages]
    seams, results = [Seam() for _ in stages], list[Piece | None]([None] * (len(stages) + 1))
    cores = itertools.product(*(_spans(length, count, multiple) for length, count in zip(size, cuts)))
    for number, core in enumerate(cores):
        if number % TOGETHER == 0:
            give_back_freed()  # or holes between what is kept add up, from tile to tile and from step to step
        made: Piece | None = given
        for place, (stage, reach) in enumerate(zip(stages, reaches)):
            arrived, new = (_moved(core, by, size) for by in ahead[place : place + 2])
            if is_empty(new):  # as tiles before went as far
                made = None
                continue
            seen = [slice(max(0, x.start - reach), min(length, x.stop + reach)) for x, length in zip(new, size)]
            if place == 0:
                looked = given.cut(seen).dense()
            else:
                again = [max(0, x.stop - reach) for x in new]
                looked = seams[place].joined(made, arrived, seen, again)
            beside = told[place].cut(seen).dense()
            made = None  # two stages' tensors are enough at a time
            passed, kept = _made_by(stage, looked.tensors, beside.tensors, seen)
            made = Piece(passed, seen)
            results[place] = _with(results[place], Piece(kept, seen).cut(new), everything)
            del looked, beside, passed, kept
        results[-1] = _with(results[-1], made.cut(core), everything)
    del made
    give_back_freed()  # the last tile's too, which takes as much as all that is kept
    return tuple(itertools.chain(*(result.tensors for result in results)))


def _made_by(
    stage: Stage, tensors: Sequence[Tensor], beside: Sequence[Tensor], seen: Part
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What a stage makes for the next one, and what is kept of it."""
    begin = {"begin": tuple(side.start for side in seen)} if stage.placed else {}
    made = stage.function(*tensors, *beside, **begin)
    made = (made,) if isinstance(made, Tensor) else made
    passed = len(made) - stage.keeps
    return made[:passed], made[passed:]


def _with(result: Piece | None, part: Piece, everything: Part) -> Piece:
    """A result of the whole picture, maybe its first part's, with one part more."""
    # With channels where the tiles have them: copies are quick then, and so is whatever comes next.
    result = result or part.room(everything)
    result.put(part)
    return result


def best_cuts(size: Sequence[int], rim: int, multiple: int, most: int) -> tuple[int, int]:
    """How many tiles down and across have at most so many positions each, and the fewest in all, rims included.

    Args:
        size: height and width.
        rim: positions that are looked at beyond a tile's height, and its width.
        multiple: positions of which tiles begin at multiples.
        most: of a tile; where even the smallest tried have more, those are taken.

    Example:
        >>> best_cuts((512, 768), rim=64, multiple=8, most=500_000), best_cuts((4000, 6000), 64, 8, 2_100_000)
        ((1, 1), (3, 5))
    """
    if size[0] * size[1] <= most:
        return 1, 1

    def sides(length: int, count: int) -> list[int]:
        return [min(length, part.stop - part.start + rim) for part in _spans(length, count, multiple)]

    high, wide = ([sides(length, count) for count in range(1, MOST_CUTS)] for length in size)
    tried = (
        (max(0, max(down) * max(across) - most), sum(down) * sum(across), (rows, columns))
        for (rows, down), (columns, across) in itertools.product(enumerate(high, 1), enumerate(wide, 1))
    )
    return min(tried)[-1]


def _spans(length: int, count: int, multiple: int) -> list[slice]:
    """About equal parts of a side, without empty ones."""
    edges = sorted({length * i // count // multiple * multiple for i in range(count)} | {length})
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]


def _moved(core: Part, by: int, size: Sequence[int]) -> Part:
    """What is new of a tile in a stage that is so many positions ahead, down and to the right."""
    return [
        slice(min(length, x.start + by) if x.start else 0, min(length, x.stop + by)) for x, length in zip(core, size)
    ]
