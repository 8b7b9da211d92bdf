"""What codecs have in common whose network is a `gr_jscc.codecs.parts.latent_model.LatentModel`."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from gr_jscc.codecs.parts.latent_model import LatentModel
from gr_jscc.codecs.parts.pixels import padded
from gr_jscc.codecs.trained import TrainedCodec


class OverLatents(TrainedCodec):
    """A codec that knows where the latents of a picture are.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> load_codec("ntscc").grid(height=33, width=16)
        (3, 1)
    """

    network: LatentModel

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Latent positions down and across for a picture's size."""
        return -(-height // self.network.stride), -(-width // self.network.stride)

    def latents_of(self, image: np.ndarray) -> Tensor:
        """g_a: uint8[H, W, 3] → latents float32[1, C, h, w]."""
        (rows, columns), stride = self.grid(*image.shape[:2]), self.network.stride
        with self.autocast():
            return self.network.transforms.analyse(padded(image, rows * stride, columns * stride, self.device)).float()
