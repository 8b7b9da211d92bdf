"""Moving pictures made of photos: a window that wanders over one, with parts of others that move in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SPEEDS, SHARES = (0.0, 1.0, 3.0, 8.0), (0.4, 0.25, 0.2, 0.15)  # pixels a frame, and how often
SHAKES = (0.1, 0.5, 1.5)  # pixels, of all that move and of some that do not
NOISES = (0.0, 0.004, 0.01, 0.015)  # of a sensor, of values from 0 to 1
PLACES = 5  # a side, whose displacements make a smooth warp


@dataclass
class _Thing:
    """Something that moves in front: float32[1, 3, side, side], how much it hides, where, and how it moves."""

    texture: Tensor
    mask: Tensor
    place: np.ndarray
    speed: np.ndarray


class MovingWindow:
    """Frames one after the other, float32[1, 3, side, side] in steps of 1/255.

    Args:
        canvas: float32[3, N, N] in [0, 1], over which the window wanders.
        others: float32[B, 3, N, N], of which the things in front are made.
        side: of the window, pixels; about half of N.
        rng: of all that is drawn.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> window = MovingWindow(torch.rand(3, 64, 64), torch.rand(1, 3, 64, 64), side=32, rng=rng)
        >>> window.next().shape
        torch.Size([1, 3, 32, 32])
    """

    def __init__(self, canvas: Tensor, others: Tensor, side: int, rng: np.random.Generator) -> None:
        self._canvas, self._side, self._rng = canvas[None].clone(), side, rng
        self._room = canvas.shape[-1] / 4  # that its middle has on each side
        speed = rng.choice(SPEEDS, p=SHARES)
        is_still = speed == 0
        self._shake = 0.0 if is_still and rng.random() < 0.75 else rng.choice(SHAKES)
        self._speed = rng.normal(size=2) * speed
        self._zooming, self._turning = (1 - is_still) * rng.normal(size=2) * (0.006, 0.008)
        self._place, self._zoom, self._turn = rng.uniform(-0.6, 0.6, 2) * self._room, 0.0, 0.0
        self._noise, self._warp = rng.choice(NOISES), 0.0 if rng.random() < 0.5 else rng.uniform(0.3, 2.0)
        self._field = rng.normal(size=(1, 2, PLACES, PLACES))
        self._light, self._fading = 1.0, 0.0 if rng.random() < 0.7 else rng.normal() * 0.01
        self._things = [self._thing(others[rng.integers(len(others))]) for _ in range(rng.choice((0, 1, 1, 2)))]

    def next(self) -> Tensor:
        """The next frame."""
        frame = self._frame()
        self._move()
        return frame

    def _thing(self, photo: Tensor) -> _Thing:
        rng, side = self._rng, int(self._rng.integers(self._side // 4, 3 * self._side // 4))
        texture = F.interpolate(photo[None], (side, side), mode="bilinear", antialias=True, align_corners=False)
        y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, side)], indexing="ij")
        away = torch.hypot(y, x) if rng.random() < 0.6 else torch.maximum(y.abs(), x.abs()) + 0.15
        away = away + 0.1 * torch.sin(3 * torch.atan2(y, x) + rng.uniform(0, 6))
        mask = ((0.85 - away) * side / 4).clamp(0, 1)[None, None]
        return _Thing(
            texture, mask, rng.uniform(-0.5, 0.5, 2) * self._side, rng.normal(size=2) * rng.choice((0.5, 2, 5))
        )

    def _frame(self) -> Tensor:
        side, rng = self._side, self._rng
        line = (torch.arange(side) + 0.5) - side / 2
        y, x = torch.meshgrid(line, line, indexing="ij")
        warp = F.interpolate(torch.from_numpy(self._field).float(), (side, side), mode="bicubic", align_corners=True)[0]
        zoom = np.exp(self._zoom)
        cosine, sine = np.cos(self._turn) * zoom, np.sin(self._turn) * zoom
        down = cosine * y - sine * x + self._place[0] + self._warp * warp[0]
        right = sine * y + cosine * x + self._place[1] + self._warp * warp[1]
        frame = _sampled(self._canvas, down, right, "reflection")
        for thing in self._things:
            where = y - thing.place[0], x - thing.place[1]
            hidden = _sampled(thing.mask, *where)
            frame = frame * (1 - hidden) + hidden * _sampled(thing.texture, *where)
        frame = self._light * frame + self._noise * torch.from_numpy(rng.normal(size=frame.shape)).float()
        return (frame.clamp(0, 1) * 255).round() / 255

    def _move(self) -> None:
        rng = self._rng
        place = self._place + self._speed + rng.normal(size=2) * self._shake
        self._speed = np.where(np.abs(place) > self._room, -self._speed, self._speed)
        self._place = np.clip(place, -self._room, self._room)
        self._zoom = float(np.clip(self._zoom + self._zooming, -0.4, 0.25))
        self._turn += self._turning
        self._light = float(np.clip(self._light + self._fading, 0.7, 1.2))
        self._field = 0.9 * self._field + 0.43 * rng.normal(size=self._field.shape)
        for thing in self._things:
            thing.place = thing.place + thing.speed + 0.3 * rng.normal(size=2)
            thing.speed = np.where(np.abs(thing.place) > 0.6 * self._side, -thing.speed, thing.speed)


def _sampled(picture: Tensor, down: Tensor, right: Tensor, beyond: str = "zeros") -> Tensor:
    """A picture [1, C, N, N] at places in pixels from its middle, [h, w]."""
    places = torch.stack([right, down], dim=-1)[None].float() * (2 / picture.shape[-1])
    return F.grid_sample(picture, places, mode="bicubic", padding_mode=beyond, align_corners=False).clamp(0, 1)
