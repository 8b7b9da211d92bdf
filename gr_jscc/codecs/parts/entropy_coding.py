"""Integers as bytes and back, the same on every machine.

An entropy decoder is lost as soon as one of its probabilities differs by one unit from the encoder's, and floating
point differs between processors, numbers of threads and versions (CompressAI #279, #309). So everything that decides
a probability here is an integer, or decimal arithmetic in software; the coder is constriction's range coder.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import constriction
import numpy as np

PRECISION = 16  # bits of a table's frequencies: they add up to 2^16
DIGITS = 40  # of the decimal arithmetic that makes tables
_WORD = 4  # bytes that the range coder works in


class CodingError(ValueError):
    """Bytes that no encoder made.

    Example:
        >>> from gr_jscc.codecs.parts.side_info_check import unprotect
        >>> unprotect(b"damaged", height=32, width=32, at_least=2)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.parts.entropy_coding.CodingError: side information is damaged
    """


# In place of a model: an alphabet of one symbol, which takes no bits. constriction has no model for it.
_CERTAIN = object()


def _model(frequencies: np.ndarray) -> object:
    if len(frequencies) == 1:
        return _CERTAIN
    # Powers of two divide exactly, so the quotients are the integers still.
    return constriction.stream.model.Categorical((frequencies / 2.0**PRECISION).astype(np.float32), perfect=False)


def table(frequencies: np.ndarray) -> object:
    """The range coder's model of an alphabet.

    Args:
        frequencies: int64[symbols], at least 1 each, with a sum of 2^`PRECISION`.
    """
    if frequencies.min() < 1 or frequencies.sum() != 1 << PRECISION:
        raise ValueError("frequencies must be at least 1 and add up to 2^16")
    return _model(frequencies)


def scaled(counts: np.ndarray) -> np.ndarray:
    """Frequencies for `table` in proportion to counts int64[symbols] of at least 0."""
    room = (1 << PRECISION) - len(counts)
    frequencies = 1 + counts.astype(np.int64) * room // int(counts.sum())
    frequencies[int(np.argmax(counts))] += (1 << PRECISION) - int(frequencies.sum())
    return frequencies


def mixture_frequencies(mean: np.ndarray, log_scale: np.ndarray, log_weight: np.ndarray, largest: int) -> np.ndarray:
    """Frequencies int64[2·largest + 1] of the integers from −largest to largest under a mixture of logistics.

    Args:
        mean, log_scale, log_weight: float32[components]; weights are the softmax of ``log_weight``.
        largest: what lies beyond counts as it.
    """
    with localcontext() as context:
        context.prec = DIGITS
        means, scales, weights = ([Decimal(float(x)) for x in row] for row in (mean, log_scale, log_weight))
        shares = [weight.exp() for weight in weights]
        rates = [min(-scale, Decimal(4)).exp() for scale in scales]

        def below(edge: Decimal) -> Decimal:
            parts = (share / (1 + (-(edge - m) * rate).exp()) for share, m, rate in zip(shares, means, rates))
            return sum(parts) / sum(shares)

        edges = [below(Decimal(2 * k + 1) / 2) for k in range(-largest, largest)]
        cumulative = [Decimal(0), *edges, Decimal(1)]
        counts = [int((b - a) * (1 << 40)) for a, b in zip(cumulative, cumulative[1:])]
    # Down to 30 bits, so that `scaled` stays within 64.
    return scaled(np.array([max(0, count >> 10) for count in counts], np.int64))


class Encoder:
    """Takes symbols one after the other; `bytes` ends the stream.

    Example:
        >>> encoder = Encoder()
        >>> encoder.encode(np.tile(np.array([0, 0, 0, 1], np.int32), 64), table(np.array([3 << 14, 1 << 14])))
        >>> len(encoder.bytes())  # of 256 symbols at 0.81 bit
        28
    """

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: np.ndarray | int, model: object) -> None:
        """One symbol, or int32[n] of one model."""
        if model is not _CERTAIN:
            self._coder.encode(symbols, model)

    def bytes(self) -> bytes:
        """All of it, without zeros at the end: `Decoder` fills them in."""
        return self._coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")


class Decoder:
    """Gives back what an `Encoder` took, in the same order with the same models.

    Raises:
        CodingError: from `decode`, when the bytes cannot be an encoder's. Others may decode to anything: protect them.

    Example:
        >>> encoder, coin = Encoder(), table(np.array([1 << 15, 1 << 15]))
        >>> encoder.encode(np.array([1, 0, 1], np.int32), coin)
        >>> Decoder(encoder.bytes()).decode(coin, count=3)
        array([1, 0, 1], dtype=int32)
    """

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(-len(data) % _WORD)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    def decode(self, model: object, count: int | None = None) -> np.ndarray | int:
        """One symbol, or int32[count]."""
        if model is _CERTAIN:
            return 0 if count is None else np.zeros(count, np.int32)
        try:
            return self._coder.decode(model) if count is None else self._coder.decode(model, count)
        except (AssertionError, ValueError) as error:
            raise CodingError(str(error)) from error
