"""What training DeepJSCC for frames means: pictures that move, and references that noise and losses have gone into.

Every step takes the next frame of each sequence. The references are what the step before decoded, so that those of all
ages come up, with the errors that frames before left in them, at the cost of one frame a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.deepjscc.codec import DeepJSCC
from gr_jscc.codecs.deepjscc.temporal_network import BELIEVED_NOISE_VAR, TemporalNetwork
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork, from_symbols, to_symbols
from gr_jscc.codecs.parts.temporal_blend import best_blend, blended
from gr_jscc.datasets.moving import MovingWindow
from gr_jscc.datasets.photos import EXACT
from gr_jscc.nn.noise import awgn, uneven
from gr_jscc.training.recipe import RecipeError

PENALTIES = (20.0, 60.0, 120.0)  # of vectors, see `motion`
OFFSET = 5e-5  # MSE below which a frame hardly counts more
OLDER, BLANK, STUCK = 0.06, 0.02, 0.05  # shares of frames whose reference is the one before, grey, or was not moved
VALIDATED = 5  # frames of a photo
CUT = 0.015  # share of frames behind which another scene begins


@dataclass
class _Scene:
    """A sequence on its way: what the sender takes receivers to hold, what one does, and what that held before."""

    window: MovingWindow
    rate: int
    snr_db: float
    life: int  # frames until the next refresh
    age: int = 0
    expected: Tensor | None = None
    held: Tensor | None = None
    older: Tensor | None = None


@dataclass(frozen=True)
class TemporalTask:
    """Sequences of frames, each with an SNR and a rate, one frame of each a step; crops are what windows wander over.

    Attributes:
        snr_db: lowest and highest Es/N0; uniform between.
        rates: latent channels drawn most often.
        any_rate: share of sequences with another even rate from 8 on.
        refresh: frames between two that need no other, of most sequences.
        uneven: share of batches with erased symbols (up to 40 %) or Rayleigh subcarriers.

    Example:
        >>> TemporalTask().build({"latents": 64, "fine": 48})
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: the network must be as large as the one of deepjscc-photo
    """

    snr_db: tuple[float, float] = (-1.0, 21.0)
    rates: tuple[int, ...] = (16, 24, 26, 28, 28, 30, 32, 32, 40, 64)
    any_rate: float = 0.25
    refresh: int = 10
    uneven: float = 0.2

    def build(self, network: dict) -> TemporalNetwork:
        fresh = TemporalNetwork(**network)
        if fresh.config != self.still.config:
            raise RecipeError("the network must be as large as the one of deepjscc-photo")
        if max(self.rates) > fresh.latents or any(rate % 2 or rate < 8 for rate in self.rates):
            raise RecipeError(f"rates must be even, from 8 to the network's {fresh.latents} latents")
        return fresh

    @cached_property
    def still(self) -> DeepJSCCNetwork:
        """Sends frames that need no other."""
        return DeepJSCC().network

    @cached_property
    def _scenes(self) -> list[_Scene]:
        return []

    def prepare(self, network: TemporalNetwork, crops: Tensor) -> None:
        """Starts as the one that sends still pictures, for differences."""
        network.load_state_dict(network.translated(self.still.state_dict()))

    def loss(self, network, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean of log(MSE + offset) over the next frame of every sequence.

        Args:
            network: `TemporalNetwork`, maybe wrapped for several GPUs.
            images: float32[B, 3, N, N], over which windows of half the side wander.
            generator: on the images' device.
        """
        rng = np.random.default_rng(int(torch.randint(1 << 31, (1,), generator=generator, device=images.device)))
        device, canvases, scenes = images.device, images.cpu(), self._scenes
        for place, canvas in enumerate(canvases):
            if place == len(scenes):
                scenes.append(self._scene(canvas, canvases, rng))
            elif scenes[place].age >= scenes[place].life:
                scenes[place] = self._scene(canvas, canvases, rng)
            elif rng.random() < CUT:
                scenes[place].window = _window(canvas, canvases, rng)
        del scenes[len(canvases) :]
        self._refreshed([scene for scene in scenes if not scene.age], device, generator)
        frames = torch.cat([scene.window.next() for scene in scenes])
        pairs = [self._references(scene, frame[None], rng) for scene, frame in zip(scenes, frames)]
        references = tuple(torch.cat(part).to(device) for part in zip(*pairs))
        rate, age = (
            torch.tensor([getattr(scene, name) for scene in scenes], device=device) for name in ("rate", "age")
        )
        channel = self._channel(_snrs(scenes, device), rng, generator)
        frames = frames.to(device)
        shown, expected = network(frames, references, rate, age, channel, BELIEVED_NOISE_VAR)
        shown, expected = _blended(shown.float(), expected.float().clamp(0, 1), references, frames)
        for scene, own, other in zip(scenes, shown.detach().cpu(), expected.cpu()):
            scene.older, scene.held, scene.expected = scene.held, own[None].clamp(0, 1), other[None].clamp(0, 1)
            scene.age += 1
        return ((shown - frames).square().mean((1, 2, 3)) + OFFSET).log().mean()

    def _scene(self, canvas: Tensor, others: Tensor, rng: np.random.Generator) -> _Scene:
        any_of_them = 2 * int(rng.integers(4, max(self.rates) // 2 + 1))
        rate = any_of_them if rng.random() < self.any_rate else int(rng.choice(self.rates))
        low, high = self.snr_db
        snr_db = rng.uniform(low, high)
        life = self.refresh if rng.random() < 0.8 else int(rng.integers(2, self.refresh + 4))
        return _Scene(_window(canvas, others, rng), rate, snr_db, life)

    @torch.no_grad()
    def _refreshed(self, scenes: list[_Scene], device: torch.device, generator: torch.Generator) -> None:
        """Sends the first frame of sequences as a picture of its own."""
        if not scenes:
            return
        self.still.to(device)
        frames = torch.cat([scene.window.next() for scene in scenes]).to(device)
        most = self.still.latents  # twice as much as of the frames that follow
        rate = torch.tensor([min(2 * scene.rate, most) for scene in scenes], device=device)
        symbols, scale = to_symbols(self.still.encode(frames, rate), rate)
        variance = torch.full(symbols.shape, BELIEVED_NOISE_VAR, device=device)
        arrived = awgn(symbols, _snrs(scenes, device), generator)
        expected, held = (
            self.still.decode(*from_symbols(*heard, scale), rate).float().clamp(0, 1).cpu()
            for heard in ((symbols, variance), arrived)
        )
        for scene, other, own in zip(scenes, expected, held):
            scene.expected, scene.held, scene.older, scene.age = other[None], own[None], own[None], 1

    def _references(self, scene: _Scene, frame: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The sender's and the receiver's, moved alike; sometimes the receiver's is an old or no picture."""
        from gr_jscc.codecs.parts.block_motion import motion, moved  # with numba, which who trains others need not have

        vectors = motion(frame, scene.expected, float(rng.choice(PENALTIES)))
        if rng.random() < STUCK:
            vectors = np.zeros_like(vectors)
        kind = rng.random()
        held = scene.older if kind < OLDER else torch.full_like(frame, 0.5) if kind < OLDER + BLANK else scene.held
        return moved(scene.expected, vectors), moved(held, vectors)

    def _channel(self, snr_db: Tensor, rng: np.random.Generator, generator: torch.Generator):
        if rng.random() >= self.uneven:
            return lambda symbols: awgn(symbols, snr_db, generator)
        draw = torch.rand(3, len(snr_db), generator=generator, device=snr_db.device)
        lost, faded = 0.4 * draw[0] * (draw[1] < 0.5), draw[2] < 0.5
        return lambda symbols: uneven(symbols, snr_db, lost, faded, generator)

    @torch.no_grad()
    def validate(self, network: TemporalNetwork, photos: list[Tensor]) -> dict[str, float]:
        """Mean PSNR in dB at 10 and 3 dB, rate 32, of the frames of a sequence over each photo that need another."""
        figures = {}
        for snr_db in (10.0, 3.0):
            values = []
            for photo in photos:
                side = min(256, *photo.shape[1:]) // 16 * 16
                canvas, generator = photo[None, :, :side, :side].float() / 255, torch.Generator().manual_seed(1)
                sequence = TemporalTask((snr_db, snr_db), rates=(32,), any_rate=0.0, uneven=0.0)
                for _ in range(VALIDATED):
                    mse = float(sequence.loss(network, canvas, generator).exp()) - OFFSET
                    values.append(-10 * np.log10(max(mse, EXACT)))
            figures[f"psnr_db/snr{snr_db:g}_rate32"] = float(np.mean(values))
        return figures


def _blended(
    shown: Tensor, expected: Tensor, references: tuple[Tensor, Tensor], frames: Tensor
) -> tuple[Tensor, Tensor]:
    """What both ends hold, with as much of their references as the sender finds best."""
    believed, held = (reference.split(1) for reference in references)
    blends = [best_blend(*three) for three in zip(expected.split(1), believed, frames.split(1))]
    return (
        torch.cat([blended(*three) for three in zip(shown.split(1), held, blends)]),
        torch.cat([blended(*three) for three in zip(expected.split(1), believed, blends)]),
    )


def _window(canvas: Tensor, others: Tensor, rng: np.random.Generator) -> MovingWindow:
    return MovingWindow(canvas, others, canvas.shape[-1] // 2, rng)


def _snrs(scenes: list[_Scene], device: torch.device) -> Tensor:
    return torch.tensor([scene.snr_db for scene in scenes], device=device, dtype=torch.float32)
