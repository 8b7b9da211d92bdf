"""The network of NTSCC as a differentiable torch module (Dai et al. 2022, "Nonlinear transform source-channel coding").

    images ─ g_a ─ y ─ f_e ─ symbols ─ channel ─ f_d* ─ ŷ ─ g_s ─ pictures
                   │    │                         │
                   │    k̄ = Q(−η log2 p(y|z))      │ μ, σ
                   └ h_a ─ z ─── side info ────── h_s

One model serves a range of qualities: the step by which the entropy model counts the latents depends on a number from
0 (coarse) to 1 (fine), which stands for the paper's λ. Only z and the rate indexes are ever quantised and coded; the
latents themselves cross as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.jscc import JSCCDecoder, JSCCEncoder, Prior
from gr_jscc.codecs.parts.latent_model import NEVER, LatentModel
from gr_jscc.codecs.parts.power_scale import known_scale
from gr_jscc.nn.entropy_models import gaussian_bits, rounded
from gr_jscc.nn.growing import spread_parts

LARGEST_VARIANCE = (4.0, 60.0)  # that the codec believes of a normalised latent, sent as it is or as an innovation
QUANTISING_NOISE = 1 / 12  # variance of an error that is uniform over a step


@dataclass(frozen=True)
class Modelled:
    """Latents and what the entropy model says of them.

    Attributes:
        counted: ỹ, float32[B, C, h, w], the normalised latents as their bits were counted: rounded, or with noise.
        bits: float32[B, h, w], of every latent vector.
        hyper_bits: float32[B], of the hyperlatents.
        mean, scale: float32[B, C, h, w], of the normalised latents.

    Example:
        >>> from gr_jscc.codecs.ntscc.codec import NTSCC
        >>> network = NTSCC("ntscc-cifar").network
        >>> latents = network.transforms.analyse(torch.zeros(2, 3, 32, 32))
        >>> modelled = network.model(latents, quality=torch.tensor([0.0, 1.0]))
        >>> modelled.bits.shape, modelled.hyper_bits.shape
        (torch.Size([2, 8, 8]), torch.Size([2]))
    """

    counted: Tensor
    bits: Tensor
    hyper_bits: Tensor
    mean: Tensor
    scale: Tensor


class NTSCCNetwork(LatentModel):
    """Transforms, entropy model and rate-adaptive codec; images float32[B, 3, H, W] in [0, 1].

    Args:
        config: what it is made of.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> attention = {"blocks": 1, "inner": 8, "heads": 1, "window": 4, "hidden": 8}
        >>> hyper = {"width": 8, "channels": 3, "kernel": 3}
        >>> network = NTSCCNetwork(NTSCCConfig(8, windows, [2, 8], attention, hyper, refine=8))
        >>> network.stride, network.sent(torch.tensor([[[0, 1]]])).sum(dim=1)
        (4, tensor([[[2, 8]]]))
    """

    def __init__(self, config: NTSCCConfig) -> None:
        super().__init__(config.latents, config.transforms, config.hyper)
        self.config = config.as_dict()
        latents, rates, codec = config.latents, config.rates, config.codec
        self.adaptive, self.eta = config.adaptive, config.eta
        self.multipliers = tuple(config.multipliers)
        attention = {key: value for key, value in codec.items() if key != "blocks"}
        self.encoder = JSCCEncoder(latents, len(rates), codec["blocks"], attention, config.innovations)
        self.decoder = JSCCDecoder(latents, len(rates), codec["blocks"], attention, config.refine)
        self.register_buffer("rates", torch.tensor(rates, device="cpu"), persistent=False)
        self.register_buffer("edges", (self.rates[:-1] * self.rates[1:]).double().sqrt().float(), persistent=False)

    # --- starts ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def start_linear(self, images: Tensor) -> None:
        """Makes a fresh network the linear code of training crops, with steps that fit its multipliers."""
        self._start(*self.transforms.start_linear(images))

    def _start(self, power: Tensor, error: Tensor) -> None:
        """Channel values that are the latents, and steps at which a bit saves as much error as its values cost at λ.

        A quantiser of step Δ saves ln 2 · Δ²/6 a bit, and a bit costs η/2 channel uses.
        """
        self.log_power.copy_(power.log())
        self.encoder.log_gain.weight.copy_(power.log() / 2)
        for quality in (0, 1):
            saved = self.multipliers[quality] * self.eta / 2 / (math.log(2) / 6) / 255**2
            self.log_step.data[quality] = (saved / error).log() / 2

    @torch.no_grad()
    def translated(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a trained DeepJSCC as those of this network, or of an NTSCC of at most as many latents."""
        if "log_step" in tensors:
            return tensors | {"log_step": spread_parts(tensors["log_step"], self.log_step, 1, 1)}
        if not hasattr(self.transforms, "translated"):
            return tensors
        kept = {f"transforms.{key}": value for key, value in self.transforms.translated(tensors).items()}
        error = tensors["synthesis.weight"].float().square().sum((0, 2, 3))
        self._start(tensors["log_power"].float().exp().repeat_interleave(4), error.repeat_interleave(4))
        return kept

    # --- entropy model -----------------------------------------------------------------------------------------------

    def model(self, latents: Tensor, quality: Tensor, generator: torch.Generator | None = None) -> Modelled:
        """Runs the entropy model.

        Args:
            latents: y, float32[B, C, h, w].
            quality: float32[B].
            generator: of uniform noise in place of rounding, for training; None: rounds.
        """
        values = latents / self.steps(quality)
        hyper = self.hyperprior.summarise(values)
        mean, scale = self.hyperprior.describe(rounded(hyper), *values.shape[2:])
        unit = self.amplitude / self.steps(quality)
        if generator is None:
            counted, counted_hyper = values.round(), hyper.round()
        else:
            counted, counted_hyper = (
                x + torch.rand(x.shape, generator=generator, device=x.device) - 0.5 for x in (values, hyper)
            )
        bits = gaussian_bits(counted, mean * unit, scale * unit).sum(1)
        return Modelled(counted / unit, bits, self.hyperprior.prior(counted_hyper).sum((1, 2, 3)), mean, scale)

    def rate_index(self, bits: Tensor, eta: Tensor) -> Tensor:
        """Indexes int64[B, h, w] of the rates next to η·bits, by their ratio (equation 28).

        Args:
            bits: float32[B, h, w].
            eta: float32[B]; without rate adaptation it is the place of the one rate among all, 0 to 1.
        """
        if not self.adaptive:
            index = (eta * len(self.rates)).long().clamp(max=len(self.rates) - 1)
            return index[:, None, None].expand(bits.shape)
        wanted = eta[:, None, None] * bits.detach()
        return torch.bucketize(wanted, self.edges)

    def sent(self, index: Tensor) -> Tensor:
        """bool[B, C, h, w]: which channel values rate indexes int64[B, h, w] admit."""
        places = torch.arange(self.latents, device=index.device)[None, :, None, None]
        return places < self.rates[index][:, None]

    # --- over the channel --------------------------------------------------------------------------------------------

    def prior(self, latents: Tensor, mean: Tensor | None, spread: Tensor | None) -> Prior:
        """What both ends know of latents float32[B, C, h, w] (only the shape counts) by the hyperprior's μ and σ."""
        if self.decoder.refinement is None or mean is None:
            return Prior(torch.zeros_like(latents), torch.ones_like(latents))
        # Far-off scales of a badly fitting hyperprior must not blow up the estimate.
        return Prior(mean, spread.square().clamp(1e-4, LARGEST_VARIANCE[self.encoder.exponent is not None]))

    def modulate(self, latents: Tensor, index: Tensor, prior: Prior) -> tuple[Tensor, Tensor, Tensor]:
        """f_e: latents to symbols.

        Args:
            latents: y, float32[B, C, h, w].
            index: int64[B, h, w], rate indexes.
            prior: of `prior`.

        Returns:
            complex64[B, C/2, h, w] of mean power 1 over those that are sent, bool of the same shape which those are,
            and the scale float32[B] as the receiver will know it.
        """
        sent = self.sent(index)
        values = self.encoder(latents / self.amplitude, index, sent, prior)
        count = sent.sum((1, 2, 3)) / 2
        scale = (values.square().sum((1, 2, 3)) / count + 1e-8).sqrt()
        symbols = torch.complex(values[:, 0::2], values[:, 1::2]) / scale[:, None, None, None]
        return symbols, sent[:, 0::2], known_scale(scale)

    def demodulate(
        self,
        received: Tensor,
        noise_var: Tensor,
        scale: Tensor,
        index: Tensor,
        prior: Prior,
    ) -> Tensor:
        """f_d* and g_s: symbols to pictures float32[B, 3, H, W], not clipped; arguments as of `estimated`."""
        estimate, trust, sums = self.estimated(received, noise_var, scale, index, prior)
        return self.transforms.synthesise(estimate * self.amplitude, trust, self.numbers(sums))

    def estimated(
        self, received: Tensor, noise_var: Tensor, scale: Tensor, index: Tensor, prior: Prior
    ) -> tuple[Tensor, Tensor, Tensor]:
        """f_d*: symbols to normalised latents and the trust in them, float32[B, C, h, w], and `sums` of both.

        Args:
            received: complex64[B, C/2, h, w].
            noise_var: float32 of the same shape, per complex symbol; ``inf`` where a symbol is lost.
            scale: float32[B].
            index: int64[B, h, w].
            prior: of `prior`, as the transmitter's.
        """
        x, trust, sums = self.arrived(received, noise_var, scale, index, prior)
        return self.decoder.refined(self.decoder.blocks(x).float(), prior), trust, sums

    def arrived(
        self, received: Tensor, noise_var: Tensor, scale: Tensor, index: Tensor, prior: Prior
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What f_d's blocks are given, and beside it what `estimated` returns; arguments as there."""
        sent = self.sent(index)
        scale = scale[:, None, None, None]
        values = torch.where(sent, torch.stack([received.real, received.imag], dim=2).flatten(1, 2) * scale, 0)
        noise = (noise_var.clamp(max=NEVER) * scale.square() / 2).repeat_interleave(2, dim=1)
        gain = self.encoder.gain(index, prior)
        x, trust = self.decoder.arrived(values, noise, gain, self.encoder.offset(prior), index, sent, prior)
        return x, trust, self.sums(sent, trust, noise * (self.amplitude / gain).square())

    def compress(self, latents: Tensor, quality: Tensor) -> Tensor:
        """The picture from rounded latents, as a compressor (NTC) of this entropy model would give it."""
        step = self.steps(quality)
        noise = (step.square() * QUANTISING_NOISE).expand(latents.shape)
        # What rounds to nothing is off by itself, and by no more.
        trust = (1 - noise / self.amplitude.square()).clamp(min=0)
        everything = torch.ones(latents.shape, dtype=torch.bool, device=latents.device)
        numbers = self.numbers(self.sums(everything, trust, noise))
        return self.transforms.synthesise(rounded(latents / step) * step, trust, numbers)

    def transmit(self, latents: Tensor, modelled: Modelled, index: Tensor, channel) -> Tensor:
        """The picture by way of a differentiable channel, see `gr_jscc.nn.noise`."""
        prior = self.prior(latents, modelled.mean, modelled.scale)
        symbols, _, scale = self.modulate(latents, index, prior)
        received, noise_var = channel(symbols)
        return self.demodulate(received, noise_var, scale, index, prior)

    def forward(
        self, images: Tensor, quality: Tensor, eta: Tensor, channel, compressed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Image to image, as training wants it.

        Args:
            images: float32[B, 3, H, W], sides multiples of the stride.
            quality: float32[B] in [0, 1].
            eta: float32[B], real channel values per bit.
            channel: see `gr_jscc.nn.noise`; None: only compress.
            compressed: how many of the images to compress as well; None: all.
            generator: as in `model`.

        Returns:
            ``compressed`` float32[compressed, 3, H, W] if any, ``transmitted`` float32[B, 3, H, W],
            ``bits`` float32[B, h, w], ``hyper_bits`` float32[B], ``uses`` float32[B] complex symbols sent,
            ``latents`` float32[B, C, h, w], see `Modelled.counted`.
        """
        latents = self.transforms.analyse(images)
        modelled = self.model(latents, quality, generator)
        result = {"bits": modelled.bits, "hyper_bits": modelled.hyper_bits, "latents": modelled.counted}
        if compressed != 0:
            result["compressed"] = self.compress(latents[:compressed], quality[:compressed])
        if channel is not None:
            index = self.rate_index(modelled.bits, eta)
            result["uses"] = self.rates[index].sum((1, 2)) / 2
            result["transmitted"] = self.transmit(latents, modelled, index, channel)
        return result
