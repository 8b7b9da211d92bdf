"""The network of DeepJSCC for photos, as a differentiable torch module.

Bourtsoulatze, Kurka & Gündüz (2019) map an image to channel symbols with a convolutional encoder and
back with a convolutional decoder. This one keeps that and adds what one model for many SNRs and rates
needs: latent channels in order of importance, of which the first ``n`` are sent; both halves
conditioned on ``n``; the decoder conditioned on each symbol's noise variance. A linear path (`KLT`)
runs beside the convolutions, so that training starts from the best linear analog code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gr_jscc.codecs.parts.mixing import mix, mixing_matrices, unmixed
from gr_jscc.codecs.parts.power_scale import known_scale
from gr_jscc.codecs.parts.two_scales import STRIDE, encoded, fine_blocks, hidden_channels, painted
from gr_jscc.nn.klt import KLT
from gr_jscc.nn.residual import Condition, ConditionedBottleneck, mask_channels

VALUES = 3 * STRIDE * STRIDE  # colour values under one latent position


class DeepJSCCNetwork(nn.Module):
    """Encoder and decoder; images float32[B, 3, H, W] in [0, 1], H and W multiples of 8.

    Args:
        latents: most real values sent per 8×8 block; CBR = n / (2·192) for n of them.
        fine: channels at a quarter of the resolution.
        coarse: channels at an eighth.
        hidden: (fine, coarse) bottleneck channels; one number is the coarse ones', with plain blocks at the fine scale.
        encoder_blocks, decoder_blocks: (fine, coarse) numbers of residual blocks.
        condition: length of the condition vectors.
        mixed: whether the latents of a position are spread over its symbols, see `gr_jscc.codecs.parts.mixing`.

    Example:
        >>> network = DeepJSCCNetwork(8, fine=8, coarse=8, hidden=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
        >>> latents = network.encode(torch.zeros(1, 3, 16, 24), rate=torch.tensor([4]))
        >>> latents.shape, bool(latents[:, 4:].any())
        (torch.Size([1, 8, 2, 3]), False)
    """

    stride = multiple = STRIDE
    stored_finely = (  # where weights are stored as differences: four bits there cost 0.5 dB of a good picture
        "analysis", "synthesis", "encoder_stem", "encoder_down", "encoder_head", "decoder_stem", "decoder_up",
        "decoder_head",
    )  # fmt: skip

    def __init__(
        self,
        latents: int = 64,
        fine: int = 96,
        coarse: int = 192,
        hidden: int | tuple[int, int] = 96,
        encoder_blocks: tuple[int, int] = (2, 4),
        decoder_blocks: tuple[int, int] = (3, 6),
        condition: int = 64,
        mixed: bool = False,
    ) -> None:
        super().__init__()
        self.latents, self.mixed = latents, mixed
        self.config = dict(
            latents=latents, fine=fine, coarse=coarse, hidden=hidden if isinstance(hidden, int) else list(hidden),
            encoder_blocks=list(encoder_blocks), decoder_blocks=list(decoder_blocks), condition=condition,
            mixed=mixed,
        )  # fmt: skip
        narrow, hidden = hidden_channels(hidden)
        self.analysis = nn.Conv2d(VALUES, latents, 1)  # the linear path
        self.synthesis = nn.Conv2d(latents, VALUES, 1)
        self.log_power = nn.Parameter(torch.zeros(latents))  # of each latent channel, for the Wiener gain

        if mixed:
            self.register_buffer("mixing", mixing_matrices(latents), persistent=False)

        self.encoder_condition = Condition(2, condition)
        self.encoder_stem = nn.Conv2d(48, fine, 3, padding=1)
        self.encoder_fine = fine_blocks(encoder_blocks[0], fine, narrow)
        self.encoder_down = nn.Conv2d(fine, coarse, 2, stride=2)
        self.encoder_coarse = nn.ModuleList(
            ConditionedBottleneck(coarse, hidden, condition) for _ in range(encoder_blocks[1])
        )
        self.encoder_head = nn.Conv2d(coarse, latents, 3, padding=1)

        self.decoder_condition = Condition(4, condition)
        self.decoder_stem = nn.Conv2d(2 * latents, coarse, 3, padding=1)
        self.decoder_coarse = nn.ModuleList(
            ConditionedBottleneck(coarse, hidden, condition) for _ in range(decoder_blocks[1])
        )
        self.decoder_up = nn.Conv2d(coarse, 4 * fine, 1)
        self.decoder_fine = fine_blocks(decoder_blocks[0], fine, narrow)
        self.decoder_head = nn.Conv2d(fine, 48, 3, padding=1)
        for head in (self.encoder_head, self.decoder_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    @torch.no_grad()
    def start_from(self, klt: KLT) -> None:
        """Makes the fresh network the linear code of ``klt`` (`fit_klt` with ``latents`` components)."""
        # Power ∝ standard deviation is optimal at high SNR: amplitude gain λ^(-1/4). The overall
        # factor makes a latent's mean power about ½, a complex symbol's about 1.
        gain = klt.variance**-0.25
        gain = gain * (0.5 * self.latents / (gain**2 * klt.variance).sum()).sqrt()
        rows = klt.basis * gain[:, None]
        self.analysis.weight.copy_(rows[:, :, None, None])
        self.analysis.bias.copy_(-rows @ klt.mean)
        self.synthesis.weight.copy_((klt.basis / gain[:, None]).T[:, :, None, None])
        self.synthesis.bias.copy_(klt.mean)
        self.log_power.copy_((gain**2 * klt.variance).log())

    def _rate_numbers(self, rate: Tensor) -> Tensor:
        share = rate.float() / self.latents
        return torch.stack([share.log2() / 2 + 1, 2 * share - 1], dim=1)

    def encode(self, images: Tensor, rate: Tensor, sent: Tensor | None = None) -> Tensor:
        """Latents float32[B, latents, H/8, W/8]; zero beyond the first ``rate[b]`` channels (int64[B]).

        Args:
            images: float32[B, 3, H, W] in [0, 1], or uint8.
            rate: int64[B].
            sent: int64[B, H/8, W/8], of a mixed network, how many latents of each position are sent, an even number;
                the rate's if None.
        """
        condition = self.encoder_condition(self._rate_numbers(rate))
        latents = encoded(self, images, condition)
        with torch.autocast(images.device.type, enabled=False):
            latents = mask_channels(latents, rate)
            return mix(latents, _everywhere(rate, latents, sent), self.mixing) if self.mixed else latents

    def decode(self, received: Tensor, noise_var: Tensor, rate: Tensor, sent: Tensor | None = None) -> Tensor:
        """The picture float32[B, 3, H, W], not clipped.

        Args:
            received: float32[B, latents, h, w], latents as they arrived; 0 where nothing did.
            noise_var: float32 of the same shape, variance of the noise on each real latent in the
                latents' own units; ``inf`` where nothing arrived.
            rate: int64[B], latent channels that were sent.
            sent: as in `encode`.
        """
        return self.paint(*self.listen(received, noise_var, rate, sent))

    def listen(
        self, received: Tensor, noise_var: Tensor, rate: Tensor, sent: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """All that `paint` needs to know of what `decode` is given, which may be forgotten before it begins."""
        estimate, gain = self._estimate(received, noise_var, rate, sent)
        sent = (rate * received.shape[2] * received.shape[3]).float()
        mean_gain = gain.sum((1, 2, 3)) / sent
        # Harmonic mean, so that lost symbols count as lost and not as an infinite average.
        precision = mask_channels(1 / (noise_var + 1e-4), rate).sum((1, 2, 3)) / sent
        numbers = torch.cat(
            [self._rate_numbers(rate), torch.stack([4 * mean_gain - 3, (precision + 1e-2).log() / 4], dim=1)], dim=1
        )
        return estimate, gain, self.decoder_condition(numbers)

    def paint(self, estimate: Tensor, gain: Tensor, condition: Tensor) -> Tensor:
        """The second half of `decode`, tile by tile where the picture is large."""
        return painted(self, estimate, gain, condition)

    def _estimate(
        self, received: Tensor, noise_var: Tensor, rate: Tensor, sent: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Linear MMSE estimate of the latents, and the share of each one's power that it tells: 0 for what is lost."""
        power = self.log_power.exp()
        if self.mixed:
            with torch.autocast(received.device.type, enabled=False):
                return unmixed(received, noise_var, _everywhere(rate, received, sent), self.mixing, power)
        power = power[None, :, None, None]
        gain = mask_channels(power / (power + noise_var), rate)  # Wiener
        return gain * received, gain

    def forward(self, images: Tensor, rate: Tensor, channel) -> Tensor:
        """Image to image through a differentiable channel, for training.

        Args:
            images: float32[B, 3, H, W] in [0, 1].
            rate: int64[B].
            channel: maps complex64[B, S, h, w] of power 1 to (received, noise variance) of that shape
                (see `gr_jscc.nn.noise`).
        """
        latents = self.encode(images, rate)
        symbols, scale = to_symbols(latents, rate)
        received, noise_var = channel(symbols)
        return self.decode(*from_symbols(received, noise_var, scale), rate)


def _everywhere(rate: Tensor, latents: Tensor, sent: Tensor | None) -> Tensor:
    """``sent`` int64[B, h, w], of latents [B, latents, h, w]; the rate int64[B] at every position if None."""
    return rate[:, None, None].expand(-1, *latents.shape[2:]) if sent is None else sent


LOST = 1e6  # noise variance that stands for a symbol that never arrived


def to_symbols(latents: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs latent channels into complex symbols of mean power 1 per image.

    Args:
        latents: float32[B, latents, h, w]; zero where they are not sent.
        rate: int64[B] or float32[B], latent channels that are sent at a position, on average.

    Returns:
        complex64[B, latents/2, h, w] and the scale float32[B] *as the receiver will know it*, after
        quantisation; its gradient is that of the exact scale.
    """
    complex_latents = torch.complex(latents[:, 0::2], latents[:, 1::2])
    sent = rate.float() / 2 * latents.shape[2] * latents.shape[3]
    power = latents.square().sum((1, 2, 3)) / sent
    scale = (power + 1e-8).sqrt()
    return complex_latents / scale[:, None, None, None], known_scale(scale)


def from_symbols(received: Tensor, noise_var: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Undoes `to_symbols`: latents float32[B, latents, h, w] and the noise variance of each.

    Args:
        received: complex64[B, S, h, w].
        noise_var: float32[B, S, h, w] per complex symbol, ``inf`` where lost.
        scale: float32[B].
    """
    scale = scale[:, None, None, None]
    latents = torch.stack([received.real, received.imag], dim=2).flatten(1, 2) * scale
    # Half of a complex symbol's noise variance falls on each real dimension. "Lost" becomes a large
    # finite number: the gradient through inf would be NaN.
    return latents, (noise_var.clamp(max=LOST) * scale.square() / 2).repeat_interleave(2, dim=1)
