"""A field of motion vectors as few bytes, by what its neighbours are: adaptive, and integer throughout.

Each vector is predicted by the median of those to the left, above, and above to the right, which were coded before.
Whether it is the prediction is one symbol, counted by how many of the three are; what it differs by is another for each
of its parts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.parts.entropy_coding import Decoder, Encoder, scaled, table

REACH = 62  # most of either part of a vector
NEAR = 12  # differences beyond are coded as such, and the part itself after it
GAIN = 24  # added to the count of what came
SAME = ((96, 32), (64, 64), (48, 80), (12, 116))  # initial counts of another vector and of the prediction, by agreement

Exchange = Callable[[int, object], int]


def encode_vectors(vectors: np.ndarray, encoder: Encoder) -> None:
    """Appends int[rows, columns, 2] of values from −`REACH` to `REACH`.

    Example:
        >>> encoder = Encoder()
        >>> encode_vectors(np.full((15, 20, 2), 3), encoder)
        >>> len(encoder.bytes())
        4
    """

    def exchange(value: int, model: object) -> int:
        encoder.encode(value, model)
        return value

    _walk(*vectors.shape[:2], lambda row, column: vectors[row, column].tolist(), exchange)


def decode_vectors(rows: int, columns: int, decoder: Decoder) -> np.ndarray:
    """int32[rows, columns, 2] as `encode_vectors` was given it.

    Raises:
        CodingError: no such field was encoded.
    """
    return _walk(rows, columns, lambda row, column: [0, 0], lambda value, model: int(decoder.decode(model)))


def _walk(rows: int, columns: int, wanted: Callable[[int, int], list[int]], exchange: Exchange) -> np.ndarray:
    """Visits all places in order; ``exchange`` codes a symbol under a model and returns it, or the one decoded."""
    vectors = np.zeros((rows, columns, 2), np.int32)
    same = np.array(SAME, np.int64)
    steps = np.abs(np.arange(-NEAR, NEAR + 1))
    apart = np.tile(np.append(np.maximum(1, 64 >> (steps // 2)), 4).astype(np.int64), (2, 1))  # the last is an escape
    plain = table(scaled(np.ones(2 * REACH + 1, np.int64)))
    for row in range(rows):
        of_same, of_parts = _Tables(same), _Tables(apart)  # slow to make: once a row, and only those that are used
        for column in range(columns):
            guess, agreeing = _prediction(vectors, row, column)
            vector = wanted(row, column)
            is_same = exchange(int(vector == guess), of_same[agreeing])
            same[agreeing, is_same] += GAIN
            if is_same:
                vectors[row, column] = guess
                continue
            for part in range(2):
                difference = vector[part] - guess[part]
                symbol = exchange(difference + NEAR if abs(difference) <= NEAR else 2 * NEAR + 1, of_parts[part])
                apart[part, symbol] += GAIN
                if symbol <= 2 * NEAR:
                    vectors[row, column, part] = np.clip(guess[part] + symbol - NEAR, -REACH, REACH)
                else:
                    vectors[row, column, part] = exchange(vector[part] + REACH, plain) - REACH
    return vectors


class _Tables(dict):
    """Of counts int64[contexts, symbols] as they are now, by context."""

    def __init__(self, counts: np.ndarray) -> None:
        super().__init__()
        self._counts = counts.copy()

    def __missing__(self, context: int) -> object:
        self[context] = table(scaled(self._counts[context]))
        return self[context]


def _prediction(vectors: np.ndarray, row: int, column: int) -> tuple[list[int], int]:
    """The median of the neighbours, part by part, and how many of them are it."""
    if not row:
        return (vectors[0, column - 1].tolist(), 3) if column else ([0, 0], 2)
    above, right = vectors[row - 1, column].tolist(), vectors[row - 1, min(column + 1, vectors.shape[1] - 1)].tolist()
    left = vectors[row, column - 1].tolist() if column else above
    guess = [sorted(parts)[1] for parts in zip(left, above, right)]
    return guess, sum(near == guess for near in (left, above, right))
