"""HEVC for frames: each is predicted from the one before, the first of a group needs no other.

Encoders keep no state here. A group is encoded again from its first frame for each that is added, with the quantisers
that those before were sent with: x265 then decides as before, and the last frame can be tried with one quantiser after
the other until it fits. That takes time; it is made to be compared with, not for live pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import av
import numpy as np

from gr_jscc.codecs.separation.picture_codecs import DamagedPictureError
from gr_jscc.codecs.separation.picture_codecs.hevc import (
    SLICE_HEADER,
    START_CODE,
    frame_of,
    padded_size,
    picture_of,
    sets_of,
    slice_of,
    x265,
)
from gr_jscc.codecs.separation.picture_codecs.rate_control import finest

__all__ = ["Group", "SliceDecoder", "parameter_sets"]

PREDICTED_HEADER = bytes([1 << 1, 1])  # of a slice that others may be predicted from
QUANTISERS = range(51, 7, -1)  # finer ones gain nothing to look at, and x265 breaks down at the finest
GROWTH = 0.115  # of the logarithm of bytes, from one quantiser to the next
FIRST_GUESS = 26


@dataclass(frozen=True)
class Group:
    """Frames as they were sent, from one that needs no other on.

    Attributes:
        height, width: of each.
        frames: uint8[H, W, 3] each.
        quantisers: of each.

    Example:
        >>> frames = np.full((2, 32, 48, 3), 90, np.uint8)
        >>> group, first = Group(32, 48).with_frame(frames[0], room=500)
        >>> group, second = group.with_frame(frames[1], room=500)
        >>> decoder = SliceDecoder(32, 48)
        >>> [int(decoder.push(data, first=place == 0).mean()) for place, data in enumerate((first, second))]
        [90, 90]
    """

    height: int
    width: int
    frames: tuple[np.ndarray, ...] = ()
    quantisers: tuple[int, ...] = ()

    def with_frame(self, image: np.ndarray, room: int) -> tuple[Group, bytes] | None:
        """The group and a frame uint8[H, W, 3] more, and that in at most ``room`` bytes; None where it takes more."""
        trials = _Trials(self, image)
        guess = QUANTISERS.index(self.quantisers[-1] if self.quantisers else FIRST_GUESS)
        found = finest(QUANTISERS, trials, room, guess, GROWTH) if room > 0 else -1
        if found < 0:
            return None
        return trials.group(QUANTISERS[found]), trials.data(QUANTISERS[found])

    def fits(self, image: np.ndarray, room: int) -> bool:
        """Whether `with_frame` finds something, by the coarsest encoding alone."""
        return room > 0 and _Trials(self, image).size(QUANTISERS[0]) <= room

    def last(self) -> bytes:
        """The last frame's slice, without start code and header."""
        encoder = _encoder(*padded_size(self.height, self.width), self.quantisers)
        packets = [packet for n, image in enumerate(self.frames) for packet in encoder.encode(frame_of(image, n))]
        packets += encoder.encode(None)
        return slice_of(bytes(packets[-1]), PREDICTED_HEADER if len(self.frames) > 1 else SLICE_HEADER)


@dataclass
class _Trials:
    """A frame after a group, by its quantiser."""

    before: Group
    image: np.ndarray
    known: dict[int, bytes] = field(default_factory=dict)

    def group(self, quantiser: int) -> Group:
        frames, quantisers = (*self.before.frames, self.image), (*self.before.quantisers, quantiser)
        return replace(self.before, frames=frames, quantisers=quantisers)

    def data(self, quantiser: int) -> bytes:
        if quantiser not in self.known:
            self.known[quantiser] = self.group(quantiser).last()
        return self.known[quantiser]

    def size(self, quantiser: int) -> int:
        return len(self.data(quantiser))


class SliceDecoder:
    """Frames of one group from their slices, in order.

    Args:
        height, width: of each.

    Example:
        >>> SliceDecoder(32, 48).push(b"no slice", first=True)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.separation.picture_codecs.base.DamagedPictureError: not a frame of HEVC of 48x32
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._decoder = av.CodecContext.create("hevc", "r")
        self._decoder.thread_count = 1

    def push(self, data: bytes, first: bool) -> np.ndarray:
        """The frame uint8[H, W, 3] of a slice.

        Args:
            data: without start code and header.
            first: whether it needs no other.

        Raises:
            DamagedPictureError: it is none, or not of this size.
        """
        size = padded_size(self.height, self.width)
        damaged = DamagedPictureError(f"not a frame of HEVC of {self.width}x{self.height}")
        # A slice holds no start code. Behind one there might be other parameter sets, of any size, or more pictures.
        if START_CODE[1:] in data:
            raise damaged
        head = parameter_sets(*size) + START_CODE + SLICE_HEADER if first else START_CODE + PREDICTED_HEADER
        try:
            frames = self._decoder.decode(av.Packet(head + data))
        except av.FFmpegError as error:
            raise damaged from error
        if len(frames) != 1 or (frames[0].height, frames[0].width) != size:
            raise damaged
        return picture_of(frames[0])[: self.height, : self.width]


def _encoder(height: int, width: int, quantisers: tuple[int, ...]) -> av.VideoCodecContext:
    """x265 that looks at no frame but those before, with a quantiser for each."""
    # Frames are counted from 1 in x265's zones.
    zones = "/".join(f"{number},{number},q={quantiser}" for number, quantiser in enumerate(quantisers, 1))
    own = {"qp": FIRST_GUESS, "keyint": -1, "bframes": 0, "rc-lookahead": 0, "scenecut": 0, "zones": zones}
    return x265(height, width, "slow", own)


@lru_cache(maxsize=64)
def parameter_sets(height: int, width: int) -> bytes:
    """VPS, SPS and PPS as x265 writes them for frames of a size; no quantiser changes them."""
    return sets_of(_encoder(height, width, (FIRST_GUESS,)))
