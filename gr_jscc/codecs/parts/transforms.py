"""The nonlinear transforms g_a and g_s of NTSCC: a picture to its latents, and back.

Two kinds. `WindowTransforms` is the paper's: shifted-window attention in stages, each at half the resolution of the
one before. `MixedTransforms` is made for the CPU: convolutions where positions are many, attention where they are
few; it has the modules of `gr_jscc.codecs.parts.deepjscc_network`, so that it can start from a trained DeepJSCC.

In both a linear path (a Karhunen–Loève transform of blocks) runs beside the network, so that a fresh one is the linear
code already. Both are told how far each latent can be trusted, since one model serves many SNRs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.parts.pixels import in_unit
from gr_jscc.codecs.parts.two_scales import encoded, fine_blocks, hidden_channels, painted
from gr_jscc.nn.growing import deaf_inputs
from gr_jscc.nn.klt import KLT, fit_klt
from gr_jscc.nn.residual import Condition, ConditionedBottleneck
from gr_jscc.nn.window_attention import WindowBlocks

NUMBERS = 4  # that describe a reception as a whole, see `Transforms.synthesise`


class Transforms(nn.Module):
    """What both kinds promise.

    Attributes:
        latents: C.
        stride: pixels of a latent position's side.

    Example:
        >>> sorted(KINDS)
        ['mixed', 'windows']
        >>> issubclass(WindowTransforms, Transforms)
        True
        >>> Transforms().analyse(torch.zeros(1, 3, 16, 16))
        Traceback (most recent call last):
            ...
        NotImplementedError
    """

    latents: int
    stride: int

    def analyse(self, images: Tensor) -> Tensor:
        """g_a: float32[B, 3, H, W] in [0, 1], or uint8 → float32[B, C, H/stride, W/stride]."""
        raise NotImplementedError

    def synthesise(self, latents: Tensor, trust: Tensor, numbers: Tensor) -> Tensor:
        """g_s: the picture float32[B, 3, H, W], not clipped.

        Args:
            latents: float32[B, C, h, w], as estimated.
            trust: float32 of the same shape: 1 − (variance of the estimate's error) / (the latent's variance).
            numbers: float32[B, `NUMBERS`]: of the whole picture, the logarithm of the share of the latents that was
                sent, the share, the mean trust in what was sent, and the logarithm of its mean precision.
        """
        raise NotImplementedError

    def start_linear(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Makes the linear path the best block transform for training crops.

        Returns:
            The latents' variances and the squared error in the picture, summed over colour values, that a unit
            error of each latent makes; both float32[C].
        """
        raise NotImplementedError


@torch.no_grad()
def _set_linear_path(analysis: nn.Conv2d, synthesis: nn.Conv2d, klt: KLT) -> tuple[Tensor, Tensor]:
    """Power ∝ standard deviation is the best at high SNR: amplitude gain λ^(-1/4), latents of mean power ½."""
    gain = klt.variance**-0.25
    gain = gain * (0.5 * len(gain) / (gain**2 * klt.variance).sum()).sqrt()
    rows = klt.basis * gain[:, None]
    analysis.weight.copy_(rows[:, :, None, None])
    analysis.bias.copy_(-rows @ klt.mean)
    synthesis.weight.copy_((klt.basis / gain[:, None]).T[:, :, None, None])
    synthesis.bias.copy_(klt.mean)
    return gain**2 * klt.variance, gain**-2


@dataclass(frozen=True)
class MixedOptions:
    """What `MixedTransforms` are made of; weights' files and recipes hold it under these names.

    Attributes:
        fine, coarse: channels at strides 4 and 8.
        hidden: (fine, coarse) bottleneck channels; one number is the coarse ones', with plain blocks at stride 4.
        analysis_blocks, synthesis_blocks: blocks at strides 4, 8 and 16 (attention).
        attention: keyword arguments of the attention's `WindowBlocks`.
        condition: length of the condition vectors.
        padding: what the convolutions see beyond the picture's edges: ``zeros``, as a DeepJSCC that it starts from, or
            ``replicate``, by which an edge is no detail that costs channel uses.

    Example:
        >>> attention = {"inner": 8, "heads": 1, "window": 4, "hidden": 8}
        >>> MixedOptions(8, 16, 8, analysis_blocks=[1, 1, 1], synthesis_blocks=[1, 2, 1], attention=attention).padding
        'zeros'
    """

    fine: int
    coarse: int
    hidden: int | list[int]
    analysis_blocks: list[int]
    synthesis_blocks: list[int]
    attention: dict
    condition: int = 64
    padding: str = "zeros"


class MixedTransforms(Transforms):
    """Convolutions at strides 4 and 8, window attention at stride 16.

    Args:
        latents: C; four of them are one channel at stride 8.
        options: the rest.

    Example:
        >>> attention = {"inner": 8, "heads": 1, "window": 4, "hidden": 8}
        >>> options = MixedOptions(8, 16, 8, analysis_blocks=[1, 1, 1], synthesis_blocks=[1, 2, 1], attention=attention)
        >>> MixedTransforms(latents=32, options=options).analyse(torch.zeros(1, 3, 32, 48)).shape
        torch.Size([1, 32, 2, 3])
    """

    stride = 16

    def __init__(self, latents: int, options: MixedOptions) -> None:
        super().__init__()
        self.latents = latents
        fine, coarse = options.fine, options.coarse
        narrow, hidden = hidden_channels(options.hidden)
        condition, padding = options.condition, options.padding
        analysis_blocks, synthesis_blocks = options.analysis_blocks, options.synthesis_blocks
        inside = latents // 4
        self.analysis = nn.Conv2d(192, inside, 1)  # the linear path
        self.synthesis = nn.Conv2d(inside, 192, 1)
        self.encoder_stem = nn.Conv2d(48, fine, 3, padding=1, padding_mode=padding)
        self.encoder_fine = fine_blocks(analysis_blocks[0], fine, narrow, padding)
        self.encoder_down = nn.Conv2d(fine, coarse, 2, stride=2)
        self.encoder_condition = nn.Parameter(torch.zeros(condition))
        self.encoder_coarse = nn.ModuleList(
            ConditionedBottleneck(coarse, hidden, condition, padding) for _ in range(analysis_blocks[1])
        )
        self.encoder_head = nn.Conv2d(coarse, inside, 3, padding=1, padding_mode=padding)
        self.encoder_windows = WindowBlocks(latents, analysis_blocks[2], **options.attention)
        self.decoder_windows = WindowBlocks(latents, synthesis_blocks[2], **options.attention, shifted=True)
        self.decoder_condition = Condition(NUMBERS, condition)
        self.decoder_stem = nn.Conv2d(2 * inside, coarse, 3, padding=1, padding_mode=padding)
        self.decoder_coarse = nn.ModuleList(
            ConditionedBottleneck(coarse, hidden, condition, padding) for _ in range(synthesis_blocks[1])
        )
        self.decoder_up = nn.Conv2d(coarse, 4 * fine, 1)
        self.decoder_fine = fine_blocks(synthesis_blocks[0], fine, narrow, padding)
        self.decoder_head = nn.Conv2d(fine, 48, 3, padding=1, padding_mode=padding)
        for head in (self.encoder_head, self.decoder_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    @classmethod
    def of(cls, latents: int, **options: object) -> MixedTransforms:
        """By options as weights' files hold them."""
        return cls(latents, MixedOptions(**options))

    @torch.no_grad()
    def grown(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of transforms of fewer latents: the decoder reads them and then the trust in them."""
        key = "decoder_stem.weight"
        return {key: deaf_inputs(tensors[key], self.decoder_stem, parts=2)} if key in tensors else {}

    def start_linear(self, images: Tensor) -> tuple[Tensor, Tensor]:
        power, error = _set_linear_path(self.analysis, self.synthesis, fit_klt(images, self.latents // 4, 8))
        return power.repeat_interleave(4), error.repeat_interleave(4)

    def analyse(self, images: Tensor) -> Tensor:
        y = encoded(self, images, self.encoder_condition[None])
        del images  # of a large picture no more is kept than is of use
        y = F.pixel_unshuffle(y, 2)
        return self.encoder_windows(y).float()

    def synthesise(self, latents: Tensor, trust: Tensor, numbers: Tensor) -> Tensor:
        condition = self.decoder_condition(numbers)
        estimate = F.pixel_shuffle(self.decoder_windows(latents).float(), 2)
        trust = F.pixel_shuffle(trust, 2)
        del latents
        return painted(self, estimate, trust, condition)

    @staticmethod
    def translated(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a DeepJSCC, or of a codec with such transforms inside, as those of these transforms."""
        inside = {k.removeprefix("transforms."): v for k, v in tensors.items() if k.startswith("transforms.")}
        tensors = inside or tensors
        kept = {key: value for key, value in tensors.items() if not key.startswith("encoder_condition")}
        if "encoder_condition.layers.0.weight" in tensors:
            condition = Condition(2, len(tensors["encoder_condition.layers.2.bias"]))
            condition.load_state_dict({key: tensors[f"encoder_condition.{key}"] for key in condition.state_dict()})
            with torch.no_grad():
                kept["encoder_condition"] = condition(torch.ones(1, 2))[0]  # as if all latents were sent
        return kept


class WindowTransforms(Transforms):
    """Shifted-window attention in stages at strides 2, 4, 8 … (figure 5 of the paper).

    Args:
        latents: C.
        widths: channels of each stage; the paper has 256 everywhere.
        blocks: of each stage: 1, 1, 2, 6 for photos, 2, 6 for CIFAR-10.
        heads, window: of the attention.
        expansion: channels inside a block's perceptron over those outside.
        condition: length of the condition vectors.

    Example:
        >>> transforms = WindowTransforms(latents=12, widths=[8, 8, 8], blocks=[1, 1, 1], heads=2, window=4)
        >>> transforms.stride, transforms.analyse(torch.zeros(1, 3, 16, 24)).shape
        (8, torch.Size([1, 12, 2, 3]))
    """

    def __init__(
        self,
        latents: int,
        widths: list[int],
        blocks: list[int],
        heads: int,
        window: int,
        expansion: int = 2,
        condition: int = 64,
    ) -> None:
        super().__init__()
        self.latents, self.stride = latents, 2 ** len(widths)

        def stage(width: int, count: int) -> WindowBlocks:
            return WindowBlocks(width, count, width, heads, window, expansion * width)

        values = 3 * self.stride**2
        self.components = min(latents, values)
        self.analysis = nn.Conv2d(values, latents, 1)
        self.synthesis = nn.Conv2d(latents, values, 1)
        before = [3, *widths[:-1]]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 2, stride=2) for i, o in zip(before, widths))
        self.encoder = nn.ModuleList(stage(width, count) for width, count in zip(widths, blocks))
        self.encoder_head = nn.Conv2d(widths[-1], latents, 1)
        self.decoder_condition = Condition(NUMBERS, condition)
        self.decoder_shift = nn.Linear(condition, widths[-1])
        self.decoder_stem = nn.Conv2d(2 * latents, widths[-1], 1)
        self.decoder = nn.ModuleList(stage(width, count) for width, count in zip(widths, blocks))
        self.up = nn.ModuleList(nn.Conv2d(o, 4 * i, 1) for i, o in zip(before, widths))
        for layer in (self.encoder_head, self.up[0], self.decoder_shift, self.analysis, self.synthesis):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def start_linear(self, images: Tensor) -> tuple[Tensor, Tensor]:
        klt = fit_klt(images, self.components, self.stride)
        linear = nn.Conv2d(3 * self.stride**2, self.components, 1), nn.Conv2d(self.components, 3 * self.stride**2, 1)
        power, error = torch.full((self.latents,), 0.05), torch.ones(self.latents)
        power[: self.components], error[: self.components] = _set_linear_path(*linear, klt)
        error[self.components :] = error[self.components - 1]
        with torch.no_grad():
            self.analysis.weight[: self.components] = linear[0].weight
            self.analysis.bias[: self.components] = linear[0].bias
            self.synthesis.weight[:, : self.components] = linear[1].weight
            self.synthesis.bias.copy_(linear[1].bias)
        return power, error

    def analyse(self, images: Tensor) -> Tensor:
        images = in_unit(images)
        x = images - 0.5
        for down, stage in zip(self.down, self.encoder):
            x = stage(down(x))
        with torch.autocast(images.device.type, enabled=False):
            return self.analysis(F.pixel_unshuffle(images, self.stride)) + self.encoder_head(x.float())

    def synthesise(self, latents: Tensor, trust: Tensor, numbers: Tensor) -> Tensor:
        shift = self.decoder_shift(self.decoder_condition(numbers))
        x = self.decoder_stem(torch.cat([latents, trust], dim=1)) + shift[:, :, None, None]
        for up, stage in zip(reversed(self.up), reversed(self.decoder)):
            x = F.pixel_shuffle(up(stage(x)), 2)
        with torch.autocast(latents.device.type, enabled=False):
            return F.pixel_shuffle(self.synthesis(latents), self.stride) + x.float()


KINDS = {"mixed": MixedTransforms.of, "windows": WindowTransforms}
