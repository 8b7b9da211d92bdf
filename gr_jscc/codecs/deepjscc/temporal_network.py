"""DeepJSCC's network for a picture that is like another one which both ends hold, about.

The encoder is given the reference beside the picture, the decoder its own copy of it, which other noise has gone into.
Both see it as it was moved to where it belongs. What the linear path sends is the difference from a part of the
reference; all else is learned: what the reference can be trusted for, and what is worth sending instead.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.parts.deepjscc_network import VALUES, DeepJSCCNetwork, from_symbols, to_symbols
from gr_jscc.codecs.parts.pixels import in_blocks
from gr_jscc.codecs.parts.two_scales import FINE, STRIDE, linearly
from gr_jscc.nn.residual import mask_channels
from gr_jscc.nn.tiles import Stage, by_tiles

BELIEVED_NOISE_VAR = 0.1  # of receivers, as the sender takes it, Es/N0 10 dB
KEPT = 0.95  # share of the reference that a fresh network takes over
OLDEST = 12  # frames since a refresh beyond which it makes no difference


class TemporalNetwork(DeepJSCCNetwork):
    """Encoder and decoder with a reference; see `DeepJSCCNetwork` for the arguments. It is never mixed.

    Example:
        >>> network = TemporalNetwork(8, fine=8, coarse=8, hidden=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
        >>> picture, rate, age = torch.rand(1, 3, 16, 24), torch.tensor([4]), torch.tensor([1])
        >>> network.encode_beside(picture, picture, rate, age).shape
        torch.Size([1, 8, 2, 3])
    """

    # The linear path, and what looks at the picture and at the reference: in four bits each cost 0.1 to 4 dB.
    stored_finely = (
        "analysis", "synthesis", "encoder_head", "encoder_reference", "decoder_reference.",
        "decoder_reference_fine", "decoder_stem", "decoder_head",
    )  # fmt: skip

    def __init__(self, latents: int = 64, fine: int = 96, coarse: int = 192, condition: int = 64, **more) -> None:
        super().__init__(latents, fine, coarse, condition=condition, **more)
        if self.mixed:
            raise ValueError("latents beside a reference are not mixed")
        colours = 3 * FINE**2
        self.encoder_reference = nn.Conv2d(colours, fine, 3, padding=1, bias=False)
        self.analysis_reference = nn.Conv2d(VALUES, latents, 1, bias=False)
        self.encoder_told = nn.Linear(5, condition)
        self.decoder_reference = nn.Conv2d(colours, fine, 3, padding=1)
        self.decoder_reference_down = nn.Conv2d(fine, coarse, 2, stride=2, bias=False)
        self.decoder_reference_fine = nn.Conv2d(fine, fine, 3, padding=1, bias=False)
        self.decoder_told = nn.Linear(5, condition)
        self.passing = nn.Conv2d(colours, colours, 1)
        self.activation = nn.LeakyReLU(0.1)

    def translated(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Those of a DeepJSCC of these widths as a start: differences are sent as pictures were."""
        if "passing.weight" in tensors:
            return tensors
        start = {name: torch.zeros_like(value) for name, value in self.state_dict().items() if name not in tensors}
        start["encoder_reference.weight"] = -KEPT * tensors["encoder_stem.weight"]
        start["analysis_reference.weight"] = -KEPT * tensors["analysis.weight"]
        grey = tensors["analysis.weight"][:, :, 0, 0].sum(1) / 2
        start["analysis.bias"] = tensors["analysis.bias"] + KEPT * grey
        start["synthesis.bias"] = tensors["synthesis.bias"] - KEPT / 2
        start["passing.weight"] = KEPT * torch.eye(len(self.passing.weight))[:, :, None, None]
        start["decoder_reference.weight"] = self.decoder_reference.weight.detach().clone()
        return tensors | start

    def encode_beside(self, images: Tensor, reference: Tensor, rate: Tensor, age: Tensor) -> Tensor:
        """Latents float32[B, latents, H/8, W/8]; zero beyond the first ``rate[b]`` channels.

        Args:
            images: float32[B, 3, H, W] in [0, 1].
            reference: of the same shape, as receivers are believed to hold it.
            rate: int64[B].
            age: int64[B], frames since the last that was sent without a reference, from 1.
        """
        apart = ((images - reference).square().mean((1, 2, 3)) + 1e-5).log()
        told = torch.cat([apart[:, None] / 4 + 1.5, _ages(age)], dim=1)
        condition = self.encoder_condition(self._rate_numbers(rate)) + self.encoder_told(told)

        def enter(images: Tensor, reference: Tensor) -> Tensor:
            x = self.encoder_stem(in_blocks(images, FINE) - 0.5)
            x = x + self.encoder_reference(in_blocks(reference, FINE) - 0.5)
            return self.encoder_down(self.encoder_fine(x))

        def inside(x: Tensor) -> Tensor:
            for block in self.encoder_coarse:
                x = block(x, condition)
            return x

        def leave(x: Tensor, images: Tensor, reference: Tensor) -> Tensor:
            linear = linearly(self.analysis, images) + linearly(self.analysis_reference, reference)
            return linear + self.encoder_head(x)

        stages = [
            Stage(enter, FINE * (1 + sum(block.reach for block in self.encoder_fine))),
            Stage(inside, STRIDE * len(self.encoder_coarse)),
            Stage(leave, STRIDE, [images, reference]),
        ]
        latents = by_tiles(stages, [images, reference], self.encoder_stem.out_channels / FINE**2, multiple=STRIDE)
        return mask_channels(latents, rate)

    def decode_beside(
        self, received: Tensor, noise_var: Tensor, rate: Tensor, scale: Tensor, reference: Tensor, age: Tensor
    ) -> Tensor:
        """The picture float32[B, 3, H, W], not clipped.

        Args:
            received, noise_var, rate: as `decode` takes them.
            scale: float32[B], by which symbols were multiplied; latents' powers are relative to it, as differences may
                be large or small.
            reference: float32[B, 3, H, W], what the receiver holds.
            age: as of `encode_beside`.
        """
        with torch.autocast(received.device.type, enabled=False):
            power = mask_channels(self.log_power.exp()[None, :, None, None].expand(len(rate), -1, -1, -1), rate)
            power = power * (rate / 2 * scale.square() / power.sum((1, 2, 3)))[:, None, None, None]
            gain = power / (power + noise_var)  # Wiener
            estimate = gain * received
            sent = (rate * received.shape[2] * received.shape[3]).float()
            relative = noise_var / scale.square()[:, None, None, None]
            precision = mask_channels(1 / (relative + 1e-3), rate).sum((1, 2, 3)) / sent
            of_all = torch.stack([4 * gain.sum((1, 2, 3)) / sent - 3, (precision + 1e-2).log() / 4], dim=1)
            condition = self.decoder_condition(torch.cat([self._rate_numbers(rate), of_all], dim=1))
            condition = condition + self.decoder_told(torch.cat([scale.log()[:, None] / 2, _ages(age)], dim=1))

        def finely(reference: Tensor) -> Tensor:
            return F.pixel_unshuffle(F.pixel_shuffle(reference, STRIDE), FINE)

        def enter(estimate: Tensor, gain: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
            known = self.activation(self.decoder_reference(finely(reference) - 0.5))
            x = self.decoder_stem(torch.cat([estimate, gain], dim=1)) + self.decoder_reference_down(known)
            return x, known

        def inside(x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
            for block in self.decoder_coarse:
                x = block(x, condition)
            return x, known

        def leave(x: Tensor, known: Tensor, estimate: Tensor, reference: Tensor) -> Tensor:
            x = F.pixel_shuffle(self.decoder_up(x), 2) + self.decoder_reference_fine(known)
            head = self.decoder_head(self.decoder_fine(x))
            with torch.autocast(estimate.device.type, enabled=False):
                fine = self.passing(finely(reference)) + head
                return F.pixel_shuffle(self.synthesis(estimate), STRIDE) + F.pixel_shuffle(fine, FINE)

        fine = -(-FINE * (1 + sum(block.reach for block in self.decoder_fine)) // STRIDE)
        reference = F.pixel_unshuffle(reference, STRIDE)
        last = Stage(leave, fine + 1, [estimate, reference])
        stages, values = [Stage(enter, 1), Stage(inside, len(self.decoder_coarse)), last], self.decoder_up.out_channels
        return by_tiles(stages, [estimate, gain, reference], max(values, VALUES))

    def forward(
        self, images: Tensor, references: tuple[Tensor, Tensor], rate: Tensor, age: Tensor, channel, believed: float
    ) -> tuple[Tensor, Tensor]:
        """The picture that a receiver shows, through a differentiable channel, and the one that the sender expects.

        Args:
            images, rate, age: as of `encode_beside`.
            references: what the sender takes receivers to hold, and what one does; of the images' shape.
            channel: see `DeepJSCCNetwork.forward`.
            believed: noise variance that the sender expects a receiver to be told; it expects no noise itself.
        """
        symbols, scale = to_symbols(self.encode_beside(images, references[0], rate, age), rate)
        shown = self.decode_beside(*from_symbols(*channel(symbols), scale), rate, scale, references[1], age)
        with torch.no_grad():
            variance = torch.full(symbols.shape, believed, device=symbols.device)
            expected = self.decode_beside(*from_symbols(symbols, variance, scale), rate, scale, references[0], age)
        return shown, expected


def _ages(age: Tensor) -> Tensor:
    """A network is told the first frames after a refresh one by one, and how old later ones are: float32[B, 4]."""
    older = (age > 3) * age.clamp(max=OLDEST) / STRIDE
    return torch.stack([age == 1, age == 2, age == 3, older], dim=1).float()
