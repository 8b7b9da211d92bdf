"""What training HJSCC over hyperlatents means: the picture after the rounds, at all qualities, thresholds and SNRs.

The joint loss is the logarithm of the squared error, and of all channel uses what they are worth of it: a use is worth
the error that the last one saves, which by a threshold's meaning is the same in all pictures of a quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.hyper_feedback_network import HyperFeedbackNetwork
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.training.recipe import RecipeError
from gr_jscc.training.start import start_from

VALIDATED = (0.25, 0.5, 0.75)  # qualities
STAGES = ("receiver", "joint")
ANALYSIS = ("transforms.analysis", "transforms.encoder", "log_power", "log_step")
# Squared error that a CBR of 1 is worth at quality 0.5; each tenth of a quality it falls by e^0.431.
WORTH, FALL = 0.0215, 4.31
USUAL_THRESHOLD = 0.4  # at which it is
BEYOND = 4.0  # natural logarithms that thresholds fall by where a quality of 2 is asked for
RISE = 1.2  # of thresholds from round to round, in validation


@dataclass(frozen=True)
class HyperFeedbackTask:
    """Draws (quality, thresholds, SNR, channel) for every image; how many rounds are told for every batch.

    Attributes:
        stage: what learns: ``receiver``, the synthesis, hyperlatents and the gains; or ``joint``, everything.
        compressor: the NTSCC whose transforms and hyperprior a fresh network starts from; empty for a linear code.
        snr_db: lowest and highest Es/N0; uniform between.
        finest: highest quality that is drawn; above 1 it is the thresholds that fall.
        quality_exponent: qualities are uniform between 0 and 1 to this power, times ``finest``.
        threshold: lowest and highest of the first round's; log-uniform between.
        rise: lowest and highest factor from a round's threshold to the next one's.
        uneven: share of batches with erased symbols (up to 60 %) or Rayleigh subcarriers.
        cut: share of batches that end early, so that every round gives a picture.
        deaf: share of batches whose feedback is lost on the way.
        offset: squared error below which a picture hardly counts more.

    Raises:
        RecipeError: an unknown stage.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> hyper = {"width": 8, "channels": 4, "kernel": 3}
        >>> network = HyperFeedbackTask("receiver").build({"latents": 8, "transforms": windows, "hyper": hyper})
        >>> network.exponent.requires_grad, network.log_power.requires_grad
        (True, False)
    """

    stage: str = "joint"
    compressor: str = ""
    snr_db: tuple[float, float] = (0.0, 18.0)
    finest: float = 1.3
    quality_exponent: float = 0.8
    threshold: tuple[float, float] = (0.2, 0.8)
    rise: tuple[float, float] = (1.0, 1.5)
    uneven: float = 0.1
    cut: float = 0.1
    deaf: float = 0.1
    offset: float = 5e-5

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise RecipeError(f"unknown stage {self.stage!r}; known: {', '.join(STAGES)}")

    def build(self, network: dict) -> HyperFeedbackNetwork:
        """A fresh network from a recipe's ``network`` table; what is not to learn is fixed."""
        fresh = HyperFeedbackNetwork(**network)
        for name, parameter in fresh.named_parameters():
            parameter.requires_grad_(self.stage == "joint" or not name.startswith(ANALYSIS))
        return fresh

    def prepare(self, network: HyperFeedbackNetwork, crops: Tensor) -> None:
        """Starts the transforms as the compressor's, or the linear code of training crops float32[N, 3, H, W]."""
        if self.compressor:
            start_from(network, self.compressor, Path())
        else:
            power, _ = network.transforms.start_linear(crops)
            with torch.no_grad():
                network.log_power.copy_(power.log())
        network.start_hyper(crops)

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean of log(MSE + offset), in the joint stage with what channel uses are worth.

        Args:
            network: `HyperFeedbackNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
        """
        count, device = len(images), images.device
        plain = getattr(network, "module", network)

        def draw(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator, device=device)

        fine = self.finest * draw(0, 1) ** self.quality_exponent
        quality, beyond = fine.clamp(max=1), (fine - 1).clamp(min=0)
        snr_db, lost, faded = draw(*self.snr_db), 0.6 * draw(0, 1) * (draw(0, 1) < 0.5), draw(0, 1) < 0.5
        low, high = (torch.tensor(bound).log() for bound in self.threshold)
        first, rise = (draw(float(low), float(high)) - BEYOND * beyond).exp(), draw(*self.rise)
        thresholds = torch.stack([(first * rise**number).double() for number in range(plain.rounds)])
        kind, rough, last = (float(x) for x in torch.rand(3, generator=generator, device=device))
        told: int | None = None
        if kind < self.cut + self.deaf:
            known = int(last * plain.rounds)
            thresholds, told = (thresholds[: known + 1], None) if kind < self.cut else (thresholds, known)

        def channel(symbols: Tensor) -> tuple[Tensor, Tensor]:
            if rough < self.uneven:
                return uneven(symbols, snr_db, lost, faded, generator)
            return awgn(symbols, snr_db, generator)

        result = network(images, quality, thresholds, channel, told)
        error = (result["pictures"].float() - images).square().mean((1, 2, 3)) + self.offset
        if self.stage == "receiver":
            return error.log().mean()
        worth = WORTH * first / USUAL_THRESHOLD * (-FALL * (quality - 0.5)).exp()
        return (error.log() + worth * result["uses"] / images[0].numel() / error.detach()).mean()

    @torch.no_grad()
    def validate(self, network: HyperFeedbackNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB and CBR over uint8[3, H, W] photos at 10 dB, for three qualities."""
        device, figures = network.log_power.device, {}
        for quality in VALIDATED:
            generator, found = torch.Generator(device).manual_seed(1), []
            for photo in photos:
                height, width = (side // network.stride * network.stride for side in photo.shape[1:])
                image = photo[None, :, :height, :width].to(device).float() / 255
                snr_db, given = torch.full((1,), 10.0, device=device), torch.full((1,), quality, device=device)
                thresholds = USUAL_THRESHOLD * RISE ** torch.arange(network.rounds, device=device).double()[:, None]
                result = network(image, given, thresholds, lambda s, g=generator, d=snr_db: awgn(s, d, g))
                mse = (result["pictures"].float().clamp(0, 1) - image).square().mean().clamp(min=EXACT)
                psnr_db, cbr = float(-10 * mse.log10()), float(result["uses"]) / image.numel()
                found.append((psnr_db, cbr))
            for name, values in zip(("psnr_db", "cbr"), zip(*found)):
                figures[f"{name}/quality{quality:g}"] = sum(values) / len(values)
        return figures
