"""What training HJSCC means: the channel in the loop, priors that fit, and pictures that come close.

The paper's loss is w·MSE + Σ KL. Which rates are sent follows the priors by a rule without gradient; here the priors
are fitted to latents that they cannot influence, and the pictures' term is the logarithm of their squared error, close
to the PSNR that is reported, so that one model learns all SNRs, rates and qualities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.config import HJSCCConfig
from gr_jscc.codecs.hjscc.network import HJSCCNetwork
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.training.start import start_from

VALIDATED = (0.25, 0.5, 0.75)  # qualities


@dataclass(frozen=True)
class HJSCCTask:
    """Draws (SNR, quality, η) for every image; the channel and what is fed back for every batch.

    Attributes:
        transforms: model whose transforms the network starts from; empty for none.
        quality_exponent: qualities are uniform between 0 and 1 to this power; below 1 high ones come more often.
        snr_db: lowest and highest Es/N0; uniform between.
        belief_db: standard deviation of the transmitter's error about the SNR.
        eta: lowest and highest η, real channel values per bit; log-uniform between.
        fit: weight of the priors' bits per colour value.
        uneven: share of batches with erased symbols (up to 60 %) or Rayleigh subcarriers.
        cut: share of batches that end early, so that every latent gives a picture.
        feedback: share of batches with feedback; the others are one round.
        deaf: of batches with feedback, the share that loses it on the way.
        offset: squared error below which a picture hardly counts more.

    Example:
        >>> windows = {"kind": "windows", "latents": 8, "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> level = {"channels": 4, "shares": [0.6, 1.0], "rates": [0, 2, 4], "group": 1}
        >>> network = HJSCCTask(feedback=0.0).build({"transforms": windows, "levels": [level], "width": 8, "hidden": 8})
        >>> len(network.latents), network.multiple
        (2, 4)
    """

    transforms: str = ""
    quality_exponent: float = 1.0
    snr_db: tuple[float, float] = (-1.0, 16.0)
    belief_db: float = 3.0
    eta: tuple[float, float] = (0.3, 0.8)
    fit: float = 1.0
    uneven: float = 0.1
    cut: float = 0.1
    feedback: float = 0.5
    deaf: float = 0.15
    offset: float = 1e-4

    def build(self, network: dict) -> HJSCCNetwork:
        """A fresh network from a recipe's ``network`` table."""
        return HJSCCNetwork(HJSCCConfig(**network))

    def prepare(self, network: HJSCCNetwork, crops: Tensor) -> None:
        """Starts the transforms, and with training crops float32[N, 3, H, W] the hierarchy over them.

        Raises:
            WeightsError, RecipeError: see `gr_jscc.training.start`.
        """
        network.transforms.start_linear(crops)
        if self.transforms:
            start_from(network.transforms, self.transforms, Path())
        network.start(crops, bool(self.transforms))

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Distortion and rate of a batch.

        Args:
            network: `HJSCCNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
        """
        count, device = len(images), images.device
        plain = getattr(network, "module", network)

        def draw(low: float = 0.0, high: float = 1.0) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator, device=device)

        quality, snr_db = draw() ** self.quality_exponent, draw(*self.snr_db)
        eta = draw(*(math.log(bound) for bound in self.eta)).exp()
        belief = snr_db + self.belief_db * torch.randn(count, generator=generator, device=device)
        lost, faded = 0.6 * draw() * (draw() < 0.5), draw() < 0.5
        rough, cut, heard, deaf, place = torch.rand(5, generator=generator, device=device).tolist()
        latents = len(plain.latents)
        last = int(place * latents) if cut < self.cut else latents - 1
        told = 0
        if heard < self.feedback:
            told = 1 + int(place * latents) if deaf < self.deaf else latents

        def channel(symbols: Tensor) -> tuple[Tensor, Tensor]:
            if rough < self.uneven:
                return uneven(symbols, snr_db, lost, faded, generator)
            return awgn(symbols, snr_db, generator)

        result = network(images, quality, eta, belief, channel, told, last)
        error = (result["pictures"].float() - images).square().mean((1, 2, 3))
        return ((error + self.offset).log() + self.fit * result["bits"] / images[0].numel()).mean()

    @torch.no_grad()
    def validate(self, network: HJSCCNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB and CBR over uint8[3, H, W] photos at 10 dB, for three qualities at the network's η.

        Without feedback, and with, as far as the model was trained for it.
        """
        figures = {}
        for name, told, trained in (("", 0, self.feedback < 1), ("/feedback", len(network.latents), self.feedback > 0)):
            for quality in VALIDATED if trained else ():
                psnr, cbr = zip(*self._sent(network, photos, quality, told))
                figures[f"psnr_db/quality{quality:g}{name}"] = sum(psnr) / len(psnr)
                figures[f"cbr/quality{quality:g}{name}"] = sum(cbr) / len(cbr)
        return figures

    @staticmethod
    def _sent(network: HJSCCNetwork, photos: list[Tensor], quality: float, told: int) -> Iterator[tuple[float, float]]:
        """PSNR in dB and CBR of each photo."""
        device = next(network.parameters()).device
        generator = torch.Generator(device).manual_seed(1)
        snr, given, eta = (torch.full((1,), x, device=device) for x in (10.0, quality, network.eta))
        for photo in photos:
            height, width = (side // network.multiple * network.multiple for side in photo.shape[1:])
            image = photo[None, :, :height, :width].to(device).float() / 255
            result = network(image, given, eta, snr, lambda symbols: awgn(symbols, snr, generator), told)
            mse = (result["pictures"].float().clamp(0, 1) - image).square().mean().clamp(min=EXACT)
            yield float(-10 * mse.log10()), float(result["uses"]) / image.numel()
