"""Successive refinement by residuals: each layer sends what the receiver's estimate so far still lacks.

Kurka & Gündüz (2019), section IV. What the receiver made of the earlier layers the transmitter knows exactly
when they are fed back as they arrived: it decodes them with the receiver's own code. Without feedback it
takes the mean of what ``realisations`` simulated receptions would have given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import CodecError, Payload, Receiver, Reception, Transmitter
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.parts.power_scale import scale_of
from gr_jscc.codecs.successive.codec import (
    AWARE,
    SIDE_INFO,
    ArrivedLayer,
    Grid,
    SuccessiveCodec,
    arrived_layer,
    checked,
    grid_of,
    layer_payload,
)
from gr_jscc.codecs.successive.network import ResidualNetwork
from gr_jscc.codecs.trained import Heard, LayeredReceiver, heard
from gr_jscc.nn.noise import add_noise

__all__ = ["SuccessiveResidual"]

GREY = 128 / 255
SIMULATED_PIXELS = 2**20  # of simulated receptions decoded at once


class SuccessiveResidual(SuccessiveCodec):
    """See `gr_jscc.codecs.base.Codec`; every layer is one round.

    Args:
        realisations: receptions that a transmitter without feedback simulates, m of the paper.

    Example:
        >>> codec = SuccessiveResidual()
        >>> transmitter = codec.transmitter(1 / 6)
        >>> first = transmitter.start(np.full((32, 48, 3), 90, np.uint8))
        >>> lost = Reception(np.zeros_like(first.symbols), np.full(len(first.symbols), np.inf, np.float32), None)
        >>> SIDE_INFO.unpack(transmitter.next(lost).side_info)[0]  # the same layer again
        0
    """

    name = "successive-residual"
    default_weights = "successive-residual-2"
    uses_feedback = True

    def __init__(self, weights: str | Path | None = None, device: str = "cpu", realisations: int = 10) -> None:
        super().__init__(weights, device)
        if realisations < 1:
            raise CodecError(f"at least one reception must be simulated, not {realisations}")
        self.realisations = realisations

    @staticmethod
    def build(config: dict) -> ResidualNetwork:
        return checked(ResidualNetwork(**config))

    def transmitter(self, cbr: float) -> Transmitter:
        return _Transmitter(self, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)


def estimate_of(codec: SuccessiveResidual, grid: Grid, arrived: Iterable[ArrivedLayer]) -> Tensor:
    """The estimate float32[B, 3, ...] from layers in ascending order: one computation for receiver and transmitter.

    Without the first layer it starts from mid-grey.
    """
    estimate = None
    for layer in arrived:
        if layer.layer > 0 and estimate is None:
            estimate = torch.full((len(layer.latents), 3, *grid.padded), GREY, device=layer.latents.device)
        aware = torch.tensor([layer.aware], device=layer.latents.device)
        with codec.autocast():
            estimate = codec.network.decode(layer.layer, layer.latents, layer.noise_var, estimate, aware)
    return estimate


class _Receiver(LayeredReceiver):
    codec: SuccessiveResidual

    def __init__(self, codec: SuccessiveResidual, height: int, width: int) -> None:
        super().__init__(codec, height, width)
        self.grid = grid_of(codec.network, height, width)
        self._arrived: dict[int, ArrivedLayer] = {}

    def take(self, heard: Heard) -> None:
        arrived = arrived_layer(self.codec.network, self.grid, heard)
        if arrived is not None:
            self._arrived = self._arrived | {arrived.layer: arrived}

    def paint(self) -> Tensor | None:
        if not self._arrived:
            return None
        return estimate_of(self.codec, self.grid, (self._arrived[layer] for layer in sorted(self._arrived)))


class _Transmitter(Transmitter):
    """Sends layer after layer; one that feedback reports as lost is sent again before the next."""

    def __init__(self, codec: SuccessiveResidual, cbr: float) -> None:
        codec.check_cbr(cbr)
        self.codec, self.cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec = self.codec
        self._grid = grid_of(codec.network, *image.shape[:2])
        self._rounds_left = codec.layers_that_fit(self._grid, self.cbr)
        self._pixels = to_pixels(image, *self._grid.padded, codec.device)
        self._noise_var = 10 ** (-codec.network.design_snr_db / 10)
        self._generator = torch.Generator(codec.device).manual_seed(1)
        self._sent: dict[int, Payload] = {}  # newest last
        self._arrived: dict[int, ArrivedLayer] = {}  # what came back
        return self._send(0)

    @torch.inference_mode()
    def next(self, feedback: Reception | None) -> Payload | None:
        if feedback is not None:
            self._learn(feedback)
        missing = set(range(self.codec.network.layers)) - set(self._sent)
        return self._send(min(missing)) if missing and self._rounds_left else None

    def _send(self, layer: int) -> Payload:
        aware = layer > 0 and all(other in self._arrived for other in self._sent)
        before = self._estimate(layer) if layer > 0 else None
        with self.codec.autocast():
            latents = self.codec.network.encode(layer, self._pixels, before)
        self._sent[layer] = layer_payload(self.codec.network, layer, latents, aware)
        self._rounds_left -= 1
        return self._sent[layer]

    def _learn(self, feedback: Reception) -> None:
        """Takes note of what arrived, in whichever round the feedback tells; what did not is to be sent again."""
        arrived = arrived_layer(self.codec.network, self._grid, heard(feedback, self.codec.device))
        if arrived is None:
            newest = list(self._sent)[-1]
            del self._sent[newest]
            self._arrived.pop(newest, None)
        elif arrived.layer in self._sent:
            self._arrived[arrived.layer] = arrived
            self._noise_var = feedback.mean_noise_var

    def _estimate(self, layers: int) -> Tensor:
        """What the receiver has made of the first ``layers`` layers: exactly, or the mean of simulated receptions."""
        sent = [layer for layer in sorted(self._sent) if layer < layers]
        if all(layer in self._arrived for layer in sent):
            return estimate_of(self.codec, self._grid, (self._arrived[layer] for layer in sent))
        at_once = max(1, SIMULATED_PIXELS // (self._grid.padded[0] * self._grid.padded[1]))
        total, left = 0.0, self.codec.realisations
        while left:
            count = min(left, at_once)
            receptions = (self._simulated(layer, count) for layer in sent)
            total = total + estimate_of(self.codec, self._grid, receptions).sum(0, keepdim=True)
            left -= count
        return total / self.codec.realisations

    def _simulated(self, layer: int, count: int) -> ArrivedLayer:
        """A layer as it came back, ``count`` times the same, or so many receptions of it that might have been."""
        if layer in self._arrived:
            known = self._arrived[layer]
            return replace(known, **{x: getattr(known, x).expand(count, -1, -1, -1) for x in ("latents", "noise_var")})
        network, grid, payload = self.codec.network, self._grid, self._sent[layer]
        symbols = torch.from_numpy(payload.symbols).to(self.codec.device).reshape(1, -1, grid.rows, grid.columns)
        scale = scale_of(torch.tensor([SIDE_INFO.unpack(payload.side_info)[1]], device=self.codec.device))
        noise_var = torch.full((count, *symbols.shape[1:]), self._noise_var, device=self.codec.device)
        received = add_noise(symbols.expand(noise_var.shape), noise_var, self._generator)
        aware = bool(SIDE_INFO.unpack(payload.side_info)[0] & AWARE)
        return ArrivedLayer(layer, aware, *network.demodulate(layer, received, noise_var, scale.expand(count)))
