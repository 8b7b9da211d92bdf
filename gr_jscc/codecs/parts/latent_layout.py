"""How latents of pictures of any size are laid out, and how many symbols they take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LatentLayout:
    """Latents that grow with the picture, or that each of its tiles has.

    Attributes:
        side: pixels; sides of pictures are padded to multiples of it.
        shape: of the latents of a square of that side: channels, then rows and columns (of a tile: anything).
        is_complex: whether a value is a symbol; else two are.
        tiled: whether the picture is cut into tiles of ``side``.

    Example:
        >>> layout = LatentLayout(16, (32, 2, 2), is_complex=False, tiled=False)
        >>> layout.padded(100, 150), layout.shape_of(100, 150), layout.symbols(100, 150, 32)
        ((112, 160), (32, 14, 20), 4480)
    """

    side: int
    shape: tuple[int, ...]
    is_complex: bool
    tiled: bool

    @property
    def channels(self) -> int:
        """How many there are."""
        return self.shape[0]

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Sides of a picture that is padded."""
        return -(-height // self.side) * self.side, -(-width // self.side) * self.side

    def tiles(self, height: int, width: int) -> int:
        """How many go through the networks; 1 where the picture is not cut."""
        rows, columns = self.padded(height, width)
        return rows // self.side * (columns // self.side) if self.tiled else 1

    def shape_of(self, height: int, width: int) -> tuple[int, ...]:
        """Of a picture's latents, or of each of its tiles'."""
        if self.tiled:
            return self.shape
        rows, columns = self.padded(height, width)
        return self.shape[0], self.shape[1] * (rows // self.side), self.shape[2] * (columns // self.side)

    def values(self, height: int, width: int, channels: int) -> int:
        """Of the first channels of a picture."""
        return self.tiles(height, width) * channels * math.prod(self.shape_of(height, width)[1:])

    def symbols(self, height: int, width: int, channels: int) -> int:
        """Complex symbols of the first channels of a picture."""
        values = self.values(height, width, channels)
        return values if self.is_complex else -(-values // 2)

    def cut(self, pixels: Tensor) -> Tensor:
        """A padded picture [1, 3, H, W] as the networks take it: as it is, or its tiles [N, 3, side, side]."""
        if not self.tiled:
            return pixels
        tiles = F.pixel_unshuffle(pixels.permute(1, 0, 2, 3), self.side)  # [3, side², rows, columns]
        return tiles.flatten(2).permute(2, 0, 1).reshape(-1, 3, self.side, self.side)

    def joined(self, pixels: Tensor, height: int, width: int) -> Tensor:
        """What `cut` gave as a padded picture [1, 3, H, W] again."""
        if not self.tiled:
            return pixels
        rows, columns = (length // self.side for length in self.padded(height, width))
        tiles = pixels.reshape(-1, 3, self.side**2).permute(1, 2, 0).reshape(3, self.side**2, rows, columns)
        return F.pixel_shuffle(tiles, self.side).permute(1, 0, 2, 3)
