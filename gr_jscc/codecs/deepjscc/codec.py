"""DeepJSCC for photos of any size: one round, one model for SNR 0–20 dB and any CBR up to 1/6.

Bourtsoulatze, Kurka & Gündüz (2019); the network is in `deepjscc_network`. Unlike published code the
receiver is handed nothing: the power scale and the rate cross the link as two bytes of side information.
"""

from __future__ import annotations

import struct

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import Payload, Receiver, Transmitter, channel_uses
from gr_jscc.codecs.parts.deepjscc_network import STRIDE, VALUES, DeepJSCCNetwork, from_symbols, to_symbols
from gr_jscc.codecs.parts.pixels import padded
from gr_jscc.codecs.parts.power_scale import quantise_scale, scale_of
from gr_jscc.codecs.trained import Heard, TrainedCodec, TrainedReceiver
from gr_jscc.weights.loading import require

__all__ = ["DeepJSCC"]

SIDE_INFO = struct.Struct(">BB")  # rate (latent channels / 2), power-scale code
NEAR = 2  # codes by which another picture's power scale may differ, 0.19 dB each
SMALLEST_RATE = 8  # latent channels: CBR 1/48


class DeepJSCC(TrainedCodec):
    """The loaded model; see `gr_jscc.codecs.base.Codec`.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.codecs.base import Reception
        >>> codec = DeepJSCC()
        >>> image = np.full((32, 48, 3), 90, np.uint8)
        >>> payload = codec.transmitter(1 / 12).start(image)
        >>> noise_var = np.full(len(payload.symbols), 0.01, np.float32)
        >>> codec.receiver(32, 48).push(Reception(payload.symbols, noise_var, payload.side_info)).shape
        (32, 48, 3)
    """

    name = "deepjscc"
    default_weights = "deepjscc-photo"

    @staticmethod
    def build(config: dict) -> DeepJSCCNetwork:
        network = DeepJSCCNetwork(**config)
        require(network.latents % 2 == 0 and network.latents >= SMALLEST_RATE, "latents must be even and at least 8")
        return network

    @property
    def cbr_range(self) -> tuple[float, float]:
        return SMALLEST_RATE / (2 * VALUES), self.network.latents / (2 * VALUES)

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def restated(self, payload: Payload, side_info: bytes) -> Payload | None:
        (rate, code), (other_rate, other_code) = SIDE_INFO.unpack(payload.side_info), SIDE_INFO.unpack(side_info)
        if rate != other_rate or abs(code - other_code) > NEAR:
            return None
        # Symbols times scale are what the receiver decodes: their power then differs from 1 by as much as the scales.
        scales = scale_of(torch.tensor([code, other_code]))
        return Payload(payload.symbols * np.float32(scales[0] / scales[1]), side_info)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.rate_for(height, width, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)

    def rate_for(self, height: int, width: int, cbr: float) -> tuple[int, int]:
        """Most latent channels of a picture and the symbols of theirs, see `largest_rate`.

        Raises:
            CodecError: the picture is so small that its padding alone breaks the CBR.
        """
        rate, symbols = largest_rate(height, width, cbr, self.network.latents)
        if rate < SMALLEST_RATE:
            raise self.too_small(height, width, cbr)
        return rate, symbols


def grid(height: int, width: int) -> tuple[int, int]:
    """Latent positions down and across for a picture's size."""
    return -(-height // STRIDE), -(-width // STRIDE)


def largest_rate(height: int, width: int, cbr: float, latents: int) -> tuple[int, int]:
    """Most latent channels (an even number), and the complex symbols of theirs that stay within cbr·3·H·W.

    The last two channels may be sent at a part of the positions: without that up to a step of the rate would be left
    unused, a sixteenth at CBR 1/12, wherever a side is no multiple of `STRIDE` or the CBR no multiple of a step. Below
    half of the positions they are worth less than the rate before, and nothing of them is sent.
    """
    rows, columns = grid(height, width)
    positions = rows * columns
    symbols = min(channel_uses(cbr, height, width), latents // 2 * positions)
    if 2 * (symbols % positions) < positions:
        symbols -= symbols % positions
    return -(-symbols // positions) * 2, symbols


def places_of(symbols: int, positions: int) -> np.ndarray:
    """Where so many symbols lie among pairs of channels × positions: int64[symbols], the last pair's evenly spread."""
    whole = (symbols - 1) // positions * positions
    some = symbols - whole
    return np.concatenate([np.arange(whole), whole + np.arange(some) * positions // some])


class _Transmitter(Transmitter):
    def __init__(self, codec: DeepJSCC, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        height, width = image.shape[:2]
        network, device = self.codec.network, self.codec.device
        rate, count = self.codec.rate_for(height, width, self.cbr)
        rows, columns = grid(height, width)
        rates = torch.tensor([rate], device=device)
        places = torch.from_numpy(places_of(count, rows * columns)).to(device)
        is_sent = sent_at(places, (network.latents // 2, rows, columns))
        with self.codec.autocast():
            pixels = padded(image, rows * STRIDE, columns * STRIDE, device)
            latents = network.encode(pixels, rates, 2 * is_sent.sum(0, keepdim=True))
        symbols, code = symbols_of(latents, is_sent, places)
        return Payload(symbols, SIDE_INFO.pack(rate // 2, code))


def sent_at(places: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Whether a pair of latents is sent, uint8[pairs, h, w]."""
    is_sent = torch.zeros(shape, dtype=torch.uint8, device=places.device)
    is_sent.view(-1)[places] = 1
    return is_sent


def symbols_of(latents: Tensor, is_sent: Tensor, places: Tensor) -> tuple[np.ndarray, int]:
    """What is sent of latents float32[1, latents, h, w]: complex64[k] of power 1, and the code of the power scale."""
    latents = latents * is_sent.repeat_interleave(2, dim=0)
    symbols, scale = to_symbols(latents, torch.tensor([2 * len(places) / is_sent[0].numel()], device=places.device))
    return symbols[0].reshape(-1)[places].cpu().numpy(), int(quantise_scale(scale)[0])


class _Receiver(TrainedReceiver):
    codec: DeepJSCC

    def pixels(self, heard: Heard) -> Tensor | None:
        network, device = self.codec.network, self.codec.device
        rows, columns = grid(self.height, self.width)
        if heard.side_info is None or len(heard.side_info) != SIDE_INFO.size:
            return None
        pairs, code = SIDE_INFO.unpack(heard.side_info)
        positions, count = rows * columns, len(heard.symbols)
        if not 0 < 2 * pairs <= network.latents or not (pairs - 1) * positions < count <= pairs * positions:
            return None
        if heard.is_lost:
            return None
        places = torch.from_numpy(places_of(count, positions)).to(device)
        sent = 2 * sent_at(places, (network.latents // 2, rows, columns))
        scale, rates = scale_of(torch.tensor([code], device=device)), torch.tensor([2 * pairs], device=device)
        with self.codec.autocast():
            told = *latents_heard(heard, places, sent.shape, scale), rates, sent.sum(0, keepdim=True)
            known = network.listen(*told)
            del told  # as much as all that follows needs
            return network.paint(*known)


def latents_heard(heard: Heard, places: Tensor, shape: torch.Size, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Latents as they arrived, and the noise variance of each; what was not sent is as if it were lost."""
    received = torch.zeros(1, *shape, dtype=torch.complex64, device=scale.device)
    variance = torch.full(received.shape, torch.inf, device=scale.device)
    received.view(-1)[places] = heard.symbols
    variance.view(-1)[places] = heard.noise_var
    return from_symbols(received, variance, scale)
