"""What training NTSCC means: first the compressor in it, then all of it jointly (algorithm 1 of the paper).

The paper's loss is d(x, x̂_NTSCC) + d(x, x̂_NTC) + λ(k_y + k_z). The rates that are sent follow the entropy model by a
rule without gradient, so the first term is free to be weighted otherwise than the others: its logarithm is taken, close
to the PSNR that is reported, so that one model learns all SNRs. The others are divided by about what they come to at
their λ, so that it learns all λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.codecs.parts.pixels import to_picture
from gr_jscc.datasets.photos import EXACT
from gr_jscc.metrics.picture import lpips
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.training.ntscc_perceptual import PerceptualDistortion
from gr_jscc.training.recipe import RecipeError

LEVELS = 255.0**2
MS_SSIM_UNIT = 2000 / LEVELS  # 1 − MS-SSIM as a squared error: both make the same of a typical photo at CBR 1/12
STAGES = ("entropy-model", "compressor", "joint")
DISTORTIONS = ("mse", "ms-ssim", "perceptual")


def typical_error(multiplier: Tensor) -> Tensor:
    """About the squared error (0–255) that photos come to at λ; fits DeepJSCC's figures on Kodak within a fifth."""
    return 41 * (multiplier / 443) ** 0.46


@dataclass(frozen=True)
class NTSCCTask:
    """Draws (SNR, quality, η, channel) for every image.

    Attributes:
        stage: ``entropy-model`` (for transforms that are trained already), ``compressor`` (NTC: transforms and entropy
            model) or ``joint``.
        snr_db: lowest and highest Es/N0; uniform between.
        eta: lowest and highest η, real channel values per bit; log-uniform between.
        compression: weight of the compressor's rate and distortion beside the received picture's; 1 in the paper. Both
            go down together, so what λ means stays, and the transforms are made for the channel more than for the
            compressor.
        compressed: share of a batch whose compressed pictures join in the loss of the joint stage.
        side_info: bits that a complex channel use carries for hyperlatents, C_z of the paper.
        uneven: share of batches with erased symbols (up to 60 %) or Rayleigh subcarriers.
        distortion: ``mse``, ``ms-ssim``, or ``perceptual`` (see `gr_jscc.training.ntscc_perceptual`; joint stage only).
        betas: β_M (for values in [0, 1]), β_L and β_D of the perceptual distortion; the default is HiFiC's, whose β_M
            is 0.075/32 for values up to 255.
        offset: distortion of a received picture below which it hardly counts more.

    Raises:
        RecipeError: unknown stage or distortion, or two that do not go together.

    Example:
        >>> NTSCCTask(stage="compressor").distortion
        'mse'
        >>> NTSCCTask(stage="compressor", distortion="perceptual")
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: the perceptual distortion is for the joint stage, not 'compressor'
    """

    stage: str = "joint"
    snr_db: tuple[float, float] = (-1.0, 16.0)
    eta: tuple[float, float] = (0.25, 0.6)
    compression: float = 1.0
    compressed: float = 1.0
    side_info: float = 0.5
    uneven: float = 0.1
    distortion: str = "mse"
    betas: tuple[float, float, float] = (152.4, 1.0, 0.15)
    offset: float = 3e-4

    def __post_init__(self) -> None:
        for what, value, known in (("stage", self.stage, STAGES), ("distortion", self.distortion, DISTORTIONS)):
            if value not in known:
                raise RecipeError(f"unknown {what} {value!r}; known: {', '.join(known)}")
        if self.distortion == "perceptual" and self.stage != "joint":
            raise RecipeError(f"the perceptual distortion is for the joint stage, not {self.stage!r}")

    def build(self, network: dict) -> NTSCCNetwork:
        """A fresh network from a recipe's ``network`` table; what the stage does not train is fixed."""
        fresh = NTSCCNetwork(NTSCCConfig(**network))
        if self.stage == "entropy-model":
            fresh.requires_grad_(False)
            fresh.hyperprior.requires_grad_(True)
        elif self.stage == "compressor":
            fresh.encoder.requires_grad_(False)
            fresh.decoder.requires_grad_(False)
        if not fresh.adaptive:
            fresh.hyperprior.requires_grad_(False)
            fresh.log_step.requires_grad_(False)
        return fresh

    def prepare(self, network: NTSCCNetwork, crops: Tensor) -> None:
        """Starts the network from the linear code of some training crops float32[N, 3, H, W]."""
        network.start_linear(crops)

    def adversary(self, network: NTSCCNetwork) -> PerceptualDistortion | None:
        """What learns beside the network and judges it; None for distortions that need nothing of the kind.

        Raises:
            RecipeError: LPIPS is not there.
        """
        if self.distortion != "perceptual":
            return None
        return PerceptualDistortion(network.latents, self.betas, network.log_power.device)

    def loss(
        self, network, images: Tensor, generator: torch.Generator, adversary: PerceptualDistortion | None = None
    ) -> Tensor:
        """Rate and distortion of a batch.

        Args:
            network: `NTSCCNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
            adversary: what `adversary` returned.
        """
        count, device = len(images), images.device
        plain = getattr(network, "module", network)

        def draw(low: float = 0.0, high: float = 1.0) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator, device=device)

        quality = draw()
        eta = torch.exp(draw(*(float(torch.tensor(bound).log()) for bound in self.eta)))
        snr_db = draw(*self.snr_db)
        rough = draw()[0] < self.uneven
        lost, faded = 0.6 * draw() * (draw() < 0.5), draw() < 0.5

        def channel(symbols: Tensor) -> tuple[Tensor, Tensor]:
            if rough:
                return uneven(symbols, snr_db, lost, faded, generator)
            return awgn(symbols, snr_db, generator)

        joint = self.stage == "joint"
        some = {"joint": round(self.compressed * count), "compressor": count, "entropy-model": 0}[self.stage]
        if not plain.adaptive:
            # Comparison-II: no entropy model; every position of a picture has one of the rates.
            eta = draw()
        result = network(images, quality, eta, channel if joint else None, some, generator)
        loss = images.new_zeros(())
        if joint:
            if adversary is None:
                distortion = self._distortion(result["transmitted"], images)
            else:
                distortion = adversary(result["transmitted"], images, result["latents"])
            loss = loss + (distortion + self.offset).log().mean()
        if plain.adaptive:
            low, high = (torch.tensor(bound, device=device).log() for bound in plain.multipliers)
            multiplier = (low + (high - low) * quality).exp()
            values = images[0].numel()
            # λ is for the η that the steps are made for: with another one a bit costs more or less than they reckon.
            uses = plain.eta * result["bits"].sum((1, 2)) / 2 + result["hyper_bits"] / self.side_info
            unit = typical_error(multiplier)
            compression = (multiplier * uses / values / unit).mean()
            if some:
                error = LEVELS * self._distortion(result["compressed"], images[:some])
                compression = compression + (error / unit[:some]).mean()
            loss = loss + self.compression * compression
        return loss

    def _distortion(self, pictures: Tensor, images: Tensor) -> Tensor:
        """float32[B], on the scale of a mean squared error of values in [0, 1].

        Compressed pictures are judged by it in the perceptual task, too: equation 29 is of received ones, and λ, which
        sets the rates, keeps its meaning.
        """
        if self.distortion != "ms-ssim":
            return (pictures.float() - images).square().mean((1, 2, 3))
        from pytorch_msssim import ms_ssim

        # A window of 7 lets crops of 128 pixels have all five scales.
        with torch.autocast(images.device.type, enabled=False):
            similarity = ms_ssim(pictures.float().clamp(0, 1), images, 1.0, size_average=False, win_size=7)
        return (1 - similarity) * MS_SSIM_UNIT

    @torch.no_grad()
    def validate(self, network: NTSCCNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB and CBR over uint8[3, H, W] photos at 10 dB, for three qualities at the network's η.

        LPIPS as well where it is trained for.
        """
        device = next(network.parameters()).device
        figures = {}
        for quality in (0.25, 0.5, 0.75):
            generator = torch.Generator(device).manual_seed(1)
            found: dict[str, list[float]] = {}
            for photo in photos:
                height, width = (side // network.stride * network.stride for side in photo.shape[1:])
                image = photo[None, :, :height, :width].to(device).float() / 255
                snr, given = torch.full((1,), 10.0, device=device), torch.full((1,), quality, device=device)
                eta = torch.full((1,), network.eta if network.adaptive else quality, device=device)
                result = network(
                    image, given, eta, lambda s, snr=snr, g=generator: awgn(s, snr, g), int(network.adaptive)
                )
                measured = {"bits_per_pixel": float(result["bits"].sum()) / (height * width)}
                measured["side_bits_per_pixel"] = float(result["hyper_bits"].sum()) / (height * width)
                measured["cbr"] = float(result["uses"]) / image.numel()
                for name in ("compressed", "transmitted"):
                    if name in result:
                        mse = (result[name].float().clamp(0, 1) - image).square().mean().clamp(min=EXACT)
                        measured[f"psnr_db_{name}"] = float(-10 * mse.log10())
                if self.distortion == "perceptual":
                    sent, arrived = (to_picture(x.float(), height, width) for x in (image, result["transmitted"]))
                    distance = lpips(sent, arrived)
                    measured |= {} if distance is None else {"lpips": distance}
                for key, value in measured.items():
                    found.setdefault(key, []).append(value)
            figures |= {f"{key}/quality{quality:g}": sum(values) / len(values) for key, values in found.items()}
        return figures
