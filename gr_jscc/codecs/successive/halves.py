"""Encoders and decoders of one layer or several, in three designs, for the successive-refinement codecs.

Encoders map float32[B, 3, H, W] in [0, 1] to latents float32[B, N, H/4, W/4]; decoders map what a receiver
has of such latents to float32[B, 3, H, W]. H and W are multiples of `MULTIPLE`.

``cnn``        the network of Kurka & Gündüz (2019): five 5×5 convolutions, PReLU, sigmoid.
``gdn``        the stronger network of their later work: GDN instead of most of the activations.
``recursive``  a linear code of 8×8 blocks (`gr_jscc.nn.layered_linear`) beside residual blocks that share their
               kernels: most quality for its size and for a CPU second.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.nn.gdn import GDN
from gr_jscc.nn.klt import KLT
from gr_jscc.nn.layered_linear import linear_receiver
from gr_jscc.nn.recursive import RecursiveBlocks
from gr_jscc.nn.residual import Condition

STRIDE = 4  # pixels of a latent position's side
MULTIPLE = 8  # sides must be a multiple of this: the linear code's blocks
BLOCK_VALUES = 3 * MULTIPLE * MULTIPLE
CONDITION = 32  # length of a recursive decoder's condition vector
PARTS = (MULTIPLE // STRIDE) ** 2  # latent positions of one 8×8 block


class CNNEncoder(nn.Sequential):
    """16/s2, 32/s2, 32, 32, N filters of 5×5.

    Example:
        >>> CNNEncoder(latents=8)(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, latents: int) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.PReLU(16),
            nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.PReLU(32),
            nn.Conv2d(32, 32, 5, padding=2), nn.PReLU(32),
            nn.Conv2d(32, 32, 5, padding=2), nn.PReLU(32),
            nn.Conv2d(32, latents, 5, padding=2), nn.PReLU(latents),
        )  # fmt: skip


class CNNDecoder(nn.Module):
    """Mirrors `CNNEncoder` with transposed convolutions; the last one ends in a sigmoid.

    Example:
        >>> CNNDecoder(inputs=8)(torch.zeros(1, 8, 4, 6)).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(inputs, 32, 5, padding=2), nn.PReLU(32),
            nn.ConvTranspose2d(32, 32, 5, padding=2), nn.PReLU(32),
            nn.ConvTranspose2d(32, 32, 5, padding=2), nn.PReLU(32),
            nn.ConvTranspose2d(32, 16, 5, stride=2, padding=2, output_padding=1), nn.PReLU(16),
            nn.ConvTranspose2d(16, 3, 5, stride=2, padding=2, output_padding=1),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(inputs).float())


class GDNEncoder(nn.Sequential):
    """9×9/s2, 5×5/s2, 5×5, 5×5 of ``width`` filters with GDN and PReLU, then 5×5 to N, linear.

    Example:
        >>> GDNEncoder(latents=8, width=16)(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, latents: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(3, width, 9, stride=2, padding=4), GDN(width), nn.PReLU(width),
            nn.Conv2d(width, width, 5, stride=2, padding=2), GDN(width), nn.PReLU(width),
            nn.Conv2d(width, width, 5, padding=2), GDN(width), nn.PReLU(width),
            nn.Conv2d(width, width, 5, padding=2), GDN(width), nn.PReLU(width),
            nn.Conv2d(width, latents, 5, padding=2),
        )  # fmt: skip


class GDNDecoder(nn.Module):
    """Mirrors `GDNEncoder` with inverse GDN; the last layer ends in a sigmoid.

    Example:
        >>> GDNDecoder(inputs=8, width=16)(torch.zeros(1, 8, 4, 6)).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(inputs, width, 5, padding=2), GDN(width, True), nn.PReLU(width),
            nn.ConvTranspose2d(width, width, 5, padding=2), GDN(width, True), nn.PReLU(width),
            nn.ConvTranspose2d(width, width, 5, padding=2), GDN(width, True), nn.PReLU(width),
            nn.ConvTranspose2d(width, width, 5, stride=2, padding=2, output_padding=1), GDN(width, True),
            nn.PReLU(width),
            nn.ConvTranspose2d(width, 3, 9, stride=2, padding=4, output_padding=1),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(inputs).float())


class RecursiveEncoder(nn.Module):
    """The linear code of 8×8 blocks plus what recursive residual blocks add.

    A ``seeing`` one of residuals is also given the estimate that they are lacking from.

    Example:
        >>> RecursiveEncoder(latents=8, seeing=False, width=16, blocks=1, passes=2)(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, latents: int, seeing: bool, width: int, blocks: int, passes: int) -> None:
        super().__init__()
        self.analysis = nn.Conv2d(BLOCK_VALUES, PARTS * latents, 1)
        values = 3 * STRIDE * STRIDE
        self.stem = nn.Conv2d(2 * values if seeing else values, width, 1)
        nn.init.zeros_(self.stem.weight.data[:, values:])
        self.body = RecursiveBlocks(width, blocks, passes)
        self.modulation = nn.Parameter(torch.zeros(1, self.body.modulations))
        self.head = nn.Conv2d(width, latents, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor, before: Tensor | None = None) -> Tensor:
        inputs = [images] if before is None else [images, before]
        x = self.stem(torch.cat([F.pixel_unshuffle(picture - 0.5, STRIDE) for picture in inputs], dim=1))
        x = self.body(x, self.modulation)
        x = self.head(x)
        with torch.autocast(images.device.type, enabled=False):  # the symbols stay in full precision
            return F.pixel_shuffle(self.analysis(F.pixel_unshuffle(images, MULTIPLE)), 2) + x.float()


class RecursiveDecoder(nn.Module):
    """The linear code's inverse plus what recursive residual blocks add; not clipped.

    The inverse depends on how many layers there are: one for each of ``counts`` numbers, the most layers first.

    Example:
        >>> decoder = RecursiveDecoder(latents=8, inputs=16, numbers=2, counts=2, width=16, blocks=1, passes=2)
        >>> decoder(torch.zeros(1, 16, 4, 6), numbers=torch.zeros(1, 2), layers=torch.tensor([1])).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(
        self, latents: int, inputs: int, numbers: int, counts: int, width: int, blocks: int, passes: int
    ) -> None:
        super().__init__()
        self.latents, self.counts = latents, counts
        self.synthesis = nn.Conv2d(counts * PARTS * latents, BLOCK_VALUES, 1)
        self.stem = nn.Conv2d(inputs, width, 3, padding=1)
        self.body = RecursiveBlocks(width, blocks, passes)
        self.condition = Condition(numbers, CONDITION)
        self.modulation = nn.Linear(CONDITION, self.body.modulations)
        self.head = nn.Conv2d(width, 3 * STRIDE * STRIDE, 1)
        for layer in (self.modulation, self.head):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor, numbers: Tensor, layers: Tensor) -> Tensor:
        x = self.body(self.stem(inputs), self.modulation(self.condition(numbers)))
        x = self.head(x)
        with torch.autocast(inputs.device.type, enabled=False):
            estimate = F.pixel_unshuffle(inputs[:, : self.latents].float(), 2)
            slots = F.one_hot(self.counts - layers, self.counts).float()  # [1 or B, counts]
            spread = (slots[:, :, None, None, None] * estimate[:, None]).flatten(1, 2)
            linear = self.synthesis(spread)
            return F.pixel_shuffle(linear, MULTIPLE) + F.pixel_shuffle(x.float(), STRIDE)


def build_encoder(kind: str, latents: int, options: dict, seeing: bool = False) -> nn.Module:
    """A fresh encoder of design ``kind`` with N = ``latents``; only a ``recursive`` one can be ``seeing``."""
    if kind == "recursive":
        return RecursiveEncoder(latents, seeing, **options)
    return {"cnn": CNNEncoder, "gdn": GDNEncoder}[kind](latents, **options)


class NoiseAwareDecoder(nn.Module):
    """A decoder of any design, told how noisy every latent is.

    With ``noise_aware`` latents pass a Wiener gain first, and the design is given estimates and gains: one model
    then serves many SNRs, uneven channels and lost symbols. Without, it is given the bare symbols, as published.

    Args:
        kind: ``cnn``, ``gdn`` or ``recursive``.
        latents: N, real values per position that a receiver may have.
        noise_aware: see above; the ``recursive`` design always is.
        options: further arguments of the design.
        counts: numbers of layers that it may be given; 1 where the number is always the same.
        seeing: whether it is also given the estimate from before and told whether the transmitter knew that; only
            the ``recursive`` design can be.

    Example:
        >>> decoder = NoiseAwareDecoder("cnn", latents=8, noise_aware=True, options={})
        >>> decoder(torch.zeros(1, 8, 4, 6), noise_var=torch.full((1, 8, 4, 6), 0.1)).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(
        self, kind: str, latents: int, noise_aware: bool, options: dict, counts: int = 1, seeing: bool = False
    ) -> None:
        super().__init__()
        self.noise_aware = noise_aware
        self.recursive = kind == "recursive"
        inputs = 2 * latents if noise_aware else latents
        if noise_aware:
            self.log_power = nn.Parameter(torch.zeros(latents))
        if self.recursive:
            extra = 3 * STRIDE * STRIDE if seeing else 0
            self.design = RecursiveDecoder(latents, inputs + extra, 3 if seeing else 2, counts, **options)
            nn.init.zeros_(self.design.stem.weight.data[:, inputs:])
            nn.init.zeros_(self.design.condition.layers[0].weight.data[:, 2:])
        else:
            self.design = {"cnn": CNNDecoder, "gdn": GDNDecoder}[kind](inputs, **options)

    def forward(
        self,
        received: Tensor,
        noise_var: Tensor,
        layers: Tensor | int = 1,
        seen: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The picture float32[B, 3, H, W].

        Args:
            received: float32[B, N, h, w], latents as they arrived; 0 where nothing did.
            noise_var: float32[B, N, h, w], variance of the noise on each, in the latents' own units.
            layers: how many have come, one number or int64[B], of at most ``counts``.
            seen: for a ``seeing`` decoder, the estimate float32[B, 3, H, W] and whether the transmitter knew it,
                bool[B].
        """
        if not self.noise_aware:
            return self.design(received)
        power = self.log_power.exp()[None, :, None, None]
        gain = power / (power + noise_var)
        inputs = [gain * received, gain]
        if not self.recursive:
            return self.design(torch.cat(inputs, dim=1))
        precision = (1 / (noise_var + 1e-4)).mean((1, 2, 3))  # so that lost symbols count as lost
        numbers = [4 * gain.mean((1, 2, 3)) - 3, (precision + 1e-2).log() / 4]
        if seen is not None:
            inputs.append(F.pixel_unshuffle(seen[0] - 0.5, STRIDE))
            numbers.append(seen[1].float().expand(len(received)))
        layers = torch.as_tensor(layers, device=received.device).reshape(-1)
        return self.design(torch.cat(inputs, dim=1), torch.stack(numbers, dim=1), layers)


@torch.no_grad()
def start_encoder(encoder: RecursiveEncoder, klt: KLT, matrix: Tensor) -> None:
    """Makes a fresh encoder a linear code: ``matrix`` (see `fit_layers`) of the whitened components of ``klt``."""
    rows = matrix @ (klt.basis / klt.variance.sqrt()[:, None])
    encoder.analysis.weight.copy_(rows[:, :, None, None])
    encoder.analysis.bias.copy_(-rows @ klt.mean)


@torch.no_grad()
def start_decoder(decoder: NoiseAwareDecoder, klt: KLT, matrix: Tensor, noise_var: float) -> None:
    """Makes a fresh decoder undo such a code at one noise variance, as far as its latents go."""
    design, latents = decoder.design, PARTS * len(decoder.log_power)
    power = matrix[:latents].square().sum(1).reshape(-1, PARTS).mean(1)
    gain = (power / (power + noise_var)).repeat_interleave(PARTS)
    pixels = (klt.basis * klt.variance.sqrt()[:, None]).T
    for slot in range(design.counts):
        own = latents * (design.counts - slot) // design.counts
        whitened = linear_receiver(matrix[:own], noise_var) / gain[:own]  # the decoder's own Wiener gain comes first
        design.synthesis.weight[:, slot * latents : slot * latents + own] = (pixels @ whitened)[:, :, None, None]
    design.synthesis.bias.copy_(klt.mean)
    decoder.log_power.copy_(power.log())


@torch.no_grad()
def start_offset(encoder: RecursiveEncoder, decoders: Iterable[NoiseAwareDecoder], latent: int, offset: float) -> None:
    """Adds ``offset`` to one latent of a linear code and takes it off again behind the channel."""
    rows = slice(PARTS * latent, PARTS * (latent + 1))
    encoder.analysis.bias[rows] += offset
    for decoder in decoders:
        if latent < len(decoder.log_power):
            design = decoder.design
            design.synthesis.bias -= offset * design.synthesis.weight[:, rows, 0, 0].sum(1)
