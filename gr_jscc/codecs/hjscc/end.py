"""The top-down path as one end of a link walks it, latent by latent, for one picture.

Both ends of a link with feedback hold the same `End`: the same symbols went into it, in the same order. What it has
seen, it sums up in a hash.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.latent import Prior, Sent, State
from gr_jscc.codecs.hjscc.network import HJSCCNetwork
from gr_jscc.codecs.parts.masked_values import placed


@dataclass(frozen=True)
class End:
    """A state and what led to it; see `State`.

    Attributes:
        network: of both ends.
        quality: float32[1].
        latent: the last that is in the state; −1 before the first.
        state: of the top-down path.
        history: of every latent so far, checksums of its rate indexes and of what arrived.

    Example:
        >>> from gr_jscc.codecs.hjscc.codec import HJSCC
        >>> end = End.start(HJSCC("hjscc-cifar").network, quality=0.5, rows=1, columns=2)
        >>> end.latent, end.after_nothing().latent, end.after_nothing().picture().shape
        (-1, 0, torch.Size([1, 3, 16, 32]))
    """

    network: HJSCCNetwork
    quality: Tensor
    latent: int
    state: State
    history: tuple[tuple[int, int], ...] = ()

    @classmethod
    def start(cls, network: HJSCCNetwork, quality: float, rows: int, columns: int) -> End:
        """Before all latents, for so many positions of the coarsest level."""
        given = torch.tensor([quality], device=network.bias.device)
        return cls(network, given, -1, network.begin(network.given(given), rows, columns))

    @property
    def condition(self) -> Tensor:
        return self.network.given(self.quality)

    def seen(self, told: int) -> int:
        """Hash, 0 to 65535, of what led here, as far as a transmitter knows it that was told so much.

        Args:
            told: latents that are sent knowing what arrived of all before.
        """
        known = [
            rates if latent + 1 >= told else (rates, arrived) for latent, (rates, arrived) in enumerate(self.history)
        ]
        return zlib.crc32(repr(known).encode()) & 0xFFFF

    def prior(self, aware: bool) -> Prior:
        """What the state says of the next latent."""
        network, latent, condition = self.network, self.latent + 1, self.condition
        return network.prior(latent, network.descend(latent, self.state, condition), condition, aware)

    def after(self, prior: Prior, index: np.ndarray, symbols: Tensor, noise_var: Tensor, scale: float) -> End:
        """The end after the next latent arrived, whose transmitter knows what had arrived before.

        Args:
            prior: of it, `prior`.
            index: int64[rows, columns].
            symbols: complex64[k], 0 where nothing arrived.
            noise_var: float32[k], ``inf`` where nothing arrived.
            scale: amplitude of the values for symbols of power 1.
        """
        rates = torch.from_numpy(index).to(self.state.estimate.device)[None]
        mask = self.network.latents[self.latent + 1].mask(rates, prior)
        values = placed(torch.view_as_real(symbols).flatten() * scale, mask)
        noise = placed(noise_var.repeat_interleave(2), mask)
        came = b"".join(x.detach().cpu().numpy().tobytes() for x in (symbols, noise_var))
        checksums = zlib.crc32(index.tobytes()), zlib.crc32(came)
        return self._decoded(prior, rates, values, noise, scale, True, checksums)

    def after_untold(self, prior: Prior, sent: Sent) -> End:
        """The end of a transmitter that takes what it sent for what arrived."""
        checksums = zlib.crc32(sent.index.cpu().numpy().tobytes()), 0
        return self._decoded(prior, sent.index, sent.values, torch.zeros_like(sent.values), 1.0, True, checksums)

    def after_nothing(self) -> End:
        """The end after the next latent was lost altogether."""
        prior = self.prior(aware=False)
        block = self.network.latents[self.latent + 1]
        index = torch.zeros(map_size(block.group, *prior.mean.shape[2:]), dtype=torch.int64)[None]
        nothing = torch.zeros_like(prior.mean)
        return self._decoded(prior, index.to(nothing.device), nothing, nothing, 1.0, False, (0, 0))

    def picture(self) -> Tensor:
        """float32[1, 3, H, W], not clipped."""
        return self.network.finish(self.latent, self.state, self.condition)

    def _decoded(
        self, prior: Prior, index: Tensor, values: Tensor, noise: Tensor, scale: float, aware: bool,
        checksums: tuple[int, int],
    ) -> End:  # fmt: skip
        latent = self.latent + 1
        scales = torch.tensor([scale], device=values.device)
        state = self.network.decode(latent, prior, index, values, noise, scales, self.condition, aware)
        return replace(self, latent=latent, state=state, history=(*self.history, checksums))


def map_size(group: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of a rate map."""
    return -(-rows // group), -(-columns // group)
