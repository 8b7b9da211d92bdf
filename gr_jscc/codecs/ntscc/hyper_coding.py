"""Rounded hyperlatents as entropy-coded bytes, by the integer tables of a model's factorised prior."""

from __future__ import annotations

import numpy as np

from gr_jscc.codecs.parts.entropy_coding import Decoder, Encoder, mixture_frequencies, table
from gr_jscc.nn.entropy_models import FactorisedPrior

LARGEST = 31  # hyperlatents are limited to ±31


class HyperCoder:
    """Codes int64[Z, h', w'] within ±`LARGEST`, channel after channel.

    Args:
        prior: of the hyperlatents.

    Example:
        >>> coder, encoder = HyperCoder(FactorisedPrior(1)), Encoder()
        >>> coder.encode(np.array([[[-2, 0]]]), encoder)
        >>> coder.decode(1, 2, Decoder(encoder.bytes()))
        array([[[-2,  0]]])
    """

    def __init__(self, prior: FactorisedPrior) -> None:
        rows = zip(*(p.detach().cpu().float().numpy() for p in (prior.mean, prior.log_scale, prior.log_weight)))
        self._tables = [table(mixture_frequencies(*row, LARGEST)) for row in rows]

    def encode(self, hyper: np.ndarray, encoder: Encoder) -> None:
        for channel, model in enumerate(self._tables):
            encoder.encode((hyper[channel].reshape(-1) + LARGEST).astype(np.int32), model)

    def decode(self, rows: int, columns: int, decoder: Decoder) -> np.ndarray:
        """Hyperlatents of so many rows and columns.

        Raises:
            CodingError: damaged.
        """
        channels = [decoder.decode(model, rows * columns).reshape(rows, columns) for model in self._tables]
        return np.stack(channels).astype(np.int64) - LARGEST
