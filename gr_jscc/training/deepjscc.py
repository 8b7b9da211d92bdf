"""What training DeepJSCC for photos means: SNRs, rates and losses drawn per image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gr_jscc.codecs.parts.deepjscc_network import STRIDE, DeepJSCCNetwork
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.klt import fit_klt
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.training.heard_air import load_heard
from gr_jscc.training.recipe import RecipeError

if TYPE_CHECKING:
    from gr_jscc.training.link_channel import LinkChannel


@dataclass(frozen=True)
class DeepJSCCTask:
    """Draws (SNR, rate, channel) for every image and scores the picture.

    Attributes:
        snr_db: lowest and highest Es/N0; uniform between.
        rates: latent channels drawn most often (16, 32, 64 of 64 are CBR 1/24, 1/12, 1/6).
        any_rate: share of images with another even rate between the extremes.
        uneven: share of batches with erased symbols (up to 60 %) or Rayleigh subcarriers; of the ideal channel only.
        offset: MSE below which an image hardly counts more, see `loss`.
        channel: ``ideal``; ``link``, see `gr_jscc.training.link_channel`; or a file of what a recording heard, whose
            noise, fades and losses then take the place of what is drawn.
        burst_loss, lossy, faded, papr_limit_db, bits: of the link, see `gr_jscc.training.link_channel.LinkChannel`.

    Example:
        >>> DeepJSCCTask(rates=(16, 64)).build({"latents": 32, "fine": 8, "coarse": 8, "hidden": 8})
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: rates must be even, from 2 to the network's 32 latents, not 64
    """

    snr_db: tuple[float, float] = (-1.0, 21.0)
    rates: tuple[int, ...] = (16, 32, 64)
    any_rate: float = 0.25
    uneven: float = 0.2
    offset: float = 3e-4
    channel: str = "ideal"
    burst_loss: tuple[float, float] = (0.0, 0.0)
    lossy: float = 1.0
    faded: float = 0.0
    papr_limit_db: float = 0.0
    bits: int = 0

    def __post_init__(self) -> None:
        """Raises RecipeError for a channel that makes no sense."""
        if self.channel != "ideal":
            _ = self.link

    @cached_property
    def link(self) -> LinkChannel:
        """The stand-in of the link. It needs the modem, hence numba, which a machine that only trains need not have."""
        from gr_jscc.training.link_channel import LinkChannel

        heard = None if self.channel == "link" else load_heard(Path(self.channel))
        return LinkChannel(self.burst_loss, self.lossy, self.faded, self.papr_limit_db, self.bits, heard)

    def build(self, network: dict) -> DeepJSCCNetwork:
        """A fresh network from a recipe's ``network`` table.

        Raises:
            RecipeError: it has no such rates.
        """
        fresh = DeepJSCCNetwork(**network)
        bad = [rate for rate in self.rates if rate % 2 or not 2 <= rate <= fresh.latents]
        if bad:
            raise RecipeError(f"rates must be even, from 2 to the network's {fresh.latents} latents, not {bad[0]}")
        return fresh

    def prepare(self, network: DeepJSCCNetwork, crops: Tensor) -> None:
        """Starts the network from the linear code of some training crops float32[N, 3, H, W]."""
        network.start_from(fit_klt(crops, network.latents))

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean of log(MSE + offset) over the batch, close to the PSNR that is reported.

        The logarithm keeps high-SNR images from being drowned by low-SNR ones in one model for all.

        Args:
            network: `DeepJSCCNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
        """
        count, device = len(images), images.device

        def draw() -> Tensor:
            return torch.rand(count, generator=generator, device=device)

        low, high = self.snr_db
        snr_db = low + (high - low) * draw()
        table = torch.tensor(self.rates, device=device)
        common = table[(draw() * len(table)).long()]
        other = min(self.rates) + 2 * (draw() * ((max(self.rates) - min(self.rates)) // 2 + 1)).long()
        rate = torch.where(draw() < self.any_rate, other, common)
        rough = draw()[0] < self.uneven
        lost, faded = 0.6 * draw() * (draw() < 0.5), draw() < 0.5

        def ideal(symbols: Tensor) -> tuple[Tensor, Tensor]:
            if rough:
                return uneven(symbols, snr_db, lost, faded, generator)
            return awgn(symbols, snr_db, generator)

        channel = ideal if self.channel == "ideal" else self.link.over(rate, snr_db, generator)
        mse = (network(images, rate, channel).float() - images).square().mean((1, 2, 3))
        return (mse + self.offset).log().mean()

    @torch.no_grad()
    def validate(self, network: DeepJSCCNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB over uint8[3, H, W] photos at 10 dB for every rate, and at 0 and 20 dB for the middle one.

        Of a network that is trained through the link also at 10 dB with a tenth of the bursts lost, or over what a
        recording heard.
        """
        middle = sorted(self.rates)[len(self.rates) // 2]
        points = [(10.0, rate) for rate in self.rates] + [(0.0, middle), (20.0, middle)]
        figures = {
            f"psnr_db/snr{snr_db:g}_rate{rate}": _psnr_db(network, photos, snr_db, rate) for snr_db, rate in points
        }
        if self.channel != "ideal":
            link = replace(self.link, burst_loss=(0.1, 0.1), lossy=1.0)
            name = "snr10_lost10" if link.heard is None else "heard"
            figures[f"psnr_db/{name}_rate{middle}"] = _psnr_db(network, photos, 10.0, middle, link)
        return figures


def _psnr_db(
    network: DeepJSCCNetwork, photos: list[Tensor], snr_db: float, rate: int, link: LinkChannel | None = None
) -> float:
    """Mean over photos at one SNR and rate, over white noise or the link."""
    device = next(network.parameters()).device
    generator = torch.Generator(device).manual_seed(1)
    snr, rates = torch.full((1,), snr_db, device=device), torch.full((1,), rate, device=device)
    total = 0.0
    for photo in photos:
        height, width = (side // STRIDE * STRIDE for side in photo.shape[1:])
        image = photo[None, :, :height, :width].to(device).float() / 255
        channel = link.over(rates, snr, generator) if link else lambda symbols: awgn(symbols, snr, generator)
        output = network(image, rates, channel)
        mse = (output.float().clamp(0, 1) - image).square().mean().clamp(min=EXACT)
        total += float(-10 * mse.log10())
    return total / len(photos)
