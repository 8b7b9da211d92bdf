"""A map of rate indexes as few bytes, by what its neighbours are: adaptive, and integer throughout.

Each index is coded by its difference from the mean of the neighbours to the left and above, which were coded before.
How often which difference came, is counted separately where the neighbours agree and where they do not; a picture
starts from counts that fall off by a factor of four or two with every step of the difference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.parts.entropy_coding import Decoder, Encoder, scaled, table

START = 6  # bits of the initial count of the likeliest difference
GAIN = 40  # added to the count of what came
CLASSES = ((0, 0), (1, 1), (2, 99))  # of how far the neighbours are apart
FALL = (2, 2, 1)  # bits by which a step of the difference lowers the initial counts, for each class


def encode_rate_map(index: np.ndarray, rates: int, encoder: Encoder) -> None:
    """Appends int64[h, w] of values from 0 to rates − 1."""

    def put(row: int, column: int, model: object) -> int:
        value = int(index[row, column])
        encoder.encode(value, model)
        return value

    _walk(*index.shape, rates, put)


def decode_rate_map(height: int, width: int, rates: int, decoder: Decoder) -> np.ndarray:
    """int64[height, width] as `encode_rate_map` was given it.

    Raises:
        CodingError: no such map was encoded.
    """
    return _walk(height, width, rates, lambda row, column, model: int(decoder.decode(model)))


def _walk(height: int, width: int, rates: int, exchange: Callable[[int, int, object], int]) -> np.ndarray:
    """Visits all places in order; ``exchange`` codes the one value there under a model and returns it."""
    values: list[list[int]] = []
    kinds = [next(i for i, (low, high) in enumerate(CLASSES) if low <= apart <= high) for apart in range(rates)]
    differences = np.abs(np.arange(-(rates - 1), rates))
    counts = [np.maximum(1, (1 << START) >> (differences * fall)) for fall in FALL]
    for row in range(height):
        models: dict[tuple[int, int], object] = {}  # making one takes time: each serves for a row
        values.append([])
        for column in range(width):
            left = values[row][column - 1] if column else values[row - 1][column] if row else rates // 4
            above = values[row - 1][column] if row else left
            kind, likely = kinds[abs(left - above)], (left + above) // 2
            # Of the differences, only those that lead to an index that exists.
            start = rates - 1 - likely
            if (kind, start) not in models:
                models[kind, start] = table(scaled(counts[kind][start : start + rates]))
            value = exchange(row, column, models[kind, start])
            values[row].append(value)
            counts[kind][start + value] += GAIN
    return np.array(values, np.int64).reshape(height, width)
