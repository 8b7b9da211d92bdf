"""DeepJSCC's network for photos as a single-decoder network of successive refinement.

`DeepJSCCNetwork` orders its latents by importance and decodes any number of them, but its encoder knows
how many will be sent. Here it always encodes for all layers, so it needs no condition, and the decoder is given as
many as have come. Training starts from ``deepjscc-photo``: the tensors have the same names, and `translated` turns
that encoder's condition into constants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.deepjscc_network import STRIDE, DeepJSCCNetwork, from_symbols, to_symbols
from gr_jscc.codecs.successive.network import sent_in_layers
from gr_jscc.nn.klt import fit_klt
from gr_jscc.nn.residual import Condition


class _Constant(nn.Module):
    """Stands for a linear map of a condition where there is none."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(numbers))

    def forward(self, condition: Tensor) -> Tensor:
        return self.bias.expand(len(condition), -1)


class PhotoNetwork(DeepJSCCNetwork):
    """Has the methods of `gr_jscc.codecs.successive.network.SingleNetwork`; images as in `DeepJSCCNetwork`.

    Args:
        layers: L.
        latents: real values per layer and 8×8 block, an even number; a layer's CBR = latents / 384.
        kind: always ``photo``.
        design: further arguments of `DeepJSCCNetwork`.

    Example:
        >>> design = {"fine": 8, "coarse": 8, "hidden": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)}
        >>> network = PhotoNetwork(layers=4, latents=16, design=design)
        >>> network.encode_all(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 64, 2, 3])
    """

    kind = "photo"
    stride = multiple = STRIDE
    fading = False
    noise_aware = True

    def __init__(self, layers: int = 4, latents: int = 16, kind: str = "photo", design: dict | None = None) -> None:
        super().__init__(latents=layers * latents, **(design or {}))
        self.layers, self.per_layer = layers, latents
        self.encoder_condition = nn.Identity()
        for block in self.encoder_coarse:
            block.modulation = _Constant(block.modulation.out_features)
        self.config = dict(layers=layers, latents=latents, kind=kind, design=design or {})

    def start_linear(self, images: Tensor, snr_db: float) -> None:
        """Makes a fresh network a linear code of float32[B, 3, H, W] images, whatever the SNR."""
        self.start_from(fit_klt(images, self.latents))

    @torch.no_grad()
    def translated(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A `DeepJSCCNetwork`'s tensors as this network's: its encoder's condition fixed at all of the latents."""
        name = "encoder_condition."
        inner = {key.removeprefix(name): value.float() for key, value in tensors.items() if key.startswith(name)}
        if not inner:
            return tensors
        size = len(inner["layers.0.bias"])
        condition = Condition(2, size)
        condition.load_state_dict(inner)
        (fixed,) = condition(self._rate_numbers(torch.tensor([self.latents])))
        out = {key: value for key, value in tensors.items() if not key.startswith(name)}
        for i in range(len(self.encoder_coarse)):
            block = f"encoder_coarse.{i}.modulation."
            out[block + "bias"] = out[block + "bias"].float() + out.pop(block + "weight").float() @ fixed
        return out

    def encode_all(self, images: Tensor) -> Tensor:
        """Latents of all layers, float32[B, L·latents, H/8, W/8]."""
        return self.encode(images, torch.full((len(images),), self.latents, device=images.device))

    def modulate(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """See `LayeredNetwork.modulate`."""
        return to_symbols(latents, torch.full((len(latents),), latents.shape[1], device=latents.device))

    def demodulate(self, layer: int, received: Tensor, noise_var: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """See `LayeredNetwork.demodulate`."""
        return from_symbols(received, noise_var, scale)

    def estimate(self, latents: Tensor, noise_var: Tensor, layers: Tensor | int) -> Tensor:
        """See `SingleNetwork.estimate`."""
        layers = torch.as_tensor(layers, device=latents.device).expand(len(latents))
        return self.decode(latents, noise_var, layers * self.per_layer)

    def forward(self, images: Tensor, channel, layers: Tensor | None = None) -> list[Tensor]:
        """See `SingleNetwork.forward`."""
        latents, noise_var = sent_in_layers(self, self.encode_all(images), channel)
        if layers is not None:
            return [self.estimate(latents, noise_var, layers)]
        return [self.estimate(latents, noise_var, i + 1) for i in range(self.layers)]
