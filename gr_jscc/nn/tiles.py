"""Large pictures tile by tile: memory that does not grow with the network's activations, and the same result.

What a network computes at a position depends on positions nearby and on a few numbers of the whole picture. With these
numbers given, a tile with a rim as wide as the network reaches gives the same as the whole; at the picture's edges
there is no rim, so that the network sees them as they are. Behind each stage the rim shrinks by what that reaches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import torch
from torch import Tensor

from gr_jscc.free_memory import give_back_freed

LARGEST = 31 << 20  # bytes of a tile's widest tensor
MOST_CUTS = 64  # of a side that are tried
TOGETHER = 4  # tiles between which nothing is given back: to take fresh pages for each costs up to a third of the time
MUCH = 192 << 20  # bytes of the result from which on it is given back behind each tile all the same

Stage: TypeAlias = tuple[Callable[..., Tensor | tuple[Tensor, ...]], int]


def by_tiles(stages: Sequence[Stage], inputs: Sequence[Tensor], values: float, multiple: int = 1) -> Tensor:
    """The tensor that `all_by_tiles` makes, where there is one; arguments as there.

    Example:
        >>> blur = torch.nn.Conv2d(1, 1, 3, padding=1)
        >>> picture = torch.rand(1, 1, 1000, 9000)
        >>> with torch.no_grad():
        ...     bool((by_tiles([(blur, 1), (blur, 1)], [picture], values=1) - blur(blur(picture))).abs().max() < 1e-6)
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
        stages: functions, each of all that the one before returned, tensors [B, D, ·, ·]; and on how many
            positions on every side each depends, counted in those of the inputs. A function's tensors may have other
            sides than the inputs, by a factor of their own.
        inputs: [B, C, h, w] of one height and width.
        values: float32, of the widest tensor on the way, for each position of the inputs.
        multiple: positions of which tiles begin at multiples.

    Example:
        >>> largest, picture = torch.nn.MaxPool2d(3, 1, padding=1), torch.rand(1, 1, 1000, 9000)
        >>> high, low = all_by_tiles([(lambda x: (largest(x), -largest(-x)), 1)], [picture], values=1)
        >>> torch.equal(high, largest(picture)), torch.equal(low, -largest(-picture))
        (True, True)
    """
    size, rims = inputs[0].shape[2:], [0]
    for _, reach in reversed(stages):
        rims.insert(0, -(-(rims[0] + reach) // multiple) * multiple)
    cuts = best_cuts(size, rims[0], multiple, int(LARGEST / 4 / values))
    if cuts == (1, 1):
        for function, _ in stages:
            inputs = _several(function(*inputs))
        return tuple(inputs)
    wholes: list[Tensor] = []
    all_of_it = [slice(0, length) for length in size]
    cores = itertools.product(*(_spans(length, count, multiple) for length, count in zip(size, cuts)))
    for number, core in enumerate(cores):
        if number % TOGETHER == 0 or sum(whole.nbytes for whole in wholes) >= MUCH:
            give_back_freed()  # or holes between what is kept add up, from tile to tile and from step to step
        seen = _around(core, rims[0], size)
        tensors = _cropped(inputs, all_of_it, seen)
        for (function, _), rim in zip(stages, rims[1:]):
            less = _around(core, rim, size)
            tensors = _cropped(_several(function(*tensors)), seen, less)
            seen = less
        for place, part in enumerate(tensors):
            factors = _factors(part, core)
            if len(wholes) == place:
                sides = (int(length * factor) for length, factor in zip(size, factors))
                wholes.append(part.new_empty((*part.shape[:2], *sides)))
            rows, columns = (slice(int(x.start * f), int(x.stop * f)) for x, f in zip(core, factors))
            wholes[place][:, :, rows, columns] = part
    del tensors, part
    give_back_freed()  # the last tile's too, which takes as much as all that is kept
    return tuple(wholes)


def best_cuts(size: Sequence[int], rim: int, multiple: int, most: int) -> tuple[int, int]:
    """How many tiles down and across have at most so many positions each, rims included, and the fewest in all.

    Args:
        size: height and width.
        rim: positions around a tile.
        multiple: positions of which tiles begin at multiples.
        most: of a tile; where even the smallest tried have more, those are taken.

    Example:
        >>> best_cuts((512, 768), rim=64, multiple=8, most=500_000), best_cuts((4000, 6000), 64, 8, 2_100_000)
        ((1, 1), (3, 5))
    """
    if size[0] * size[1] <= most:
        return 1, 1

    def sides(length: int, count: int) -> list[int]:
        parts = [_around([part], rim, [length])[0] for part in _spans(length, count, multiple)]
        return [part.stop - part.start for part in parts]

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


def _around(core: Sequence[slice], rim: int, size: Sequence[int]) -> list[slice]:
    """A tile with its rim, as far as there is a picture."""
    return [slice(max(0, x.start - rim), min(length, x.stop + rim)) for x, length in zip(core, size)]


def _cropped(tensors: Sequence[Tensor], seen: Sequence[slice], wanted: Sequence[slice]) -> tuple[Tensor, ...]:
    """Parts of tensors [B, C, ·, ·] of one part of the picture; in memory they lie as before, by which kernels go."""
    if list(seen) == list(wanted):
        return tuple(tensors)
    parts = []
    for tensor in tensors:
        rows, columns = (
            slice(int((inner.start - outer.start) * factor), int((inner.stop - outer.start) * factor))
            for inner, outer, factor in zip(wanted, seen, _factors(tensor, seen))
        )
        last = tensor.is_contiguous(memory_format=torch.channels_last)
        form = torch.channels_last if last else torch.contiguous_format
        parts.append(tensor[:, :, rows, columns].contiguous(memory_format=form))
    return tuple(parts)


def _factors(tensor: Tensor, seen: Sequence[slice]) -> list[Fraction]:
    """A tensor's rows and columns over those of the inputs that it is made of."""
    return [Fraction(length, part.stop - part.start) for length, part in zip(tensor.shape[2:], seen)]


def _several(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (made,) if isinstance(made, Tensor) else made
