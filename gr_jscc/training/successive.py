"""What training the three schemes of successive refinement means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gr_jscc.codecs.successive.network import LayeredNetwork, MultipleNetwork, ResidualNetwork, SingleNetwork
from gr_jscc.codecs.successive.photo_network import PhotoNetwork
from gr_jscc.codecs.successive.single import single_network
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.nn.slow_fading import SlowRayleigh


@dataclass(frozen=True)
class LayeredTask:
    """What the schemes share: the channel an image meets and how an estimate is scored.

    Attributes:
        snr_db: lowest and highest Es/N0; uniform between.
        uneven: share of batches whose symbols are erased (up to 60 %, or whole layers) or met by Rayleigh
            subcarriers, as bursts lost on a link and its equaliser leave them.
        distortion: ``mse``, the mean over the batch, as published; or ``log_mse``, the mean of log(MSE + offset)
            of the images, which is close to the mean PSNR.
        offset: see there; an image whose MSE lies below it hardly counts more.

    Example:
        >>> task = LayeredTask(snr_db=(7.0, 19.0), distortion="mse")
        >>> task.middle_db, float(task.score(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)))
        (13.0, 1.0)
    """

    snr_db: tuple[float, float] = (13.0, 13.0)
    uneven: float = 0.0
    distortion: str = "log_mse"
    offset: float = 1e-4

    @property
    def middle_db(self) -> float:
        """The middle of the SNRs."""
        return sum(self.snr_db) / 2

    def draw_channel(self, network: LayeredNetwork, count: int, generator: torch.Generator) -> Callable:
        """A channel for one batch of ``count`` images; see `LayeredNetwork`."""
        device = generator.device

        def draw() -> Tensor:
            return torch.rand(count, generator=generator, device=device)

        low, high = self.snr_db
        snr_db = low + (high - low) * draw()
        if network.fading:
            return SlowRayleigh(snr_db, generator)
        if draw()[0] >= self.uneven:
            return partial(_white, snr_db, generator)
        lost, faded = 0.6 * draw() * (draw() < 0.5), draw() < 0.5

        def rough(symbols: Tensor) -> tuple[Tensor, Tensor]:
            all_of_it = draw() < 0.25
            return uneven(symbols, snr_db, torch.where(all_of_it, 1.1, lost), faded, generator)

        return rough

    def score(self, estimate: Tensor, images: Tensor) -> Tensor:
        """What training minimises, a scalar."""
        mse = (estimate.float() - images).square().mean((1, 2, 3))
        return mse.mean() if self.distortion == "mse" else (mse + self.offset).log().mean()

    @torch.no_grad()
    def validate(self, network: LayeredNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB after every layer over uint8[3, H, W] pictures, at the ends and the middle of the SNRs."""
        low, high = self.snr_db
        device = next(network.parameters()).device
        figures = {}
        for snr_db in sorted({low, (low + high) / 2, high}):
            total, count = torch.zeros(network.layers), 0
            generator = torch.Generator(device).manual_seed(1)
            for images in _batches(photos, network.multiple, device):
                snr = torch.full((len(images),), snr_db, device=device)
                channel = SlowRayleigh(snr, generator) if network.fading else partial(_white, snr, generator)
                estimates = network(images, channel)
                for i, estimate in enumerate(estimates):
                    mse = (estimate.float().clamp(0, 1) - images).square().mean((1, 2, 3)).clamp(min=EXACT)
                    total[i] += float(-10 * mse.log10().sum())
                count += len(images)
            for i, value in enumerate(total / count):
                figures[f"psnr_db/snr{snr_db:g}_layer{i + 1}"] = float(value)
        return figures


def _white(snr_db: Tensor, generator: torch.Generator, symbols: Tensor) -> tuple[Tensor, Tensor]:
    return awgn(symbols, snr_db, generator)


def _batches(photos: list[Tensor], multiple: int, device, size: int = 100):
    """Pictures of one size by the batch, others one by one; cropped to a multiple, float32 in [0, 1]."""
    alike = len({photo.shape for photo in photos}) == 1 and photos[0].shape[1] <= 64
    step = size if alike else 1
    for start in range(0, len(photos), step):
        batch = torch.stack(list(photos[start : start + step]))
        height, width = (side // multiple * multiple for side in batch.shape[2:])
        yield batch[:, :, :height, :width].to(device).float() / 255


@dataclass(frozen=True)
class MultipleTask(LayeredTask):
    """Every decoder counts the same, equation (1) of the paper.

    Example:
        >>> network = MultipleTask().build({"layers": 2, "latents": 8, "kind": "cnn"})
        >>> MultipleTask().loss(network, torch.zeros(2, 3, 8, 8), torch.Generator().manual_seed(1)).shape
        torch.Size([])
    """

    def build(self, network: dict) -> MultipleNetwork:
        """A fresh network from a recipe's ``network`` table."""
        return MultipleNetwork(**network)

    def prepare(self, network: MultipleNetwork, crops: Tensor) -> None:
        """Starts a recursive network from the linear code of some training crops float32[N, 3, H, W]."""
        if network.kind == "recursive":
            network.start_linear(crops, self.middle_db)

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean distortion of the L estimates.

        Args:
            network: `MultipleNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, H, W].
            generator: on the images' device.
        """
        plain = getattr(network, "module", network)
        estimates = network(images, self.draw_channel(plain, len(images), generator))
        return torch.stack([self.score(estimate, images) for estimate in estimates]).mean()


@dataclass(frozen=True)
class SingleTask(LayeredTask):
    """Every image loses a random tail of its layers; one plain distortion.

    Example:
        >>> network = SingleTask().build({"layers": 2, "latents": 8, "kind": "cnn"})
        >>> SingleTask().loss(network, torch.zeros(2, 3, 8, 8), torch.Generator().manual_seed(1)).shape
        torch.Size([])
    """

    def build(self, network: dict) -> SingleNetwork | PhotoNetwork:
        """A fresh network from a recipe's ``network`` table; kind ``photo`` is `PhotoNetwork`."""
        return single_network(network)

    def prepare(self, network: SingleNetwork | PhotoNetwork, crops: Tensor) -> None:
        """As `MultipleTask.prepare`."""
        if network.kind in ("recursive", "photo"):
            network.start_linear(crops, self.middle_db)

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Distortion of one estimate an image, from a random number of layers; arguments as `MultipleTask.loss`."""
        plain = getattr(network, "module", network)
        draw = torch.rand(len(images), generator=generator, device=images.device)
        layers = 1 + (draw * plain.layers).long()
        (estimate,) = network(images, self.draw_channel(plain, len(images), generator), layers)
        return self.score(estimate, images)


@dataclass(frozen=True)
class ResidualTask(LayeredTask):
    """Trains the last pair of a network; those before it keep what the recipe's ``start_from`` brought.

    Attributes:
        without_feedback: share of images whose residual is that of simulated receptions, as it will be without
            feedback; the paper trains with none.

    Example:
        >>> network = ResidualTask(without_feedback=0.5).build({"layers": 2, "latents": 8, "kind": "cnn"})
        >>> [next(encoder.parameters()).requires_grad for encoder in network.encoders]  # only the last pair is trained
        [False, True]
    """

    without_feedback: float = 0.0

    def build(self, network: dict) -> ResidualNetwork:
        """A fresh network from a recipe's ``network`` table, all but its last pair fixed."""
        fresh = ResidualNetwork(**network)
        for halves in (fresh.encoders, fresh.decoders):
            halves[:-1].requires_grad_(False)
        return fresh

    @torch.no_grad()
    def prepare(self, network: ResidualNetwork, crops: Tensor) -> None:
        """Starts recursive pairs from linear codes: the first of crops float32[N, 3, H, W], then of residuals."""
        if network.kind != "recursive":
            return
        generator = torch.Generator(crops.device).manual_seed(1)
        left = crops
        for layer in range(network.layers):
            network.start_linear(layer, left, self.middle_db)
            channel = self.draw_channel(network, len(crops), generator)
            left = crops - network(crops, channel)[layer]

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Distortion of the last estimate; arguments as `MultipleTask.loss`."""
        plain = getattr(network, "module", network)
        channel = self.draw_channel(plain, len(images), generator)
        unaware = None
        if self.without_feedback:
            draw = torch.rand(len(images), generator=generator, device=images.device)
            unaware = draw < self.without_feedback
        return self.score(network(images, channel, unaware)[-1], images)
