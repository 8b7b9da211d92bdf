"""What the three codecs of successive refinement share: a layer as a payload, and a reception as a layer.

Every layer is one round. Its side information is two bytes: which layer it is, so that a receiver can use it
whatever became of the others, and its power scale.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gr_jscc.codecs.base import Payload, Reception, Transmitter, channel_uses
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.parts.power_scale import quantise_scale, scale_of
from gr_jscc.codecs.successive.network import LOST
from gr_jscc.codecs.trained import Heard, LayeredReceiver, TrainedCodec
from gr_jscc.weights.loading import require, require_bools

SIDE_INFO = struct.Struct(">BB")  # layer, from 0, and `AWARE`; power-scale code
AWARE = 0x80  # the transmitter knew what the layers before had come to
MOST_LAYERS = 64


@dataclass(frozen=True)
class Grid:
    """Where a network's latents of one picture lie.

    Attributes:
        height, width: of the picture, pixels.
        padded: its sides as the network sees them.
        rows, columns: latent positions.
        symbols: complex symbols of one layer.

    Example:
        >>> from gr_jscc.codecs.successive.network import MultipleNetwork
        >>> grid_of(MultipleNetwork(layers=2, latents=8, kind="cnn"), height=30, width=48)
        Grid(height=30, width=48, padded=(32, 48), rows=8, columns=12, symbols=384)
    """

    height: int
    width: int
    padded: tuple[int, int]
    rows: int
    columns: int
    symbols: int


def grid_of(network: nn.Module, height: int, width: int) -> Grid:
    """The `Grid` of a picture for one of the networks of successive refinement."""
    tall, wide = (-(-side // network.multiple) * network.multiple for side in (height, width))
    rows, columns = tall // network.stride, wide // network.stride
    return Grid(height, width, (tall, wide), rows, columns, network.per_layer // 2 * rows * columns)


def layer_payload(network: nn.Module, layer: int, latents: Tensor, aware: bool = False) -> Payload:
    """Latents float32[1, N, h, w] of one layer, ready for the link."""
    symbols, scale = network.modulate(latents)
    code = int(quantise_scale(scale)[0])
    return Payload(symbols[0].reshape(-1).cpu().numpy(), SIDE_INFO.pack(layer | AWARE * aware, code))


@dataclass(frozen=True)
class ArrivedLayer:
    """One layer as a receiver has it.

    Attributes:
        layer: which, from 0.
        aware: whether its transmitter knew what the layers before had come to.
        latents, noise_var: float32[1, N, h, w], see `LayeredNetwork.demodulate`.

    Example:
        >>> from gr_jscc.codecs.successive.network import MultipleNetwork
        >>> network = MultipleNetwork(layers=2, latents=8, kind="cnn")
        >>> heard = Heard(torch.ones(32, dtype=torch.complex64), torch.ones(32), side_info=SIDE_INFO.pack(1, 128))
        >>> arrived = arrived_layer(network, grid_of(network, 8, 16), heard)
        >>> arrived.layer, arrived.aware, arrived.latents.shape
        (1, False, torch.Size([1, 8, 2, 4]))
    """

    layer: int
    aware: bool
    latents: Tensor
    noise_var: Tensor


def arrived_layer(network: nn.Module, grid: Grid, heard: Heard) -> ArrivedLayer | None:
    """What a round brings; None when its side information is lost or wrong, or every symbol was lost."""
    if heard.side_info is None or len(heard.side_info) != SIDE_INFO.size:
        return None
    number, code = SIDE_INFO.unpack(heard.side_info)
    layer, aware = number & ~AWARE, bool(number & AWARE)
    if layer >= network.layers or len(heard.symbols) != grid.symbols:
        return None
    if heard.is_lost:
        return None
    shape = (1, network.per_layer // 2, grid.rows, grid.columns)
    received, variance = (values.reshape(shape) for values in (heard.symbols, heard.noise_var))
    scale = scale_of(torch.tensor([code], device=heard.symbols.device))
    return ArrivedLayer(layer, aware, *network.demodulate(layer, received, variance, scale))


def checked(network: nn.Module) -> nn.Module:
    """A network as built by a configuration, of which shapes of tensors do not tell all.

    Raises:
        ConfigError: no such network can send.
    """
    config = network.config
    require(0 < network.layers <= MOST_LAYERS, f"there must be 1 to {MOST_LAYERS} layers")
    require(network.per_layer > 0 and network.per_layer % 2 == 0, "latents must be even and above 0")
    require_bools(config, *({"noise_aware", "fading"} & config.keys()))
    require(isinstance(config.get("design_snr_db", 0.0), int | float), "design_snr_db must be a number")
    return network


class SuccessiveCodec(TrainedCodec):
    """A loaded model of one of the three schemes; see `gr_jscc.codecs.base.Codec`.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("successive-single", "successive-single-2")
        >>> codec.layers_that_fit(grid_of(codec.network, 32, 48), cbr=1 / 6)
        2
        >>> codec.check_size(1, 1, cbr=1 / 6)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: a 1x1 picture is too small to be sent by successive-single at CBR 0.1667
    """

    @property
    def cbr_range(self) -> tuple[float, float]:
        one_layer = self.network.per_layer / 2 / (3 * self.network.stride**2)
        return one_layer, self.network.layers * one_layer

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.layers_that_fit(grid_of(self.network, height, width), cbr)

    def layers_that_fit(self, grid: Grid, cbr: float) -> int:
        """How many layers of a picture stay within cbr·3·H·W symbols.

        Raises:
            CodecError: none; the picture is so small that its padding breaks the CBR.
        """
        fit = channel_uses(cbr, grid.height, grid.width) // grid.symbols
        if fit < 1:
            raise self.too_small(grid.height, grid.width, cbr)
        return min(fit, self.network.layers)


class JointTransmitter(Transmitter):
    """Sends the layers of one encoder, one a round; for multiple decoders and for the single decoder.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> transmitter = JointTransmitter(load_codec("successive-multiple"), cbr=1 / 6)
        >>> first, second = transmitter.start(np.full((32, 48, 3), 90, np.uint8)), transmitter.next(None)
        >>> first.side_info[0], second.side_info[0], transmitter.next(None)
        (0, 1, None)
    """

    def __init__(self, codec: SuccessiveCodec, cbr: float) -> None:
        codec.check_cbr(cbr)
        self.codec, self.cbr = codec, cbr
        self._left: list[Payload] = []

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        network = self.codec.network
        grid = grid_of(network, *image.shape[:2])
        layers = self.codec.layers_that_fit(grid, self.cbr)
        pixels = to_pixels(image, *grid.padded, self.codec.device)
        with self.codec.autocast():
            latents = network.encode_all(pixels).split(network.per_layer, dim=1)
        self._left = [layer_payload(network, i, latents[i]) for i in range(layers)]
        return self._left.pop(0)

    def next(self, feedback: Reception | None) -> Payload | None:
        return self._left.pop(0) if self._left else None


class JointReceiver(LayeredReceiver):
    """The receiving half for `JointTransmitter`.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("successive-multiple")
        >>> sent = JointTransmitter(codec, cbr=1 / 6).start(np.full((32, 48, 3), 90, np.uint8))
        >>> noise_var = np.full(len(sent.symbols), 0.1, np.float32)
        >>> JointReceiver(codec, 32, 48).push(Reception(sent.symbols, noise_var, sent.side_info)).shape
        (32, 48, 3)
    """

    codec: SuccessiveCodec

    def __init__(self, codec: SuccessiveCodec, height: int, width: int) -> None:
        super().__init__(codec, height, width)
        self.grid = grid_of(codec.network, height, width)
        self._arrived: dict[int, ArrivedLayer] = {}

    def take(self, heard: Heard) -> None:
        layer = arrived_layer(self.codec.network, self.grid, heard)
        if layer is not None:
            self._arrived = self._arrived | {layer.layer: layer}

    def paint(self) -> Tensor | None:
        if not self._arrived:
            return None
        network, nothing = self.codec.network, self._nothing()
        # A layer behind a gap waits until the gap is filled, unless nothing else has come.
        unbroken = next(i for i in range(network.layers + 1) if i not in self._arrived)
        parts = [
            (self._arrived[i].latents, self._arrived[i].noise_var) if i in self._arrived else nothing
            for i in range(network.layers)
        ]
        latents, noise_var = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        with self.codec.autocast():
            return network.estimate(latents, noise_var, unbroken or max(self._arrived) + 1)

    def _nothing(self) -> tuple[Tensor, Tensor]:
        """A layer that never came, as `ArrivedLayer` would hold it."""
        shape = (1, self.codec.network.per_layer, self.grid.rows, self.grid.columns)
        return torch.zeros(shape, device=self.codec.device), torch.full(shape, LOST, device=self.codec.device)
