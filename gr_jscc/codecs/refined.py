"""Symbols that the transmitter improves for one picture, by gradient through the receiver's network.

A trained encoder is the best one on average, and its decoder is known to both ends. So the transmitter can go on where
training ended, with the symbols of this picture alone: it lets them cross a simulated channel, differentiates what
the receiver would show, and moves them. Learned compression calls it content-adaptive encoding (Campos et al. 2019).
Nothing of it is told to the receiver, which stays as it is; it costs the transmitter's time.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import Codec, CodecError, Payload, Reception, Transmitter
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.trained import Heard, NetworkCodec, TrainedReceiver, heard
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.nn.noise import awgn

MOST_STEPS = 1000
LEARNING_RATE = 0.03  # of symbols of power 1, from which it falls to nothing
ALL_OF_IT = 20  # steps that take it; fewer begin lower in proportion, as they cannot average over the noise


class Refined(Wrapped):
    """A learned codec whose transmitter refines the symbols of every round.

    Args:
        codec: a trained one, or one around it.
        steps: of gradient descent for each round.
        snr_db: Es/N0 of the simulated channel, until the receiver reports its own.

    Raises:
        CodecError: no learned codec, or a number of steps that makes no sense.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> refined = Refined(load_codec("successive-single", "successive-single-2"), steps=20)
        >>> refined.name, refined.steps
        ('successive-single', 20)
        >>> Refined(load_codec("separation"), steps=20)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: separation has no network with which to refine symbols
    """

    def __init__(self, codec: Codec, steps: int, snr_db: float = 10.0) -> None:
        super().__init__(codec)
        self.steps, self.snr_db = steps, snr_db
        while isinstance(codec, Wrapped):
            codec = codec.codec
        if not isinstance(codec, NetworkCodec):
            raise CodecError(f"{codec.name} has no network with which to refine symbols")
        if not 1 <= steps <= MOST_STEPS:
            raise CodecError(f"refinement takes 1 to {MOST_STEPS} steps, not {steps}")
        self.trained = codec

    def hear_snr(self, snr_db: float) -> None:
        self.snr_db = snr_db

    def transmitter(self, cbr: float) -> Transmitter:
        return _Transmitter(self, self.codec.transmitter(cbr))


class _Transmitter(Transmitter):
    """Refines what another transmitter makes.

    Rounds that wait for no feedback are refined together, for the pictures after all of them alike. Where there is
    feedback a receiver is kept that hears what the other end heard, and each round is refined for the picture after it.
    """

    def __init__(self, refined: Refined, inner: Transmitter) -> None:
        self._refined, self._inner = refined, inner
        self._left: list[Payload] = []
        self._sent: Payload | None = None

    def start(self, image: np.ndarray) -> Payload:
        height, width = image.shape[:2]
        device = self._refined.trained.device
        rounds = [self._inner.start(image)]
        while not self._refined.uses_feedback and (payload := self._inner.next(None)) is not None:
            rounds.append(payload)
        self._target = to_pixels(image, height, width, device)
        self._mirror: TrainedReceiver = self._refined.trained.receiver(height, width)
        self._generator = torch.Generator(device).manual_seed(1)
        self._sent, *self._left = self._improved(rounds)
        return self._sent

    def next(self, feedback: Reception | None) -> Payload | None:
        if not self._refined.uses_feedback:
            return self._left.pop(0) if self._left else None
        payload = self._inner.next(feedback)
        if payload is None:
            return None
        with torch.no_grad():  # not inference mode, whose tensors no gradient can pass
            self._mirror.take(self._as_heard(feedback))
        (self._sent,) = self._improved([payload])
        return self._sent

    def _as_heard(self, feedback: Reception | None) -> Heard:
        """The last round as the receiver heard it, or may have."""
        device = self._refined.trained.device
        if feedback is not None:
            return heard(Reception(feedback.symbols, feedback.noise_var, self._sent.side_info), device)
        return self._crossed(torch.from_numpy(self._sent.symbols).to(device), self._sent.side_info)

    def _crossed(self, symbols: Tensor, side_info: bytes) -> Heard:
        """Symbols behind the simulated channel, with fresh noise."""
        snr_db = torch.tensor([self._refined.snr_db], device=symbols.device)
        received, noise_var = awgn(symbols[None], snr_db, self._generator)
        return Heard(received[0], noise_var[0], side_info)

    def _improved(self, rounds: list[Payload]) -> list[Payload]:
        """The same rounds with better symbols, of the same power, and the same side information."""
        device = self._target.device
        parts = [torch.view_as_real(torch.from_numpy(r.symbols).to(device)).clone() for r in rounds]
        sides = [r.side_info for r in rounds]
        moved = [part.requires_grad_(True) for part in parts if len(part)]
        if not moved:
            return rounds
        optimiser = torch.optim.Adam(moved, LEARNING_RATE, betas=(0.9, 0.95))
        steps = self._refined.steps
        rate = LEARNING_RATE * min(1, steps / ALL_OF_IT)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
            errors = self._errors(parts, sides)
            if not errors:
                return rounds
            optimiser.zero_grad()
            torch.stack(errors).log().mean().backward()
            optimiser.step()
        return [
            Payload(_of_power_one(part.detach()).cpu().numpy(), side) if len(part) else payload
            for part, side, payload in zip(parts, sides, rounds, strict=True)
        ]

    def _errors(self, parts: list[Tensor], sides: list[bytes]) -> list[Tensor]:
        """The mean squared error of the picture after each round that changes it."""
        height, width = self._target.shape[2:]
        receiver, errors = copy.copy(self._mirror), []
        for part, side in zip(parts, sides, strict=True):
            pixels = receiver.pixels(self._crossed(_of_power_one(part), side))
            if pixels is not None and pixels.requires_grad:  # else it shows nothing of these symbols
                errors.append((pixels[..., :height, :width] - self._target).square().mean())
        return errors


def _of_power_one(parts: Tensor) -> Tensor:
    """Real and imaginary parts float32[k, 2] as complex64[k] of mean power 1."""
    if not len(parts):
        return torch.view_as_complex(parts)
    return torch.view_as_complex(parts / parts.square().sum(1).mean().sqrt())
