"""Our OFDM link as a differentiable function of torch: what a network is trained through.

A training crop is treated as a window of a whole picture. The interleaver of the link says which burst, OFDM symbol
and carrier each of its symbols would take, so that a lost burst takes from a crop what it would take on the air. What
the receiver then leaves of a symbol z is

    r = z (1 + ε) exp(jφ) + n

with ε the error of the channel estimate (one for each burst and carrier), φ what is left of carrier offset and phase
(one for each OFDM symbol) and n the noise of the equalised carrier. The receiver tells the variance that it believes
in. Both errors fall with the noise, as they are estimated from cells that it hits: `RESIDUES` are their variances,
measured on the modem by `gr_jscc.benchmarks.residues` (``gr-jscc bench modem --only residue``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gr_jscc.channel.front_end import Quantiser
from gr_jscc.channel.impairment import MEAN_POWER, amplitude
from gr_jscc.link.bursts import LinkSettings, burst_size
from gr_jscc.link.interleaver import step
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY
from gr_jscc.nn.noise import add_noise, noise_variance
from gr_jscc.training.clipping import clipped
from gr_jscc.training.heard_air import STEPS, HeardAir
from gr_jscc.training.recipe import RecipeError

Channel = Callable[[Tensor], tuple[Tensor, Tensor]]

LARGEST_PICTURE = 96  # latent positions a side, of pictures that crops are windows of: 768 pixels at a stride of 8
TAPS, DECAY = 8, 2.0  # of the exponential power-delay profile that `gr_jscc.benchmarks.modem` measures with
WEAKEST = 1e-3  # power gain below which a carrier is as good as gone


@dataclass(frozen=True)
class Residue:
    """What the receiver leaves of the channel, as the modem was measured to.

    Attributes:
        gain: variance of the error of the channel estimate over the noise's.
        phase: variance of the phase over the noise's, radians².
        spread: standard deviation of the logarithm of the noise variance that is told, from burst to burst.

    Example:
        >>> RESIDUES["faded"].gain > RESIDUES["flat"].gain  # more taps are to be estimated
        True
    """

    gain: float
    phase: float
    spread: float


RESIDUES = {"flat": Residue(0.0093, 0.0031, 0.041), "faded": Residue(0.0176, 0.0039, 0.043)}


@dataclass(frozen=True)
class Places:
    """Where symbols stand on the air; all are int64[B, S, h, w].

    Attributes:
        burst: of the picture.
        carrier: data carrier.
        moment: of the `STEPS` into which a burst's duration is cut.
        bursts: how many the picture of most symbols has.

    Example:
        >>> rate, generator = torch.tensor([32]), torch.Generator().manual_seed(1)
        >>> places = places_of(rate, (16, 16, 16), 48, generator)
        >>> places.bursts > int(places.burst.max()), int(places.carrier.max())
        (True, 47)
    """

    burst: Tensor
    carrier: Tensor
    moment: Tensor
    bursts: int


def places_of(rate: Tensor, shape: tuple[int, int, int], carriers: int, generator: torch.Generator) -> Places:
    """Where the symbols of crops stand, each at a random place of a picture of random size.

    Args:
        rate: int64[B], latent channels that are sent, an even number.
        shape: (S, h, w) of a crop's symbols.
        carriers: data carriers of an OFDM symbol.
        generator: of sizes and places, on the rates' device.
    """
    pairs, height, width = shape
    device = rate.device

    def draw(low: int, high: Tensor | int) -> Tensor:
        """int64[B], from low to high."""
        share = torch.rand(len(rate), generator=generator, device=device)
        return low + (share * (high - low + 1)).long()

    rows, columns = (draw(side, max(side, LARGEST_PICTURE)) for side in (height, width))
    top, left = draw(0, rows - height), draw(0, columns - width)
    index = top[:, None] + torch.arange(height, device=device)
    index = index[:, :, None] * columns[:, None, None] + (left[:, None] + torch.arange(width, device=device))[:, None]
    positions = rows * columns
    pair = torch.arange(pairs, device=device)[None, :, None, None]
    index = index[:, None] + pair * positions[:, None, None, None]
    count = rate // 2 * positions
    inverse = torch.tensor([pow(step(n), -1, n) for n in count.tolist()], device=device)
    bursts = -(-count // LinkSettings().burst_symbols)
    size = burst_size(count, bursts)[:, None, None, None]
    count, inverse = count[:, None, None, None], inverse[:, None, None, None]
    place = index % count * inverse % count  # beyond the rate nothing is sent, and any place will do
    moment = place % size * STEPS // size
    return Places(place // size, place % size % carriers, moment, int(bursts.max()))


@dataclass(frozen=True)
class Air:
    """What the bursts of B pictures meet.

    Attributes:
        gain: complex64[B, bursts, carriers], of symbols after the equaliser, 1 but for the error of its estimate.
        phase: float32[B, bursts, STEPS], radians.
        noise_var: float32[B, bursts, carriers], of equalised symbols.
        told: of the same shape, what the receiver believes it to be.
        excess: float32[B, bursts, STEPS], how many times both are at a moment; ``inf`` where nothing arrives.

    Example:
        >>> lost = torch.tensor([[False, True]])
        >>> response = torch.ones(1, 2, 48, dtype=torch.complex64)
        >>> air = simulated_air(response, torch.tensor([0.1]), lost, RESIDUES["flat"], torch.Generator().manual_seed(1))
        >>> air.excess[0, :, 0].tolist()
        [1.0, inf]
    """

    gain: Tensor
    phase: Tensor
    noise_var: Tensor
    told: Tensor
    excess: Tensor


def simulated_air(
    response: Tensor, noise_var: Tensor, lost: Tensor, residue: Residue, generator: torch.Generator
) -> Air:
    """What a receiver leaves of a channel that it estimates burst by burst.

    Args:
        response: complex64[B, bursts, carriers].
        noise_var: float32[B], of a carrier.
        lost: bool[B, bursts].
        residue: of its estimates.
        generator: on the response's device.
    """
    noise_var = noise_var[:, None, None]
    error_var = residue.gain * noise_var
    estimate = add_noise(response, error_var.expand(response.shape), generator)
    power = (estimate.real.square() + estimate.imag.square()).clamp(min=WEAKEST)
    gain = response * estimate.conj() / power
    normal = torch.randn(*lost.shape, STEPS + 1, generator=generator, device=response.device)
    phase = (residue.phase * noise_var).sqrt() * normal[..., :STEPS]
    told = (noise_var + error_var) / power * (residue.spread * normal[..., STEPS:]).exp()
    excess = torch.where(lost[..., None], torch.inf, torch.ones_like(phase))
    return Air(gain, phase, noise_var / power, told, excess)


def heard_again(heard: HeardAir, pictures: int, bursts: int, generator: torch.Generator) -> Air:
    """Runs of bursts as a recording heard them, each from a random one on.

    Args:
        heard: the recording's bursts.
        pictures: B.
        bursts: of a picture.
        generator: on the device of what is returned.
    """
    device, residue = generator.device, RESIDUES["faded"]
    start = (torch.rand(pictures, generator=generator, device=device) * len(heard)).long()
    which = (start[:, None] + torch.arange(bursts, device=device)) % len(heard)
    told, excess = heard.carriers.to(device)[which], heard.moments.to(device)[which]
    lost = torch.isinf(told[..., :1])
    told = torch.where(lost, 1.0, told)
    noise_var = told / (1 + residue.gain)
    ones = torch.ones_like(noise_var, dtype=torch.complex64)
    gain = add_noise(ones, residue.gain * noise_var, generator)
    normal = torch.randn(*excess.shape, generator=generator, device=device)
    phase = (residue.phase * noise_var.mean(-1, keepdim=True)).sqrt() * normal
    return Air(gain, phase, noise_var, told, torch.where(lost, torch.inf, excess))


def cross(symbols: Tensor, places: Places, air: Air, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """complex64[B, S, h, w] as the codec is given them, and the noise variance that it is told, ``inf`` where lost."""
    picture = torch.arange(len(symbols), device=symbols.device)[:, None, None, None]
    at_carrier, at_moment = (picture, places.burst, places.carrier), (picture, places.burst, places.moment)
    excess, phase = air.excess[at_moment], air.phase[at_moment]
    turned = symbols * air.gain[at_carrier] * torch.polar(torch.ones_like(phase), phase)
    return add_noise(turned, air.noise_var[at_carrier] * excess, generator), air.told[at_carrier] * excess


def fading(pictures: int, bursts: int, generator: torch.Generator) -> Tensor:
    """Rayleigh taps with an exponential power-delay profile, anew for each burst: complex64[B, bursts, data carriers].

    The mean power gain is 1.
    """
    device = generator.device
    profile = torch.exp(-torch.arange(TAPS, device=device) / DECAY)
    parts = torch.randn(pictures, bursts, TAPS, 2, generator=generator, device=device)
    taps = torch.view_as_complex(parts) * (profile / profile.sum() / 2).sqrt()
    bins = torch.from_numpy(DEFAULT_NUMEROLOGY.data_bins).to(device)
    return torch.fft.fft(taps, DEFAULT_NUMEROLOGY.fft_size)[..., bins]


@dataclass(frozen=True)
class LinkChannel:
    """What is drawn for each picture that is trained on.

    Attributes:
        burst_loss: lowest and highest share of bursts lost; uniform between.
        lossy: share of pictures that lose bursts at all.
        faded: share of pictures whose bursts fade, see `fading`.
        papr_limit_db: peak over mean power that the modulator clips to, dB; 0: not at all.
        bits: of the receiver's converter; 0: no quantiser.
        heard: what a recording heard; its noise, fades and losses then take the place of all that is drawn.

    Raises:
        RecipeError: values that make no sense.

    Example:
        >>> generator = torch.Generator().manual_seed(1)
        >>> drawn = LinkChannel(burst_loss=(0.3, 0.3)).over(torch.tensor([32]), torch.tensor([10.0]), generator)
        >>> received, noise_var = drawn(torch.ones(1, 16, 16, 16, dtype=torch.complex64))
        >>> 0.1 < float(torch.isinf(noise_var).float().mean()) < 0.5
        True
        >>> LinkChannel(lossy=2.0)
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: lossy must be from 0 to 1, not 2.0
    """

    burst_loss: tuple[float, float] = (0.0, 0.0)
    lossy: float = 1.0
    faded: float = 0.0
    papr_limit_db: float = 0.0
    bits: int = 0
    heard: HeardAir | None = None

    def __post_init__(self) -> None:
        for name in ("lossy", "faded"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"{name} must be from 0 to 1, not {getattr(self, name)}")
        low, high = self.burst_loss
        if not 0 <= low <= high < 1:
            raise RecipeError(f"burst_loss must be two shares from 0 to below 1, the lower first, not {low} and {high}")
        if self.papr_limit_db and not 3 <= self.papr_limit_db <= 20:
            raise RecipeError(f"papr_limit_db must be 0 (off) or from 3 to 20 dB, not {self.papr_limit_db}")
        if self.bits and not 2 <= self.bits <= 24:
            raise RecipeError(f"bits must be 0 (off) or from 2 to 24, not {self.bits}")

    def over(self, rate: Tensor, snr_db: Tensor, generator: torch.Generator) -> Channel:
        """A channel for one batch, see `gr_jscc.nn.noise`.

        Args:
            rate: int64[B], latent channels that are sent.
            snr_db: float32[B], mean Es/N0; of no account where a recording is heard.
            generator: of all that is drawn, on their device.
        """

        def channel(symbols: Tensor) -> tuple[Tensor, Tensor]:
            carriers = self.heard.carriers.shape[1] if self.heard else DEFAULT_NUMEROLOGY.data_count
            places = places_of(rate, tuple(symbols.shape[1:]), carriers, generator)
            if self.heard:
                air = heard_again(self.heard, len(rate), places.bursts, generator)
            else:
                air = self._drawn(snr_db, places.bursts, generator)
            if self.papr_limit_db:
                symbols = clipped(symbols, rate // 2, self.papr_limit_db, generator)
            return cross(symbols, places, air, generator)

        return channel

    def _drawn(self, snr_db: Tensor, bursts: int, generator: torch.Generator) -> Air:
        count, device = len(snr_db), snr_db.device
        lossy, share, faded = torch.rand(3, count, generator=generator, device=device)
        low, high = self.burst_loss
        share = torch.where(lossy < self.lossy, low + (high - low) * share, 0.0)
        lost = torch.rand(count, bursts, generator=generator, device=device) < share[:, None]
        noise_var = noise_variance(snr_db) + (quantiser_noise(self.bits) if self.bits else 0.0)
        faded = (faded < self.faded)[:, None, None]
        response = fading(count, bursts, generator)
        flat = simulated_air(torch.ones_like(response), noise_var, lost, RESIDUES["flat"], generator)
        rough = simulated_air(response, noise_var, lost, RESIDUES["faded"], generator)
        return Air(*(torch.where(faded, getattr(rough, key), getattr(flat, key)) for key in vars(flat)))


def quantiser_noise(bits: int) -> float:
    """Noise variance that a converter of n bits for each of I and Q adds to a carrier, with the usual headroom.

    Its rounding is white noise of Δ²/12 a component (Bennett 1948), and the FFT is unitary.
    """
    width = amplitude(Quantiser.headroom_db, MEAN_POWER) / 2 ** (bits - 1)
    return width**2 / 6
