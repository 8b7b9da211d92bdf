"""What networks over NTSCC's latents have in common: transforms, a hyperprior, and the steps of a quality."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.hyper import Hyperprior
from gr_jscc.codecs.parts.transforms import KINDS

NEVER = 1e6  # noise variance that stands for a value that never arrived


class LatentModel(nn.Module):
    """g_a and g_s, h_a and h_s; images float32[B, 3, H, W] in [0, 1], latents float32[B, C, h, w].

    Args:
        latents: C.
        transforms: ``kind`` (see `gr_jscc.codecs.parts.transforms.KINDS`) and its keyword arguments.
        hyper: keyword arguments of `Hyperprior`.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> model = LatentModel(8, windows, {"width": 8, "channels": 3, "kernel": 3})
        >>> model.stride, model.steps(torch.tensor([0.5])).shape
        (4, torch.Size([1, 8, 1, 1]))
    """

    # Where weights are stored as differences: four bits there cost 1 % more channel uses, as g_s has latents of very
    # different size side by side.
    stored_finely = ("transforms.decoder_stem", "transforms.decoder_head", "transforms.synthesis")

    def __init__(self, latents: int, transforms: dict, hyper: dict) -> None:
        super().__init__()
        self.latents, options = latents, dict(transforms)
        self.transforms = KINDS[options.pop("kind")](latents, **options)
        self.stride = self.transforms.stride
        self.hyperprior = Hyperprior(latents, **hyper)
        self.log_power = nn.Parameter(torch.zeros(latents))
        self.log_step = nn.Parameter(torch.zeros(2, latents))  # of the entropy model at quality 0 and 1

    def steps(self, quality: Tensor) -> Tensor:
        """Steps float32[B, C, 1, 1] of the entropy model for qualities float32[B] from 0 to 1."""
        share = quality[:, None]
        return (self.log_step[0] * (1 - share) + self.log_step[1] * share).exp()[:, :, None, None]

    @property
    def amplitude(self) -> Tensor:
        """Standard deviations of the latents, float32[1, C, 1, 1]."""
        return (self.log_power / 2).exp()[None, :, None, None]

    def sums(self, sent: Tensor, trust: Tensor, noise: Tensor) -> Tensor:
        """What `numbers` needs of every position, float32[B, 3, h, w].

        Args:
            sent: bool[B, C, h, w], which latents the receiver has heard of.
            trust: float32 of the same shape, see `Transforms.synthesise`.
            noise: float32 of the same shape, variance per latent, in the latents' units.
        """
        precision = torch.where(sent, 1 / (noise + 1e-4), 0)
        return torch.stack([sent.sum(1).float(), torch.where(sent, trust, 0).sum(1), precision.sum(1)], dim=1)

    def numbers(self, sums: Tensor) -> Tensor:
        """What `Transforms.synthesise` is told of a picture as a whole, from `sums` float32[B, 3, h, w] of it."""
        count, trusted, precision = sums.sum((2, 3)).unbind(1)
        share = count.clamp(min=1) / (self.latents * sums[0, 0].numel())
        trusted, precision = trusted / count.clamp(min=1), precision / count.clamp(min=1)
        numbers = [share.log2() / 2 + 1, 2 * share - 1, 4 * trusted - 3, (precision + 1e-2).log() / 4]
        return torch.stack(numbers, dim=1)
