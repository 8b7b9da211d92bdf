"""What one end of HJSCC over hyperlatents holds of a picture; the transmitter and the receiver keep one each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.hyper_feedback_network import Belief, HyperFeedbackNetwork
from gr_jscc.codecs.hjscc.hyper_feedback_side_info import threshold_of
from gr_jscc.codecs.parts.hyper import STRIDE, Hyperprior
from gr_jscc.codecs.parts.masked_values import placed
from gr_jscc.codecs.parts.power_scale import exact_scale
from gr_jscc.codecs.trained import Heard

SCALE_STEPS = 24  # codes per octave of a power scale


@dataclass(frozen=True)
class End:
    """One end; `begun` makes it, and `after` takes a round.

    Attributes:
        network: of the codec.
        exact: its hyperprior in double precision, as both ends must derive the same latents from what arrived.
        quality: float32[1].
        of_hyper: what is known of hyperlatents.
        latents: what is known of latents.
        number: of the last round that is in it, −1 before the first.
        history: of each round, a checksum of what arrived.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> end = load_codec("hjscc-feedback").end(quality=128, rows=6, columns=4)
        >>> end.mask(number=0, blind=False, threshold=0).shape, end.latents.variance.shape
        (torch.Size([1, 48, 2, 1]), torch.Size([1, 384, 6, 4]))
    """

    network: HyperFeedbackNetwork
    exact: Hyperprior
    quality: Tensor
    of_hyper: Belief
    latents: Belief
    number: int = -1
    history: tuple[int, ...] = ()

    @property
    def state(self) -> int:
        """Hash, 0 to 65535, of what arrived."""
        return zlib.crc32(repr(self.history).encode()) & 0xFFFF

    def lacking(self, number: int, blind: bool) -> Tensor:
        """Variances in squared steps, float64[1, C, h, w], that a round with latents is for."""
        return self.network.in_steps(self._origin(number, blind)[0], self.quality)

    def mask(self, number: int, blind: bool, threshold: int) -> Tensor:
        """bool[1, C, h, w]: what a round sends, of latents those above a threshold's code."""
        if not number:
            return self.network.hyper_mask(self.quality, *self.of_hyper.estimate.shape[2:])
        limit = torch.full_like(self.quality, threshold_of(threshold), dtype=torch.float64)
        return self.network.lacking(self._origin(number, blind)[0], self.quality, limit)

    def values(self, number: int, blind: bool, mask: Tensor, latents: Tensor) -> Tensor:
        """Channel values float32[1, C, h, w] of a round, of a picture's latents; 0 where nothing is sent."""
        origin, gain = self._origin(number, blind)
        source = latents / self.network.amplitude if number else self.network.hyper(latents, self.quality)
        return torch.where(mask, self.network.values(source, origin, gain), 0)

    def after(self, number: int, blind: bool, mask: Tensor, came: Heard, scale: int) -> End:
        """The end when a round has arrived; the power scale as its code."""
        origin, gain = self._origin(number, blind)
        before, count = self.latents if number else self.of_hyper, int(mask.sum())
        amplitude = torch.full_like(self.quality, exact_scale(scale, SCALE_STEPS), dtype=torch.float64)
        received = placed(torch.view_as_real(came.symbols).flatten()[:count] * amplitude.float(), mask)
        noise_var = placed(came.noise_var.repeat_interleave(2)[:count], mask)
        belief = self.network.after(before, origin, gain, mask, received, noise_var, amplitude)
        arrived = b"".join(x.detach().cpu().numpy().tobytes() for x in (came.symbols, came.noise_var))
        now = replace(self, number=number, history=(*self.history, zlib.crc32(arrived)))
        if number:
            return replace(now, latents=belief)
        rows, columns = self.latents.estimate.shape[2:]
        return replace(now, of_hyper=belief, latents=self.network.described(belief, self.exact, rows, columns))

    def _origin(self, number: int, blind: bool) -> tuple[Belief, Tensor]:
        """What a round is sent from, and its gains."""
        network = self.network
        if not number:
            return self.of_hyper, network.hyper_gain(self.quality)
        origin, place = (network.unknown(self.latents), 0) if blind else (self.latents, number - 1)
        return origin, network.gain(origin, place)


def begun(network: HyperFeedbackNetwork, exact: Hyperprior, quality: float, rows: int, columns: int) -> End:
    """An end that has heard nothing yet.

    Args:
        network, exact: as `End` has them.
        quality: from 0 to 1.
        rows, columns: of the latents.
    """
    given = torch.tensor([quality], device=network.log_power.device)
    of_hyper = network.of_hyper(given, -(-rows // STRIDE), -(-columns // STRIDE))
    ones = torch.ones(1, network.latents, rows, columns, dtype=torch.float64, device=given.device)
    return End(network, exact, given, of_hyper, network.unknown(Belief(ones, ones.float(), ones)))
