"""How a transmitter of HJSCC spends its channel uses: the quality, and η, before the first latent is sent.

The quality is the highest at which the whole picture stays within its symbols, at the η that the model was made for;
η then takes up the rest. With feedback what will arrive is not known yet, so a channel is imitated; the last rounds
make up for the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.end import End
from gr_jscc.codecs.hjscc.latent import Source
from gr_jscc.codecs.hjscc.network import HJSCCNetwork, encoder_numbers, over, power_scale
from gr_jscc.codecs.hjscc.tiled import bits_left
from gr_jscc.codecs.parts.picture_sample import sample_of
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES, finest_by_sample, largest_eta, quality_code
from gr_jscc.nn.noise import awgn
from gr_jscc.nn.rate_attention import of_group

QUALITIES = 17  # levels that a transmitter tries, from 0 to 1; η makes up for what lies between
ETA_STEPS = 32  # codes per octave of an η that the receiver is told
ETA_CODES = 256  # η from 2^-4 to 2^4; code 0 is not used
DOUBT = 1e-4  # part of a rate by which two machines' networks surely do not differ: some hundred times their rounding


@dataclass(frozen=True)
class Wish:
    """What the groups of one latent come to, and what rates that can lead to.

    Attributes:
        bits: float32[rows, columns], mean of a group's positions, times the latent's share of η.
        positions: int64[rows, columns], of each group.
        rates: int64[rates], channel values.

    Example:
        >>> wish = Wish(np.array([[0.5, 4.0, 20.0]]), np.array([[1, 1, 1]]), rates=np.array([0, 2, 4]))
        >>> wish.index(eta=0.5), wish.symbols(eta=0.5)
        (array([[0, 1, 2]]), 3)
    """

    bits: np.ndarray
    positions: np.ndarray
    rates: np.ndarray

    def index(self, eta: float) -> np.ndarray:
        """Indexes int64[rows, columns] of the rates nearest to η·bits."""
        return np.searchsorted((self.rates[1:] + self.rates[:-1]) / 2, eta * self.bits)

    def doubtful(self, eta: float) -> np.ndarray:
        """bool[rows, columns]: where another machine's rounding might lead to another index."""
        edges = (self.rates[1:] + self.rates[:-1]) / 2
        wanted = (eta * self.bits).astype(np.float64)[:, :, None]
        return (np.abs(wanted - edges) < DOUBT * (wanted + 1)).any(axis=2)

    def symbols(self, eta: float) -> int:
        """Complex symbols at an η."""
        return int((self.rates[self.index(eta)] * self.positions).sum()) // 2


@dataclass(frozen=True)
class Plan:
    """How a picture is going to be sent.

    Attributes:
        quality: code, 0 to `QUALITY_CODES`.
        eta: real channel values per bit.
        wishes: of every latent.
        source: the picture at that quality.
        end: of the transmitter, before all latents.

    Example:
        >>> from gr_jscc.codecs.hjscc.codec import HJSCC
        >>> end = End.start(HJSCC("hjscc-cifar").network, quality=200 / 255, rows=1, columns=1)
        >>> wish = Wish(np.array([[4.0]]), np.array([[16]]), rates=np.array([0, 2, 4]))
        >>> plan = Plan(quality=200, eta=0.5, wishes=[wish, wish], source=Source([], []), end=end)
        >>> symbols_of(plan.wishes, plan.eta)
        32
    """

    quality: int
    eta: float
    wishes: list[Wish]
    source: Source
    end: End


def quantise_eta(eta: float) -> int:
    """The code, 1 to `ETA_CODES` − 1, of the largest η that is no larger than the given one."""
    return int(np.clip(np.floor(np.log2(eta) * ETA_STEPS + 1e-9) + ETA_CODES // 2, 1, ETA_CODES - 1))


def eta_of(code: int) -> float:
    """The η behind a code."""
    return 2.0 ** ((code - ETA_CODES // 2) / ETA_STEPS)


def wish(network: HJSCCNetwork, latent: int, bits: Tensor) -> Wish:
    """What bits float32[1, h, w] of a latent's positions come to."""
    block = network.latents[latent]
    means = block.group_bits(bits)[0]
    numbers = torch.arange(means.numel(), device=means.device).reshape(means.shape)
    of_position = of_group(numbers, block.group, bits.shape[1:])
    positions = torch.bincount(of_position.flatten(), minlength=means.numel()).reshape(means.shape)
    return Wish(
        means.cpu().numpy() * network.shares[latent], positions.cpu().numpy(), block.rates.cpu().numpy()
    )  # fmt: skip


def symbols_of(wishes: Sequence[Wish], eta: float) -> int:
    """Complex symbols that wishes take at an η."""
    return sum(wished.symbols(eta) for wished in wishes)


@torch.inference_mode()
def wishes_of(source: Source, end: End, eta: float, snr_db: float, told: int) -> list[Wish]:
    """What every latent that is left comes to.

    Args:
        source: the picture.
        end: of the transmitter, so far.
        eta: real channel values per bit.
        snr_db: of the channel that is imitated with feedback.
        told: latents from 0 that are sent knowing what arrived of all before: all, or none of those that are left.
    """
    network, given, first = end.network, end.quality, end.latent + 1
    if told <= first:
        return [wish(network, latent, bits) for latent, bits in enumerate(bits_left(source, end, eta, snr_db), first)]
    wishes, snr, etas = [], torch.full_like(given, snr_db), torch.full_like(given, eta)
    generator = torch.Generator(given.device).manual_seed(1)
    state, numbers = end.state, encoder_numbers(given, snr)
    last = len(network.latents) - 1
    for latent in range(first, last + 1):
        prior = network.prior(latent, network.descend(latent, state, end.condition), end.condition, aware=True)
        target, bits = network.propose(latent, *source.of(network.level_of[latent]), prior, given)
        worth = network.worth(latent, prior, bits, given, aware=True)
        wishes.append(wish(network, latent, worth))
        if latent == last:
            break
        index = network.rate_index(latent, worth, etas)
        sent = network.encode(latent, target, prior, bits, index, etas, numbers, aware=True)
        scale = power_scale([sent])
        values, noise_var = over(lambda symbols: awgn(symbols, snr, generator), sent.values, scale)
        state = network.decode(latent, prior, index, values, noise_var, scale, end.condition, aware=True)
    return wishes


def plan(
    network: HJSCCNetwork, levels: list[Tensor], symbols: int, snr_db: float, told: int, eta: float | None
) -> Plan:
    """The best way to send a picture in at most so many complex symbols.

    Args:
        network: the model.
        levels: coefficients float32[1, C, h, w] of every level.
        symbols: for all latents together.
        snr_db, told: as in `wishes_of`.
        eta: fixed real channel values per bit; None: what fits.
    """
    known: dict[int, list[Wish]] = {}
    nominal = eta or network.eta

    def begun(levels: list[Tensor], quality: int) -> tuple[Source, End]:
        source = network.describe(levels, torch.tensor([quality / QUALITY_CODES], device=levels[0].device))
        return source, End.start(network, quality / QUALITY_CODES, *levels[0].shape[2:])

    def looked_at(levels: list[Tensor], level: int) -> list[Wish]:
        return wishes_of(*begun(levels, quality_code(level, QUALITIES)), network.eta, snr_db, told)

    def taken_by(level: int) -> int:
        known[level] = looked_at(levels, level)
        return symbols_of(known[level], nominal)

    def about(level: int) -> float:
        return times * symbols_of(looked_at(sample, level), nominal)

    sample, times = sample_of(levels, network.multiple)
    # A quality that takes a little too much is made up for by η, which must be free to.
    finest = finest_by_sample(QUALITIES, taken_by, about if times > 1 and eta is None else None, symbols)
    quality, wishes = quality_code(finest, QUALITIES), known[finest]
    if eta is None or symbols_of(wishes, nominal) > symbols:
        nominal = largest_eta(lambda eta: symbols_of(wishes, eta), symbols)
    return Plan(quality, nominal, wishes, *begun(levels, quality))
