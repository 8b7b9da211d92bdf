"""The best picture within a number of bytes."""

from __future__ import annotations

import collections
import hashlib
import itertools
import threading
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from gr_jscc.codecs.separation.picture_codecs.base import PictureCodec

__all__ = ["Sizes", "finest", "fit", "fits"]

REMEMBERED_BYTES = 128_000_000


class Sizes(Protocol):
    """What `finest` asks of encodings.

    Example:
        >>> class Doubling:
        ...     def size(self, setting):
        ...         return 2**setting
        ...
        >>> finest([0, 1, 2, 3], Doubling(), room=5, guess=0, growth=0.7)
        2
    """

    def size(self, setting: Hashable) -> int:
        """Bytes at a setting, above 0."""


def fit(codec: PictureCodec, image: np.ndarray, room: int) -> bytes | None:
    """The picture uint8[H, W, 3] in at most ``room`` bytes, with the least squared error found.

    The finest setting of the codec's ladder that fits is looked for first, then what lies between it and the next;
    of those that fit, the one with the least error in RGB is taken. Pictures are remembered for a while, so that
    another rate, or the same again, costs less.

    Returns:
        None when even the coarsest setting takes more.
    """
    encodings = _encodings(codec, image)
    index = finest(codec.ladder, encodings, room, *_first_guess(codec, image, room))
    if index < 0:
        return None
    ladders = codec.between(index)  # together they cover the gap
    if not ladders:
        return encodings.data(codec.ladder[index])
    growth = codec.growth / sum(map(len, ladders))
    left = int(np.log(max(room, 1) / encodings.size(codec.ladder[index])) / growth)

    def finest_between(ladder: Sequence[Hashable], begin: int) -> list[Hashable]:
        found = finest(ladder, encodings, room, left - begin, growth)
        return [] if found < 0 else [ladder[found]]

    begins = np.cumsum([0, *map(len, ladders)]).tolist()
    with ThreadPoolExecutor(len(ladders)) as threads:  # encoders leave the interpreter to others
        between = list(threads.map(finest_between, ladders, begins))
    fitting = [codec.ladder[index], *itertools.chain.from_iterable(between)]
    if len(fitting) == 1:
        return encodings.data(fitting[0])
    return encodings.data(min(fitting, key=encodings.squared_error))


def fits(codec: PictureCodec, image: np.ndarray, room: int) -> bool:
    """Whether `fit` finds something for a picture uint8[H, W, 3]; one encoding, which it then need not make again."""
    return room > 0 and _encodings(codec, image).size(codec.ladder[0]) <= room


def _first_guess(codec: PictureCodec, image: np.ndarray, room: int) -> tuple[int, float]:
    index, bits_per_pixel = codec.typical
    typical_bytes = bits_per_pixel * image.shape[0] * image.shape[1] / 8
    steps = round(np.log(max(room, 1) / typical_bytes) / codec.growth)
    return min(max(index + steps, 0), len(codec.ladder) - 1), codec.growth


def finest(ladder: Sequence[Hashable], encodings: Sizes, room: int, guess: int, growth: float) -> int:
    """The last index of a ladder that fits; -1 when none does.

    Args:
        ladder: settings, from the fewest bytes to the most.
        encodings: how many bytes each takes.
        room: bytes.
        guess: index to try first.
        growth: by how much the logarithm of the bytes grows from one setting to the next.

    Bytes grow about exponentially along a ladder: the next index to try is where the line through what is known
    meets the room.
    """
    fits, too_large = -1, len(ladder)
    wanted = np.log(max(room, 1))
    known: dict[int, float] = {}
    while too_large - fits > 1:
        guess = min(max(guess, fits + 1), too_large - 1)
        known[guess] = np.log(encodings.size(ladder[guess]))
        if known[guess] <= wanted and encodings.size(ladder[guess]) <= room:
            fits = guess
        else:
            too_large = guess
        slope = growth
        if fits in known and too_large in known:
            slope = max((known[too_large] - known[fits]) / (too_large - fits), 1e-6)
        guess = guess + int(np.floor((wanted - known[guess]) / slope))
    return fits


class _Encodings:
    """One picture's encodings by their settings."""

    def __init__(self, codec: PictureCodec, image: np.ndarray) -> None:
        self._codec, self._image = codec, image
        self._data: dict[Hashable, bytes] = {}
        self._squared_error: dict[Hashable, float] = {}

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return self._image.nbytes + sum(map(len, list(self._data.values())))

    def data(self, setting: Hashable) -> bytes:
        if setting not in self._data:
            self._data[setting] = self._codec.encode(self._image, setting)
        return self._data[setting]

    def size(self, setting: Hashable) -> int:
        return len(self.data(setting))

    def squared_error(self, setting: Hashable) -> float:
        """Mean, in RGB."""
        if setting not in self._squared_error:
            decoded = self._codec.decode(self.data(setting), *self._image.shape[:2])
            difference = decoded.astype(np.int32) - self._image
            self._squared_error[setting] = float(np.mean(difference * difference))
        return self._squared_error[setting]


_lock = threading.Lock()
_remembered: collections.OrderedDict[tuple, _Encodings] = collections.OrderedDict()  # the latest last


def _encodings(codec: PictureCodec, image: np.ndarray) -> _Encodings:
    """What is known of a picture; forgets the oldest pictures when that is too much."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()
    key = (codec.name, image.shape, digest)
    with _lock:
        if key not in _remembered:
            _remembered[key] = _Encodings(codec, image.copy())
        _remembered.move_to_end(key)
        while len(_remembered) > 1 and sum(known.bytes for known in _remembered.values()) > REMEMBERED_BYTES:
            _remembered.popitem(last=False)
        return _remembered[key]
