"""What training NTSCC with feedback means: the picture after the rounds, at all qualities, thresholds and SNRs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.feedback_network import NTSCCFeedbackNetwork
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.noise import awgn, uneven

VALIDATED = (0.25, 0.5, 0.75)  # qualities
ANALYSIS = ("transforms.analysis", "transforms.encoder", "hyperprior", "log_power", "log_step")
RISE = 1.2  # of thresholds from round to round, in validation


@dataclass(frozen=True)
class NTSCCFeedbackTask:
    """Draws (quality, thresholds, SNR, channel) for every image; how many rounds are told for every batch.

    Attributes:
        transforms: whether the analysis and the hyperprior learn as well; else the synthesis and the gains do.
        snr_db: lowest and highest Es/N0; uniform between.
        quality_exponent: qualities are uniform between 0 and 1 to this power.
        threshold: lowest and highest of the first round's; log-uniform between.
        rise: lowest and highest factor from a round's threshold to the next one's.
        uneven: share of batches with erased symbols (up to 60 %) or Rayleigh subcarriers.
        cut: share of batches that end early, so that every round gives a picture.
        deaf: share of batches whose feedback is lost on the way.
        offset: squared error below which a picture hardly counts more.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> network = {"latents": 8, "transforms": windows, "hyper": {"width": 8, "channels": 3, "kernel": 3}}
        >>> learns = [name for name, p in NTSCCFeedbackTask().build(network).named_parameters() if p.requires_grad]
        >>> "exponent" in learns, "log_power" in learns
        (True, False)
    """

    transforms: bool = False
    snr_db: tuple[float, float] = (0.0, 18.0)
    quality_exponent: float = 0.8
    threshold: tuple[float, float] = (0.2, 0.8)
    rise: tuple[float, float] = (1.0, 1.5)
    uneven: float = 0.1
    cut: float = 0.1
    deaf: float = 0.1
    offset: float = 5e-5

    def build(self, network: dict) -> NTSCCFeedbackNetwork:
        """A fresh network from a recipe's ``network`` table; what is not to learn is fixed."""
        fresh = NTSCCFeedbackNetwork(**network)
        if not self.transforms:
            for name, parameter in fresh.named_parameters():
                if name.startswith(ANALYSIS):
                    parameter.requires_grad_(False)
        return fresh

    def prepare(self, network: NTSCCFeedbackNetwork, crops: Tensor) -> None:
        """Starts the transforms as the linear code of training crops float32[N, 3, H, W]."""
        power, _ = network.transforms.start_linear(crops)
        with torch.no_grad():
            network.log_power.copy_(power.log())

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean of log(MSE + offset).

        Args:
            network: `NTSCCFeedbackNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
        """
        count, device = len(images), images.device
        rounds = getattr(network, "module", network).rounds

        def draw(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator, device=device)

        quality = draw(0, 1) ** self.quality_exponent
        snr_db, lost, faded = draw(*self.snr_db), 0.6 * draw(0, 1) * (draw(0, 1) < 0.5), draw(0, 1) < 0.5
        low, high = (torch.tensor(bound).log() for bound in self.threshold)
        first, rise = draw(float(low), float(high)).exp(), draw(*self.rise)
        thresholds = torch.stack([(first * rise**number).double() for number in range(rounds)])
        kind, rough, last = (float(x) for x in torch.rand(3, generator=generator, device=device))
        told: int | None = None
        if kind < self.cut + self.deaf:
            ended = 1 + int(last * (rounds - 1))
            thresholds, told = (thresholds[:ended], None) if kind < self.cut else (thresholds, ended)

        def channel(symbols: Tensor) -> tuple[Tensor, Tensor]:
            if rough < self.uneven:
                return uneven(symbols, snr_db, lost, faded, generator)
            return awgn(symbols, snr_db, generator)

        pictures = network(images, quality, thresholds, channel, told)["pictures"]
        return ((pictures.float() - images).square().mean((1, 2, 3)) + self.offset).log().mean()

    @torch.no_grad()
    def validate(self, network: NTSCCFeedbackNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB and CBR over uint8[3, H, W] photos at 10 dB, for three qualities."""
        device, figures = network.log_power.device, {}
        for quality in VALIDATED:
            generator, found = torch.Generator(device).manual_seed(1), []
            for photo in photos:
                height, width = (side // network.stride * network.stride for side in photo.shape[1:])
                image = photo[None, :, :height, :width].to(device).float() / 255
                snr_db, given = torch.full((1,), 10.0, device=device), torch.full((1,), quality, device=device)
                thresholds = 0.4 * RISE ** torch.arange(network.rounds, device=device).double()[:, None]
                result = network(image, given, thresholds, lambda s, g=generator, d=snr_db: awgn(s, d, g))
                mse = (result["pictures"].float().clamp(0, 1) - image).square().mean().clamp(min=EXACT)
                found.append((float(-10 * mse.log10()), float(result["uses"]) / image.numel()))
            for name, values in zip(("psnr_db", "cbr"), zip(*found)):
                figures[f"{name}/quality{quality:g}"] = sum(values) / len(values)
        return figures
