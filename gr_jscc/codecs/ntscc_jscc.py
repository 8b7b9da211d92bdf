"""The rate-adaptive codec of NTSCC: f_e maps every latent vector to as many channel values as its rate says, and f_d
estimates it from what arrived (section III-B of the paper, figure 7).

Both work on *normalised* latents, each of unit variance over all pictures. A position at rate k sends the first k of
its C values, each with a gain of its own for that rate; rate tokens tell the attention blocks which rate that is.
Where the paper maps by a matrix for every rate, the gains suffice here: latents are in order of importance, and the
blocks before can mix them. In return the receiver can start from the best linear estimate, which uses the noise
variance of every single symbol and, from the hyperprior, the mean and variance of every latent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gr_jscc.nn.window_attention import WindowBlocks

NEVER = 1e6  # noise variance that stands for a value that never arrived


class JSCCEncoder(nn.Module):
    """f_e.

    Args:
        latents: C.
        rates: R, how many there are.
        blocks: attention blocks.
        attention: keyword arguments of `WindowBlocks`.
    """

    def __init__(self, latents: int, rates: int, blocks: int, attention: dict) -> None:
        super().__init__()
        self.tokens = nn.Embedding(rates, latents)
        self.blocks = WindowBlocks(latents, blocks, **attention)
        self.log_gain = nn.Embedding(rates, latents)
        for table in (self.tokens, self.log_gain):
            nn.init.zeros_(table.weight)

    def gain(self, index: Tensor) -> Tensor:
        """Amplitude gains float32[B, C, h, w] for rate indexes int64[B, h, w]."""
        return self.log_gain(index).permute(0, 3, 1, 2).float().exp()

    def forward(self, latents: Tensor, index: Tensor, sent: Tensor) -> Tensor:
        """Channel values float32[B, C, h, w], not scaled to a power; 0 where nothing is sent.

        Args:
            latents: float32[B, C, h, w], normalised.
            index: int64[B, h, w], rate indexes.
            sent: bool[B, C, h, w], the first values of every position that its rate admits.
        """
        x = self.blocks(latents + self.tokens(index).permute(0, 3, 1, 2))
        return torch.where(sent, x.float() * self.gain(index), 0)


class JSCCDecoder(nn.Module):
    """f_d, and with ``refine`` f_d*: the hyperprior's mean and scale join in the estimate.

    Args:
        latents, rates, blocks, attention: as `JSCCEncoder`.
        refine: hidden channels of the refinement; 0 for none (Comparison-I of the paper).
    """

    def __init__(self, latents: int, rates: int, blocks: int, attention: dict, refine: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(rates, latents)
        nn.init.zeros_(self.tokens.weight)
        self.blocks = WindowBlocks(latents, blocks, **attention, shifted=True)
        self.refinement = None
        if refine:
            self.refinement = nn.Sequential(
                nn.Conv2d(3 * latents, refine, 1), nn.LeakyReLU(0.1), nn.Conv2d(refine, latents, 1)
            )
            nn.init.zeros_(self.refinement[-1].weight)
            nn.init.zeros_(self.refinement[-1].bias)

    def forward(
        self, received: Tensor, noise_var: Tensor, gain: Tensor, index: Tensor, sent: Tensor,
        mean: Tensor | None, scale: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Estimates of normalised latents and the trust in them, float32[B, C, h, w].

        Args:
            received: float32[B, C, h, w], channel values before their scaling to a power.
            noise_var: of each, in the same units; large where a value never arrived.
            gain: of the encoder.
            index: int64[B, h, w].
            sent: bool[B, C, h, w].
            mean, scale: of the hyperprior, for normalised latents; None without refinement.
        """
        if self.refinement is None:
            mean, prior = torch.zeros_like(received), torch.ones_like(received)
        else:
            # Far-off scales of a badly fitting hyperprior must not blow up the estimate.
            prior = scale.square().clamp(1e-4, 4.0)
        kalman = torch.where(sent, prior * gain / (prior * gain.square() + noise_var), 0)
        estimate = mean + kalman * (received - gain * mean)
        trust = 1 - prior * (1 - kalman * gain)
        x = self.blocks(estimate + self.tokens(index).permute(0, 3, 1, 2)).float()
        if self.refinement is not None:
            x = x + self.refinement(torch.cat([x, mean, prior.log() / 2], dim=1)).float()
        return x, trust.clamp(min=0)
