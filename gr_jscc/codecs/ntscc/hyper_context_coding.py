"""Rounded hyperlatents as entropy-coded bytes, each by a logistic distribution that those before it tell.

Means and scales are worked out in double precision and then made coarse, so that they are the same at both ends unless
one lies within about 10⁻¹³ of the border between two codes; tables are integers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.hyper_coding import LARGEST
from gr_jscc.codecs.ntscc.hyper_context import SIZE, HyperContext, framed
from gr_jscc.codecs.parts.entropy_coding import Decoder, Encoder, mixture_frequencies, table

MEANS, SCALES = 8, 4  # codes per unit of a mean, and of a scale's natural logarithm


class HyperContextCoder:
    """Codes int64[Z, h', w'] within ±`LARGEST`.

    Positions whose neighbours are known are coded together: the one in row r and column c is in step c + 2·r.

    Args:
        context: of the model.

    Example:
        >>> coder, encoder = HyperContextCoder(HyperContext(channels=2, width=4, inner=4, groups=2)), Encoder()
        >>> coder.encode(np.array([[[-2, 0, 1]], [[0, 1, 0]]]), 0.5, encoder)
        >>> coder.decode(1, 3, 0.5, Decoder(encoder.bytes())).tolist()
        [[[-2, 0, 1]], [[0, 1, 0]]]
    """

    def __init__(self, context: HyperContext) -> None:
        self._context = copy.deepcopy(context).cpu().double().eval()

    def encode(self, hyper: np.ndarray, quality: float, encoder: Encoder) -> None:
        """Hyperlatents of a picture at a quality from 0 to 1."""
        given = torch.from_numpy(hyper)

        def code(channels: slice, rows: Tensor, columns: Tensor, means: np.ndarray, scales: np.ndarray) -> Tensor:
            values = given[channels, rows, columns].T
            for value, mean, scale in zip(values.flatten().tolist(), means.ravel(), scales.ravel()):
                encoder.encode(value - int(mean) // MEANS + 2 * LARGEST, _table(int(mean % MEANS), int(scale)))
            return values.double()

        self._walk(*hyper.shape[1:], quality, code)

    def decode(self, rows: int, columns: int, quality: float, decoder: Decoder) -> np.ndarray:
        """Hyperlatents of so many rows and columns.

        Raises:
            CodingError: damaged.
        """

        def code(channels: slice, rows: Tensor, columns: Tensor, means: np.ndarray, scales: np.ndarray) -> Tensor:
            pairs = zip(means.ravel(), scales.ravel())
            values = [decoder.decode(_table(int(mean % MEANS), int(scale))) + mean // MEANS for mean, scale in pairs]
            values = np.array(values, np.float64).reshape(means.shape) - 2 * LARGEST
            return torch.from_numpy(values.clip(-LARGEST, LARGEST))

        return self._walk(rows, columns, quality, code).long().numpy()

    @torch.no_grad()
    def _walk(self, height: int, width: int, quality: float, code: Callable) -> Tensor:
        """float64[Z, height, width] of what ``code`` gave for a group's channels at some positions."""
        context = self._context
        hyper = torch.zeros(context.channels, height, width, dtype=torch.float64)
        known = framed(hyper[None])[0]
        steps = torch.arange(width) + 2 * torch.arange(height)[:, None]
        for step in range(width + 2 * (height - 1)):
            rows, columns = torch.nonzero(steps == step, as_tuple=True)
            if not len(rows):
                continue
            around = context.neighbours_at(known, rows, columns)
            features = context.features(around, torch.full((len(rows), 1), quality, dtype=torch.float64))
            before = torch.zeros(len(rows), 0, dtype=torch.float64)
            for number in range(len(context.groups)):
                mean, log_scale = context.group(number, features, before)
                means = (mean.clamp(-LARGEST, LARGEST) * MEANS).round().long().numpy()
                scales = (log_scale * SCALES).round().long().numpy()
                values = code(context.channels_of(number), rows, columns, means, scales)
                before = torch.cat([before, values], 1)
            hyper[:, rows, columns] = before.T
            known[:-1, 1 + rows, 1 + columns] = SIZE * before.T
        return hyper


@cache
def _table(mean: int, scale: int) -> object:
    """The model of −2·`LARGEST` to 2·`LARGEST` for a mean, in `MEANS`-ths, and the code of a scale."""
    parts = (np.array([x], np.float32) for x in (mean / MEANS, scale / SCALES, 0.0))
    return table(mixture_frequencies(*parts, 2 * LARGEST))
