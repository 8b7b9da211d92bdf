"""The digital rival of learned codecs for frames: HEVC that predicts each from the one before, LDPC and QAM.

As `gr_jscc.codecs.separation.codec`, but for a stream. Every so many frames one needs no other; a receiver that lost
one shows nothing new before the next of these.

    age, frames since the last that needs no other | slice of HEVC | CRC-32
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.base import CodecError, Payload, Transmitter
from gr_jscc.codecs.separation.codec import Separation
from gr_jscc.codecs.separation.hevc_video import Group, SliceDecoder, parameter_sets
from gr_jscc.codecs.separation.picture_codecs import DamagedPictureError

MOST_AGE = 255
MORE = 4.0  # times as many symbols as the others, for a frame that needs no other


@dataclass
class _Held:
    """What a receiver holds of a stream: a decoder that has seen all frames up to one of an age."""

    decoder: SliceDecoder
    age: int


class SeparationVideo(Separation):
    """HEVC video and a channel code; see `gr_jscc.codecs.base.Codec`. Only of a stream do frames need one another.

    Args:
        weights, device: as `Separation`; the picture codec can only be ``hevc``.

    Raises:
        CodecError: ``weights`` is not understood, or names another picture codec.

    Example:
        >>> sender, images = SeparationVideo().of_stream(refresh=10), np.full((2, 48, 64, 3), 90, np.uint8)
        >>> receiver = SeparationVideo().of_stream(refresh=10)
        >>> from gr_jscc.codecs.base import Reception
        >>> for image in images:
        ...     payload = sender.transmitter(1 / 6).start(image)
        ...     sender.sent(payload)
        ...     noise_var = np.full(len(payload.symbols), 0.1, np.float32)
        ...     int(receiver.receiver(48, 64).push(Reception(payload.symbols, noise_var, None)).mean())
        90
        90
    """

    name = "separation-video"
    most_behind = 4

    def __init__(self, weights: str | None = None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        if self.pictures.name != "hevc":
            raise CodecError(f"{self.name} sends frames by hevc alone, not by {self.pictures.name}")
        self.refresh, self.is_even, self.is_stream = 1, True, False
        self._forget()

    def _forget(self) -> None:
        self.sender: Group | None = None
        self.held: _Held | None = None
        self.begun: dict[bytes, Group] = {}  # what would hold if a frame of such symbols were sent

    def of_stream(self, refresh: int, is_even: bool = False) -> SeparationVideo:
        stream = copy.copy(self)
        stream.refresh, stream.is_even, stream.is_stream = min(refresh, MOST_AGE), is_even, True
        stream._forget()
        return stream

    def sent(self, payload: Payload) -> None:
        self.sender = self.begun.get(payload.symbols.tobytes())
        self.begun.clear()

    def room(self, height: int, width: int, cbr: float) -> int:
        return super().room(height, width, cbr) - 1  # the age

    def usual(self, cbr: float) -> float:
        """The CBR of frames that need another, where the mean of a period is bounded."""
        return cbr if self.is_even else cbr * self.refresh / (self.refresh - 1 + MORE)

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        size = image.shape[:2]
        if not Group(*size).fits(image, self.room(*size, self.usual(cbr))):
            raise self._too_large(*size, cbr)

    @property
    def fingerprint(self) -> bytes:
        return parameter_sets(64, 64)

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def picture(self, data: bytes, height: int, width: int) -> np.ndarray:
        age, data = data[0], data[1:]
        held = self.held
        if age == 0:
            held = _Held(SliceDecoder(height, width), 0)
        elif held is None or held.age + 1 != age or (held.decoder.height, held.decoder.width) != (height, width):
            raise DamagedPictureError("a frame that needs one which did not arrive")
        self.held = None  # whatever stops the decoder, it has not seen all frames then
        image = held.decoder.push(data, first=age == 0)
        if self.is_stream:
            self.held = _Held(held.decoder, age)
        return image


class _Transmitter(Transmitter):
    def __init__(self, codec: SeparationVideo, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    def start(self, image: np.ndarray) -> Payload:
        codec, size, group, cbr = self.codec, image.shape[:2], self.codec.sender, self.codec.usual(self.cbr)
        if group is None or (group.height, group.width) != size or len(group.frames) >= codec.refresh:
            group = Group(*size)
            cbr = cbr if codec.is_even else min(MORE * cbr, 1.0)  # no receiver takes more
        age = len(group.frames)
        found = group.with_frame(image, codec.room(*size, cbr))
        if found is None and age:  # as after a cut: as a frame of its own it may fit
            codec.sender = None
            return self.start(image)
        if found is None:
            raise codec._too_large(*size, self.cbr)
        after, data = found
        payload = codec.packed(bytes([age]) + data)
        if codec.is_stream:
            codec.begun[payload.symbols.tobytes()] = after
        return payload
