"""The networks of successive refinement: multiple decoders, single decoder, residual.

Kurka & Gündüz (2019), "Successive refinement of images with deep joint source-channel coding": an image
is sent in L layers, each of which sharpens what the ones before it gave. Every layer's power is normalised
by itself, per image, because a transmitter sends it before it knows whether another will follow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.deepjscc_network import from_symbols, to_symbols
from gr_jscc.codecs.successive.halves import (
    BLOCK_VALUES,
    MULTIPLE,
    PARTS,
    STRIDE,
    NoiseAwareDecoder,
    build_encoder,
    start_decoder,
    start_encoder,
    start_offset,
)
from gr_jscc.nn.blind_equaliser import BlindEqualiser
from gr_jscc.nn.klt import KLT, fit_klt
from gr_jscc.nn.layered_linear import fit_layers

REALISATIONS = 4  # receptions simulated for an image whose transmitter is trained without feedback
LOST = 1e6  # noise variance, in the latents' units, of what never arrived


class LayeredNetwork(nn.Module):
    """What the three schemes share.

    Args:
        layers: L.
        latents: real values per layer and 4×4 block, an even number; a layer's CBR = latents / 96.
        kind: design of the halves, see `successive_halves`.
        noise_aware: whether decoders are told the noise variance.
        fading: whether the channel may turn and scale the symbols by a coefficient nobody measured; each
            layer is then turned back by a `BlindEqualiser`.
        encoder, decoder: further arguments of the two designs.

    Example:
        >>> network = LayeredNetwork(layers=2, latents=8)
        >>> symbols, scale = network.modulate(torch.ones(1, 8, 4, 6))
        >>> symbols.shape, float(symbols.abs().square().mean())
        (torch.Size([1, 4, 4, 6]), 1.0)
    """

    stride = STRIDE
    multiple = MULTIPLE

    def __init__(
        self,
        layers: int = 2,
        latents: int = 8,
        kind: str = "recursive",
        noise_aware: bool = True,
        fading: bool = False,
        encoder: dict | None = None,
        decoder: dict | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.per_layer, self.kind = layers, latents, kind
        self.noise_aware, self.fading = noise_aware, fading
        self.options = (encoder or {}, decoder or {})
        self.config = dict(
            layers=layers, latents=latents, kind=kind, noise_aware=noise_aware, fading=fading,
            encoder=self.options[0], decoder=self.options[1],
        )  # fmt: skip
        if fading:
            self.equalisers = nn.ModuleList(BlindEqualiser(latents // 2) for _ in range(layers))

    def _encoder(self, latents: int, seeing: bool = False) -> nn.Module:
        return build_encoder(self.kind, latents, self.options[0], seeing)

    def _decoder(self, latents: int, counts: int = 1, seeing: bool = False) -> NoiseAwareDecoder:
        return NoiseAwareDecoder(self.kind, latents, self.noise_aware, self.options[1], counts, seeing)

    def modulate(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """One layer's latents float32[B, latents, h, w] as symbols complex64[B, latents/2, h, w] of mean power 1.

        Also the power scale float32[B] as a receiver will know it; 1 for decoders that do not use it.
        """
        count = torch.full((len(latents),), latents.shape[1], device=latents.device)
        symbols, scale = to_symbols(latents.float(), count)
        return symbols, scale if self.noise_aware else torch.ones_like(scale)

    def demodulate(self, layer: int, received: Tensor, noise_var: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Undoes `modulate` for layer ``layer`` (from 0): latents and their noise variance; see `from_symbols`."""
        if self.fading:
            received, noise_var = self.equalisers[layer](received, noise_var)
        return from_symbols(received, noise_var, scale)


class MultipleNetwork(LayeredNetwork):
    """One encoder for all layers; decoder i is given layers 1 … i.

    Example:
        >>> network = MultipleNetwork(layers=2, latents=8, kind="cnn")
        >>> clear = lambda symbols: (symbols, torch.zeros(symbols.shape))
        >>> [tuple(estimate.shape) for estimate in network(torch.zeros(1, 3, 16, 24), clear)]
        [(1, 3, 16, 24), (1, 3, 16, 24)]
    """

    def __init__(self, **config) -> None:
        super().__init__(**config)
        self.encoders = nn.ModuleList([self._encoder(self.layers * self.per_layer)])
        self.decoders = nn.ModuleList(self._decoder((i + 1) * self.per_layer) for i in range(self.layers))

    def start_linear(self, images: Tensor, snr_db: float) -> None:
        """Makes a fresh network the best linear code of some images at one SNR; only the recursive design can be.

        Args:
            images: float32[B, 3, H, W].
            snr_db: Es/N0.
        """
        klt, matrix, noise_var = linear_layers(images, self.layers, self.per_layer, snr_db)
        start_encoder(self.encoders[0], klt, matrix)
        for decoder in self.decoders:
            start_decoder(decoder, klt, matrix, noise_var)
        if self.fading:
            for layer, equaliser in enumerate(self.equalisers):
                start_offset(self.encoders[0], self.decoders, (layer + 1) * self.per_layer - 2, equaliser.offset)

    def translated(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of another model as a start for this one: its last decoder is that of a network of one layer."""
        last = max((int(name.split(".")[1]) for name in tensors if name.startswith("decoders.")), default=0)
        if self.layers > 1 or last == 0:
            return tensors
        own = f"decoders.{last}."
        kept = {name: value for name, value in tensors.items() if not name.startswith("decoders.")}
        return kept | {f"decoders.0.{n.removeprefix(own)}": v for n, v in tensors.items() if n.startswith(own)}

    def encode_all(self, images: Tensor) -> Tensor:
        """Latents of all layers, float32[B, L·latents, H/4, W/4]."""
        return self.encoders[0](images)

    def estimate(self, latents: Tensor, noise_var: Tensor, layers: int) -> Tensor:
        """The picture from the first ``layers`` layers, float32[B, ≥ layers·latents, h, w] of which are given."""
        own = layers * self.per_layer
        return self.decoders[layers - 1](latents[:, :own], noise_var[:, :own])

    def forward(self, images: Tensor, channel) -> list[Tensor]:
        """The estimates after each layer, L of float32[B, 3, H, W].

        Args:
            images: float32[B, 3, H, W] in [0, 1].
            channel: maps complex64[B, S, h, w] of power 1 to (received, noise variance), see
                `gr_jscc.nn.noise`; called once for each layer.
        """
        latents, noise_var = sent_in_layers(self, self.encode_all(images), channel)
        return [self.estimate(latents, noise_var, i + 1) for i in range(self.layers)]


class SingleNetwork(LayeredNetwork):
    """One encoder and one decoder for any number of layers; what has not come is zero.

    Example:
        >>> network = SingleNetwork(layers=2, latents=8, kind="cnn")
        >>> len(network.decoders), len(MultipleNetwork(layers=2, latents=8, kind="cnn").decoders)
        (1, 2)
        >>> network.estimate(torch.zeros(1, 16, 4, 6), torch.ones(1, 16, 4, 6), layers=1).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(self, **config) -> None:
        super().__init__(**config)
        self.encoders = nn.ModuleList([self._encoder(self.layers * self.per_layer)])
        # Called what `MultipleNetwork` calls its last one, so that training can start from that.
        self._name = str(self.layers - 1)
        self.decoders = nn.ModuleDict({self._name: self._decoder(self.layers * self.per_layer, self.layers)})

    def start_linear(self, images: Tensor, snr_db: float) -> None:
        """See `MultipleNetwork.start_linear`."""
        klt, matrix, noise_var = linear_layers(images, self.layers, self.per_layer, snr_db)
        start_encoder(self.encoders[0], klt, matrix)
        start_decoder(self.decoders[self._name], klt, matrix, noise_var)

    def encode_all(self, images: Tensor) -> Tensor:
        """See `MultipleNetwork.encode_all`."""
        return self.encoders[0](images)

    def estimate(self, latents: Tensor, noise_var: Tensor, layers: Tensor | int) -> Tensor:
        """The picture from the first ``layers`` (one number, or int64[B]) layers of float32[B, L·latents, h, w]."""
        index = torch.arange(latents.shape[1], device=latents.device)[None]
        layers = torch.as_tensor(layers, device=latents.device).reshape(-1)
        missing = (index >= layers[:, None] * self.per_layer)[:, :, None, None]
        have, noise_var = latents.masked_fill(missing, 0), noise_var.masked_fill(missing, LOST)
        return self.decoders[self._name](have, noise_var, layers)

    def forward(self, images: Tensor, channel, layers: Tensor | None = None) -> list[Tensor]:
        """As `MultipleNetwork.forward`; with ``layers`` int64[B] only one estimate, from so many layers."""
        latents, noise_var = sent_in_layers(self, self.encode_all(images), channel)
        if layers is not None:
            return [self.estimate(latents, noise_var, layers)]
        return [self.estimate(latents, noise_var, i + 1) for i in range(self.layers)]


class ResidualNetwork(LayeredNetwork):
    """An encoder and a decoder for each layer; layer i sends what the estimates of the layers before it lack.

    In the recursive design, encoders and decoders of residuals are also given the estimate that a residual belongs
    to, and decoders are told whether the transmitter knew it: without feedback it cannot know that estimate's noise,
    can repeat what matters most of the picture instead, and a decoder can remove some of the noise.

    Args:
        design_snr_db: Es/N0 at which a transmitter without feedback imagines the receiver.
        config: see `LayeredNetwork`.

    Example:
        >>> network = ResidualNetwork(layers=2, latents=8, kind="cnn")
        >>> picture, estimate = torch.ones(1, 3, 16, 24), torch.zeros(1, 3, 16, 24)
        >>> network.encode(1, picture, estimate).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, design_snr_db: float = 13.0, **config) -> None:
        super().__init__(**config)
        self.design_snr_db = design_snr_db
        self.config["design_snr_db"] = design_snr_db
        self.seeing = self.kind == "recursive"
        self.encoders = nn.ModuleList(
            self._encoder(self.per_layer, seeing=self.seeing and layer > 0) for layer in range(self.layers)
        )
        self.decoders = nn.ModuleList(
            self._decoder(self.per_layer, seeing=self.seeing and layer > 0) for layer in range(self.layers)
        )

    def start_linear(self, layer: int, pictures: Tensor, snr_db: float) -> None:
        """As `MultipleNetwork.start_linear`, for layer ``layer`` (from 0) and its pictures or residuals."""
        klt, matrix, noise_var = linear_layers(pictures, 1, self.per_layer, snr_db)
        start_encoder(self.encoders[layer], klt, matrix)
        start_decoder(self.decoders[layer], klt, matrix, noise_var)

    def encode(self, layer: int, images: Tensor, estimate: Tensor | None) -> Tensor:
        """Latents of layer ``layer`` (from 0) for images, given the sum of the estimates before it."""
        if estimate is None:
            return self.encoders[layer](images)
        return self.encoders[layer](images - estimate, *([estimate] if self.seeing else []))

    def decode(
        self, layer: int, latents: Tensor, noise_var: Tensor, before: Tensor | None, aware: Tensor | None
    ) -> Tensor:
        """The estimate float32[B, 3, H, W] with layer ``layer``, given the one without it.

        Args:
            layer: from 0.
            latents, noise_var: see `demodulate`.
            before: float32[B, 3, H, W]; None for layer 0.
            aware: whether the transmitter knew ``before``, bool[B] or bool[1]; None for layer 0.
        """
        if layer == 0:
            return self.decoders[0](latents, noise_var)
        addition = self.decoders[layer](latents, noise_var, seen=(before, aware) if self.seeing else None)
        # The published designs end in a sigmoid, a residual lies between -1 and 1.
        return before + (addition if self.seeing else 2 * addition - 1)

    def forward(self, images: Tensor, channel, unaware: Tensor | None = None) -> list[Tensor]:
        """As `MultipleNetwork.forward`; every residual is that of the receiver's true estimate.

        For images in ``unaware``, bool[B], it is that of the mean of `REALISATIONS` other receptions instead.
        """
        unaware = torch.zeros(len(images), dtype=torch.bool, device=images.device) if unaware is None else unaware
        estimates: list[Tensor] = []
        before = seen = None
        for layer in range(self.layers):
            symbols, scale = self.modulate(self.encode(layer, images, seen))

            def arrived(layer=layer, symbols=symbols, scale=scale) -> tuple[Tensor, Tensor]:
                return self.demodulate(layer, *channel(symbols), scale)

            estimates.append(self.decode(layer, *arrived(), before, ~unaware))
            if unaware.any() and layer + 1 < self.layers:
                with torch.no_grad():
                    others = [self.decode(layer, *arrived(), seen, ~unaware) for _ in range(REALISATIONS)]
                    imagined = torch.stack(others).mean(0)
            before = seen = estimates[-1].detach()
            if unaware.any() and layer + 1 < self.layers:
                seen = torch.where(unaware[:, None, None, None], imagined, before)
        return estimates


def linear_layers(images: Tensor, layers: int, latents: int, snr_db: float) -> tuple[KLT, Tensor, float]:
    """The best linear code in layers for some images: its components, matrix (see `fit_layers`) and noise variance.

    Args:
        images: float32[B, 3, H, W].
        layers: L.
        latents: per layer and position.
        snr_db: Es/N0; half of a complex symbol's noise falls on each real latent.
    """
    own = PARTS * latents
    noise_var = 0.5 * 10 ** (-snr_db / 10)
    klt = fit_klt(images, min(BLOCK_VALUES, (layers + 1) * own), MULTIPLE)
    return klt, fit_layers(klt.variance, layers, own, noise_var), noise_var


def sent_in_layers(network: LayeredNetwork, latents: Tensor, channel) -> tuple[Tensor, Tensor]:
    """All layers of one encoder's latents through the channel: received latents and their noise variance."""
    parts = []
    for layer, part in enumerate(latents.split(network.per_layer, dim=1)):
        symbols, scale = network.modulate(part)
        parts.append(network.demodulate(layer, *channel(symbols), scale))
    return torch.cat([p[0] for p in parts], dim=1), torch.cat([p[1] for p in parts], dim=1)
