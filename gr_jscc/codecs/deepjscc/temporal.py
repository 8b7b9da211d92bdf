"""DeepJSCC for frames: each is sent with the help of the one before, as receivers are believed to hold it.

Nothing comes back from receivers. The sender decodes its own frames as one would that is told of noise but met none;
what receivers hold differs from that by their noise, and by what they lost, for which the network was trained. So any
number of them may listen. Every so many frames one is sent as a picture of its own: who joined or lost something
is whole again from there.

The side information says how many frames ago that was, and where in the frame before the blocks of this one were.
"""

from __future__ import annotations

import copy
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import Payload, Receiver, Reception, Transmitter
from gr_jscc.codecs.deepjscc.codec import DeepJSCC, grid, latents_heard, places_of, sent_at, symbols_of
from gr_jscc.codecs.deepjscc.temporal_network import BELIEVED_NOISE_VAR, TemporalNetwork
from gr_jscc.codecs.parts.block_motion import field_size, motion, moved
from gr_jscc.codecs.parts.deepjscc_network import STRIDE
from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.parts.power_scale import scale_of
from gr_jscc.codecs.parts.temporal_blend import BLENDS, best_blend, blended
from gr_jscc.codecs.parts.vector_coding import decode_vectors, encode_vectors
from gr_jscc.codecs.trained import Heard, TrainedCodec, TrainedReceiver, heard

__all__ = ["DeepJSCCTemporal"]

HEAD = struct.Struct(">B")  # age: frames since the last that needed no other, 0 for such a one
TOLD = struct.Struct(">BBB")  # of the others: rate (latent channels / 2), power-scale code, blend; the vectors follow
MOST_AGE = 255
MORE = 2.0  # times as many symbols as the others, for a frame that needs no other: those that follow profit from it
WORTH = 40.0  # times the error of a picture of its own, that a reference may be off to be of use
PENALTY = 120.0  # of vectors that differ from their neighbours, see `motion`


@dataclass(frozen=True)
class _Held:
    """What one end holds of a stream: the last frame as decoded, float32[1, 3, ≥ H, ≥ W] in [0, 1], and its age."""

    picture: Tensor
    age: int


@dataclass(frozen=True)
class _Sender(_Held):
    """What the sender believes receivers to hold, and more.

    Attributes:
        error: mean squared error of the last frame that needed no other.
        saved: CBR that frames did not use so far, which one that needs no other may use.
    """

    error: float
    saved: float


class DeepJSCCTemporal(TrainedCodec):
    """The loaded model; see `gr_jscc.codecs.base.Codec`. Only of a stream do frames need one another.

    Example:
        >>> import numpy as np
        >>> sender = DeepJSCCTemporal().of_stream(refresh=10)
        >>> image, kinds = np.full((32, 48, 3), 90, np.uint8), []
        >>> for _ in range(2):
        ...     payload = sender.transmitter(1 / 12).start(image)
        ...     sender.sent(payload)
        ...     kinds.append(payload.side_info[0])
        >>> kinds  # the first is a picture of its own, the second one frame older
        [0, 1]
    """

    name = "deepjscc-temporal"
    default_weights = "deepjscc-temporal"
    side_info_mcs = 3
    side_info_copies = 2
    side_info_lasts = False
    most_behind = 4

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        self.still = DeepJSCC(device=device)
        self.refresh, self.is_even, self.is_stream = 1, True, False
        self._forget()

    def _forget(self) -> None:
        self.sender: _Sender | None = None
        self.held: _Held | None = None
        self.begun: dict[bytes, _Sender] = {}  # what would hold if a frame with such side information were sent

    @staticmethod
    def build(config: dict) -> TemporalNetwork:
        return TemporalNetwork(**config)

    @property
    def cbr_range(self) -> tuple[float, float]:
        return self.still.cbr_range

    def compute_in(self, precision: str) -> None:
        super().compute_in(precision)
        self.still.compute_in(precision)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.still.check_size(height, width, cbr)

    def of_stream(self, refresh: int, is_even: bool = False) -> DeepJSCCTemporal:
        stream = copy.copy(self)
        stream.refresh, stream.is_even, stream.is_stream = min(refresh, MOST_AGE), is_even, True
        stream._forget()
        return stream

    def sent(self, payload: Payload) -> None:
        self.sender = self.begun.get(payload.side_info)
        self.begun.clear()

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)


class _Transmitter(Transmitter):
    def __init__(self, codec: DeepJSCCTemporal, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr
        # Of a whole period: one frame with `MORE`, all others with this.
        self.usual = cbr if codec.is_even else max(cbr * codec.refresh / (codec.refresh - 1 + MORE), codec.cbr_range[0])

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec, before = self.codec, self.codec.sender
        rows, columns = grid(*image.shape[:2])
        pixels = to_pixels(image, rows * STRIDE, columns * STRIDE, codec.device)
        if before is None or before.picture.shape != pixels.shape or before.age + 1 >= codec.refresh:
            return self._still(image, pixels)
        vectors = motion(pixels, before.picture, PENALTY)
        reference = moved(before.picture, vectors)
        if float((reference - pixels).square().mean()) > WORTH * before.error:
            return self._still(image, pixels)
        return self._beside(image, pixels, reference, vectors)

    def _still(self, image: np.ndarray, pixels: Tensor) -> Payload:
        """The frame as a picture of its own."""
        codec, before = self.codec, self.codec.sender
        saved = before.saved if before else (MORE - 1) * self.usual
        cbr = self.cbr if codec.is_even else min(MORE * self.usual, self.cbr + max(saved, 0.0), codec.cbr_range[1])
        still = codec.still.transmitter(cbr).start(image)
        if codec.is_stream:
            expected = codec.still.receiver(*image.shape[:2]).pixels(self._expected(still)).float().clamp(0, 1)
            error = float((expected - pixels).square().mean())
            codec.begun[HEAD.pack(0) + still.side_info] = _Sender(expected, 0, error, saved + self.cbr - cbr)
        return Payload(still.symbols, HEAD.pack(0) + still.side_info)

    def _beside(self, image: np.ndarray, pixels: Tensor, reference: Tensor, vectors: np.ndarray) -> Payload:
        """The frame with the help of a reference."""
        codec, network, before = self.codec, self.codec.network, self.codec.sender
        height, width = image.shape[:2]
        rows, columns = grid(height, width)
        rate, count = codec.still.rate_for(height, width, self.usual)
        places = torch.from_numpy(places_of(count, rows * columns)).to(codec.device)
        age = before.age + 1
        with codec.autocast():
            told = torch.tensor([rate], device=codec.device), torch.tensor([age], device=codec.device)
            latents = network.encode_beside(pixels, reference, *told)
        symbols, code = symbols_of(latents, sent_at(places, (network.latents // 2, rows, columns)), places)
        receiver = _Receiver(codec, height, width)
        expected = receiver.decoded(self._expected(Payload(symbols)), rate, code, reference, age)
        blend = best_blend(expected, reference, pixels)
        encoder = Encoder()
        encode_vectors(vectors, encoder)
        side_info = HEAD.pack(age) + TOLD.pack(rate // 2, code, blend) + encoder.bytes()
        saved = min(before.saved + self.cbr - self.usual, (MORE - 1) * self.usual)
        codec.begun[side_info] = _Sender(blended(expected, reference, blend), age, before.error, saved)
        return Payload(symbols, side_info)

    def _expected(self, payload: Payload) -> Heard:
        """As it arrives where no noise is met, and the usual told."""
        noise_var = np.full(len(payload.symbols), BELIEVED_NOISE_VAR, np.float32)
        return heard(Reception(payload.symbols, noise_var, payload.side_info), self.codec.device)


class _Receiver(TrainedReceiver):
    """Of one frame, which it leaves in what its end holds."""

    codec: DeepJSCCTemporal

    def pixels(self, heard: Heard) -> Tensor | None:
        if not heard.side_info:
            return None
        (age,), told = HEAD.unpack(heard.side_info[: HEAD.size]), heard.side_info[HEAD.size :]
        if age:
            picture = self._beside(heard, age, told)
        else:
            still = self.codec.still.receiver(self.height, self.width)
            picture = still.pixels(Heard(heard.symbols, heard.noise_var, told))
        if picture is not None and self.codec.is_stream:
            self.codec.held = _Held(picture.float().clamp(0, 1), age)
        return picture

    def _beside(self, heard: Heard, age: int, told: bytes) -> Tensor | None:
        """A frame that needs the one before; None for who has none, or where nothing is usable."""
        before, positions, count = self.codec.held, math.prod(grid(self.height, self.width)), len(heard.symbols)
        if before is None or before.picture.shape[2:] != self._padded or len(told) < TOLD.size or heard.is_lost:
            return None
        pairs, code, blend = TOLD.unpack(told[: TOLD.size])
        if blend >= len(BLENDS) or not 0 < 2 * pairs <= self.codec.network.latents:
            return None
        if not (pairs - 1) * positions < count <= pairs * positions:
            return None
        try:
            vectors = decode_vectors(*field_size(*self._padded), Decoder(told[TOLD.size :]))
        except CodingError:
            return None
        reference = moved(before.picture, vectors)
        return blended(self.decoded(heard, 2 * pairs, code, reference, age), reference, blend)

    @property
    def _padded(self) -> tuple[int, int]:
        rows, columns = grid(self.height, self.width)
        return rows * STRIDE, columns * STRIDE

    def decoded(self, heard: Heard, rate: int, code: int, reference: Tensor, age: int) -> Tensor:
        """What the network makes of a frame beside a reference: float32[1, 3, ≥ H, ≥ W] in [0, 1]."""
        network, device = self.codec.network, self.codec.device
        rows, columns = grid(self.height, self.width)
        places = torch.from_numpy(places_of(len(heard.symbols), rows * columns)).to(device)
        scale = scale_of(torch.tensor([code], device=device))
        rates, ages = torch.tensor([rate], device=device), torch.tensor([age], device=device)
        with self.codec.autocast():
            arrived = latents_heard(heard, places, (network.latents // 2, rows, columns), scale)
            return network.decode_beside(*arrived, rates, scale, reference, ages).float().clamp(0, 1)
