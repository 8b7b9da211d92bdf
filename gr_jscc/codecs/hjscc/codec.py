"""HJSCC: learned image transmission with a hierarchical variational autoencoder (Zhang et al. 2025), between two
processes.

Without feedback all latents are one round. With feedback each is a round of its own, and the transmitter goes on from
what came back; when feedback is lost, it goes on from what it sent, and all that is left is one round. Which of it the
receiver must reckon with, and what a check of both ends' states needs, is in the side information (see
`hjscc_side_info`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import CodecError, Insight, Payload, Receiver, Reception, Transmitter, channel_uses
from gr_jscc.codecs.hjscc.config import HJSCCConfig
from gr_jscc.codecs.hjscc.end import End, map_size
from gr_jscc.codecs.hjscc.latent import Prior, Sent
from gr_jscc.codecs.hjscc.network import SCALE_STEPS, HJSCCNetwork, encoder_numbers, power_scale
from gr_jscc.codecs.hjscc.plan import Wish, eta_of, plan, quantise_eta, symbols_of, wish, wishes_of
from gr_jscc.codecs.hjscc.side_info import SideInfo, pack, unpack
from gr_jscc.codecs.hjscc.tiled import after_all, values_left
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.masked_values import in_order, mask_hash
from gr_jscc.codecs.parts.pixels import padded
from gr_jscc.codecs.parts.power_scale import quantise_scale, scale_of
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES, RateAdaptiveCodec, largest_eta
from gr_jscc.codecs.trained import Heard, LayeredReceiver, heard
from gr_jscc.weights.loading import require, require_bools, require_number, require_rates

__all__ = ["HJSCC", "HJSCCFeedback"]

TINY = 32 * 32  # pixels
MOST_GROUP = 64  # positions of a side
MOST_LATENTS = 15  # that side information has room for
SNRS_DB = (-10.0, 40.0)  # that a transmitter can be told to believe in


class HJSCC(RateAdaptiveCodec):
    """The loaded model; see `gr_jscc.codecs.base.Codec`.

    Attributes:
        snr_db: Es/N0 that the transmitter believes in, until feedback tells it.

    Example:
        >>> codec = HJSCC("hjscc-cifar")
        >>> codec.grid(32, 48)
        (2, 3)
        >>> codec.map_sizes(*codec.grid(32, 32))
        [(2, 2), (2, 2), (2, 2), (2, 2)]
    """

    name = "hjscc"
    default_weights = "hjscc-photo"
    snr_db: float = 10.0

    def __init__(self, weights=None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        self.rate_counts = [len(block.rates) for block in self.network.latents]

    @staticmethod
    def build(config: dict) -> HJSCCNetwork:
        network = HJSCCNetwork(HJSCCConfig(**config))
        require(0 < len(network.latents) <= MOST_LATENTS, f"there must be 1 to {MOST_LATENTS} latents")
        levels = network.config["levels"]
        for number, level in enumerate(levels):
            require_rates(level["rates"], level["channels"])
            fine = type(level["group"]) is int and 0 < level["group"] <= MOST_GROUP
            require(fine, f"group must be a whole number from 1 to {MOST_GROUP}")
            require(level["channels"] % 2 == 0, "channels must be even")
            if number + 1 < len(levels):
                require(
                    level["kept"] <= levels[number + 1]["channels"], "kept must be within the next level's channels"
                )
        require(len(network.steps) == 2, "steps must be two")
        for value in (network.eta, *network.steps, *network.shares):
            require_number(value, "eta, every step and every share")
        require_bools(network.config, "attention", "expected")
        return network

    @property
    def cbr_range(self) -> tuple[float, float]:
        """From all of the coarsest level's coefficients to all there are, once each."""
        network = self.network
        strides = [network.multiple // 2**level for level in range(len(network.pyramid.channels))]
        each = [count / (6 * stride**2) for count, stride in zip(network.pyramid.channels, strides)]
        return each[0], sum(each)

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return (_FeedbackTransmitter if self.uses_feedback else _Transmitter)(self, cbr)

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        # How few symbols it can do with depends on the picture. Only of tiny ones that is ever too many.
        if image[..., 0].size < TINY:
            self.transmitter(cbr).start(image)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Positions of the coarsest level down and across for a picture's size."""
        return -(-height // self.network.multiple), -(-width // self.network.multiple)

    def map_sizes(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """Rows and columns of every latent's rate map for so many positions of the coarsest level."""
        network = self.network
        finer = [2**level for level in network.level_of]
        return [map_size(b.group, rows * times, columns * times) for b, times in zip(network.latents, finer)]


class HJSCCFeedback(HJSCC):
    """The same, told what arrived: every latent is one round.

    Example:
        >>> codec = HJSCCFeedback("hjscc-cifar")
        >>> codec.uses_feedback, codec.weights_name
        (True, 'hjscc-cifar')
        >>> codec.receiver(32, 48).push(Reception(np.zeros(0, np.complex64), np.zeros(0, np.float32), None)).shape
        (32, 48, 3)
    """

    name = "hjscc-feedback"
    weights_codec = "hjscc"
    uses_feedback = True


class _Sending(Transmitter):
    """What both transmitters do first."""

    def __init__(self, codec: HJSCC, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    def _begin(self, image: np.ndarray, told: int) -> None:
        codec, network = self.codec, self.codec.network
        self._height, self._width = image.shape[:2]
        rows, columns = codec.grid(self._height, self._width)
        size = rows * network.multiple, columns * network.multiple
        with codec.autocast():  # of a large picture nothing is kept for longer than it is of use
            levels = network.pyramid.analyse(network.transforms.analyse(padded(image, *size, codec.device)))
        self._symbols = channel_uses(self.cbr, self._height, self._width)
        self._snr_db = codec.snr_db
        self._plan = plan(network, levels, self._symbols, self._snr_db, told, codec.eta)
        self._source, self._end = self._plan.source, self._plan.end

    def _too_small(self) -> CodecError:
        return self.codec.too_small(self._height, self._width, self.cbr)

    def _rest(self, wishes: list[Wish], eta: float, told: int) -> Payload | None:
        """All latents that are left as one round; None when nothing of them fits."""
        if not symbols_of(wishes, eta):
            return None
        indexes = [wished.index(eta) for wished in wishes]
        sent = values_left(self._source, self._end, indexes, self._plan.eta, self._snr_db)
        return self._payload(sent, self._end.latent + 1, told, self._end.seen(told), 0, {})[0]

    def _payload(
        self, sent: list[Sent], latent: int, told: int, seen: int, eta: int, exceptions: dict[int, int]
    ) -> tuple[Payload, float]:
        """A round, and the amplitude scale that the receiver will know; see `SideInfo` for the rest."""
        values = np.concatenate([in_order(part.values, part.mask) for part in sent])
        code = int(quantise_scale(power_scale(sent), SCALE_STEPS)[0])
        exact = np.sqrt(np.mean(values**2, dtype=np.float64) * 2)
        symbols = (values / max(exact, 1e-12)).astype(np.float32).view(np.complex64)
        maps = [] if eta else [part.index[0].cpu().numpy() for part in sent]
        masks = mask_hash([part.mask for part in sent])
        side = SideInfo(latent, told, self._plan.quality, code, seen, masks, eta, maps, exceptions)
        packed = pack(side, self.codec.rate_counts, self._height, self._width)
        return Payload(symbols, packed), _scale(code)


def _scale(code: int) -> float:
    return float(scale_of(torch.tensor(code), SCALE_STEPS))


class _Transmitter(_Sending):
    """All latents as one round."""

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        self._begin(image, told=0)
        payload = self._rest(self._plan.wishes, self._plan.eta, told=0)
        if payload is None:
            raise self._too_small()
        return payload


class _FeedbackTransmitter(_Sending):
    """A latent a round, until feedback fails; then all that are left."""

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        self._begin(image, told=len(self.codec.network.latents))
        self._left = self._symbols
        payload = self._send()
        if payload is None:
            raise self._too_small()
        return payload

    @torch.inference_mode()
    def next(self, feedback: Reception | None) -> Payload | None:
        """The next latent, or all that are left; all there are when not even the first was fed back.

        Feedback counts as lost when there is none, or it is not the last round's.
        """
        if self._end.latent + 2 >= len(self.codec.network.latents) or self._sent is None:
            return None
        (prior, sent, scale), self._sent = self._sent, None
        if feedback is not None and len(feedback.symbols) == int(sent.mask.sum()) // 2:
            came, index = heard(feedback, self.codec.device), sent.index[0].cpu().numpy()
            self._end = self._end.after(prior, index, came.symbols, came.noise_var, scale)
            if feedback.mean_noise_var is not None:
                self._snr_db = float(np.clip(-10 * np.log10(feedback.mean_noise_var), *SNRS_DB))
            return self._send()
        if self._end.latent < 0:
            told = 0  # all latents again: alone in its round the first had too little power, and errors in it stay
        else:
            self._end = self._end.after_untold(prior, sent)
            told = self._end.latent + 1
        wishes = wishes_of(self._source, self._end, self._plan.eta, self._snr_db, told)
        eta = self._plan.eta
        if self.codec.eta is None or symbols_of(wishes, eta) > self._left:
            eta = largest_eta(lambda eta: symbols_of(wishes, eta), self._left)
        return self._rest(wishes, eta, told)

    def _send(self) -> Payload | None:
        """The next latent, with at least something of it; None when not even that fits."""
        network, latent = self.codec.network, self._end.latent + 1
        prior = self._end.prior(aware=True)
        target, bits = network.propose(latent, *self._source.of(network.level_of[latent]), prior, self._end.quality)
        wished = wish(network, latent, network.worth(latent, prior, bits, self._end.quality, aware=True))
        eta, code, exceptions = self._plan.eta, 0, {}
        last = latent == len(network.latents) - 1
        if wished.symbols(eta) > self._left or last and self.codec.eta is None:
            eta = largest_eta(wished.symbols, self._left)
        if network.expected:
            code = quantise_eta(eta)
            eta = eta_of(code)
        index = wished.index(eta)
        if not self._fits(wished, index):
            index = _least(wished, self._left)
            if index is None:
                return None
        if code:
            places = np.flatnonzero((index != wished.index(eta)) | wished.doubtful(eta))
            exceptions = {int(place): int(index.flat[place]) for place in places}
        sent = self._encode(target, prior, bits, index)
        told = latent + 1
        payload, scale = self._payload([sent], latent, told, self._end.seen(told), code, exceptions)
        self._left -= len(payload.symbols)
        self._sent = prior, sent, scale
        return payload

    def _encode(self, target: Tensor, prior: Prior, bits: Tensor, index: np.ndarray) -> Sent:
        rates = torch.from_numpy(index).to(target.device)[None]
        eta, snr_db = (torch.full_like(self._end.quality, x) for x in (self._plan.eta, self._snr_db))
        numbers = encoder_numbers(self._end.quality, snr_db)
        return self.codec.network.encode(self._end.latent + 1, target, prior, bits, rates, eta, numbers, aware=True)

    def _fits(self, wished: Wish, index: np.ndarray) -> bool:
        """Whether rate indexes come to any symbols, and to no more than are left."""
        return 0 < int((wished.rates[index] * wished.positions).sum()) // 2 <= self._left


def _least(wished: Wish, symbols: int) -> np.ndarray | None:
    """Rate indexes that give something to the group of the most bits alone; None when it does not fit."""
    index = np.zeros(wished.bits.shape, np.int64)
    place = np.unravel_index(wished.bits.argmax(), index.shape)
    index[place] = np.flatnonzero(wished.rates)[0]
    return index if wished.rates[index[place]] * wished.positions[place] <= 2 * symbols else None


class _Receiver(LayeredReceiver):
    """One for both."""

    codec: HJSCC

    def __init__(self, codec: HJSCC, height: int, width: int) -> None:
        super().__init__(codec, height, width)
        self._end: End | None = None
        self._heard = False  # any symbol at all

    def take(self, heard: Heard) -> None:
        codec = self.codec
        sizes = codec.map_sizes(*codec.grid(self.height, self.width))
        try:
            side = unpack(heard.side_info or b"", codec.rate_counts, sizes, self.height, self.width)
        except CodingError:
            return
        self._heard = self._heard or not heard.is_lost
        before, end, first = self._end, self._end, side.latent
        if end is None or first == side.told == 0:  # all latents in one round, maybe for the second time
            end = End.start(codec.network, side.quality / QUALITY_CODES, *codec.grid(self.height, self.width))
        if first <= end.latent:
            return  # a repeat
        while end.latent + 1 < first:
            end = end.after_nothing()
        blind = codec.uses_feedback and side.told < len(codec.rate_counts)
        drifted = self.insight.drifted if self.insight else 0
        self.insight = Insight(side.told if blind else None, drifted + (end.seen(side.told) != side.state))
        if first < side.told:
            arrived = self._after_one(end, side, heard)
        else:
            arrived = after_all(end, side.maps, heard.symbols, heard.noise_var, _scale(side.scale))
        # What is not as it was sent is better not used at all.
        self._end = before
        if arrived is not None and mask_hash(arrived[1]) == side.masks:
            self._end = arrived[0]

    def _after_one(self, end: End, side: SideInfo, heard: Heard) -> tuple[End, list[Tensor]] | None:
        """As `after_all`, for the next latent alone."""
        prior = end.prior(aware=True)
        index = side.maps[0] if side.maps else self._worked_out(end, prior, side)
        rates = torch.from_numpy(index).to(self.codec.device)[None]
        mask = self.codec.network.latents[side.latent].mask(rates, prior)
        if int(mask.sum()) // 2 != len(heard.symbols):
            return None
        return end.after(prior, index, heard.symbols, heard.noise_var, _scale(side.scale)), [mask]

    def _worked_out(self, end: End, prior: Prior, side: SideInfo) -> np.ndarray:
        """The rate indexes int64[rows, columns] that follow from the prior, but for the exceptions."""
        network = self.codec.network
        bits = network.latents[side.latent].expected_bits(prior, network.step(end.quality))
        index = wish(network, side.latent, bits).index(eta_of(side.eta))
        for place, rate in side.exceptions.items():
            index.flat[place] = rate
        return index

    def paint(self) -> Tensor | None:
        if self._end is None or self._end.latent < 0 or not self._heard:
            return None
        with self.codec.autocast():  # all before it both ends derive alike
            return self._end.picture()
