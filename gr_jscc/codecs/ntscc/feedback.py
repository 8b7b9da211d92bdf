"""NTSCC with feedback, between two processes: every round sends what the receiver lacks most, see
`gr_jscc.codecs.ntscc.feedback_network`.

When feedback fails, all channel uses that are left go into one round, which sends what the hyperprior leaves open, as
the first did; it has the hyperlatents again, so that it can be read alone, and a receiver that heard others combines
them. Without a back-channel that is the second round.
"""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import Insight, Payload, Receiver, Reception, Transmitter, channel_uses
from gr_jscc.codecs.ntscc.feedback_network import Belief, NTSCCFeedbackNetwork, power_scale
from gr_jscc.codecs.ntscc.feedback_side_info import FeedbackSideInfo, pack, threshold_code, threshold_of, unpack
from gr_jscc.codecs.ntscc.hyper import STRIDE as HYPER_STRIDE
from gr_jscc.codecs.ntscc.hyper_coding import LARGEST
from gr_jscc.codecs.ntscc.hyper_context_coding import HyperContextCoder
from gr_jscc.codecs.ntscc.over_latents import OverLatents
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.masked_values import in_order, mask_hash, placed
from gr_jscc.codecs.parts.power_scale import exact_scale, quantise_scale
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES, finest_level, quality_code
from gr_jscc.codecs.trained import Heard, LayeredReceiver, heard
from gr_jscc.weights.loading import require

__all__ = ["NTSCCFeedback"]

QUALITIES = 17  # levels that a transmitter tries, from 0 to 1
USUAL_THRESHOLD = 0.4  # of the first round
LOOSE = 64.0  # times as much, or as little, it can be
RISE = 1.2  # from a round's threshold to the next one's
MOST_ROUNDS = 100
SCALE_STEPS = 24  # codes per octave of a power scale
PLANNED_POSITIONS = 150  # of a larger picture's a part tells how many latents rounds will send


@dataclass(frozen=True)
class Plan:
    """How a picture is going to be sent.

    Attributes:
        quality: code, 0 to `QUALITY_CODES`.
        hyper: int64[Z, h', w'].
        start: what the hyperlatents say.
        thresholds: of the rounds but the last, which takes what is left.

    Example:
        >>> codec, image = NTSCCFeedback(), np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
        >>> plan = codec.plan(codec.latents_of(image), symbols=200, snr_db=10)
        >>> plan.start.variance.shape, len(plan.thresholds)
        (torch.Size([1, 384, 2, 3]), 1)
    """

    quality: int
    hyper: np.ndarray
    start: Belief
    thresholds: list[float]


class NTSCCFeedback(OverLatents):
    """The loaded model; see `gr_jscc.codecs.base.Codec`.

    Attributes:
        snr_db: Es/N0 that the transmitter plans for; rounds make up for another.

    Example:
        >>> codec = NTSCCFeedback()
        >>> image = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
        >>> payload = codec.transmitter(1 / 12).start(image)
        >>> 0 < len(payload.symbols) < 32 * 48 * 3 // 12
        True
    """

    name = "ntscc-feedback"
    default_weights = "ntscc-photo-feedback"
    uses_feedback = True
    side_info_mcs = 3  # QPSK and LDPC of rate 1/2
    side_info_copies = 2
    snr_db: float = 10.0

    def __init__(self, weights=None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        self.hyper_coder = HyperContextCoder(self.network.hyperprior.prior)
        # What both ends must derive alike is reckoned in double precision.
        self._exact = copy.deepcopy(self.network.hyperprior).double()

    @staticmethod
    def build(config: dict) -> NTSCCFeedbackNetwork:
        possible = type(config["rounds"]) is int and 0 < config["rounds"] <= MOST_ROUNDS
        require(possible, f"rounds must be a whole number from 1 to {MOST_ROUNDS}")
        require("context" in config["hyper"], "hyper must have a context")
        network = NTSCCFeedbackNetwork(**config)
        require(network.latents % 2 == 0, "latents must be even")
        return network

    @property
    def cbr_range(self) -> tuple[float, float]:
        """From 8 values a position to all latents once."""
        values = 2 * 3 * self.network.stride**2
        return 8 / values, self.network.latents / values

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        if channel_uses(cbr, height, width) < 1:
            raise self.too_small(height, width, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)

    def begin(self, hyper: np.ndarray, rows: int, columns: int) -> Belief:
        """What both ends hold when only hyperlatents int64[Z, h', w'] are known."""
        given = torch.from_numpy(hyper).to(self.device)[None].double()
        return self.network.begin(*self._exact.describe(given, rows, columns))

    @torch.inference_mode()
    def plan(self, latents: Tensor, symbols: int, snr_db: float) -> Plan:
        """The best way to send latents float32[1, C, h, w] in at most so many complex symbols.

        The quality is the highest at which the rounds come to no more at the usual thresholds; these then take up, or
        give up, the rest. What variances noise will leave is known but for its amount, so nothing is imitated.
        """
        rows, columns = latents.shape[2:]
        known: dict[int, tuple[np.ndarray, Belief]] = {}  # hyperlatents, and a part of what they say

        def expected(level: int, first: float) -> int:
            quality = quality_code(level, QUALITIES)
            if level not in known:
                given = torch.tensor([quality / QUALITY_CODES], device=self.device)
                hyper = self.network.hyper(latents, given).round().clamp(-LARGEST, LARGEST)[0].long().cpu().numpy()
                known[level] = hyper, _part(self.begin(hyper, rows, columns))
            part = known[level][1]
            share = rows * columns / part.variance[0, 0].numel()
            return int(self._expected(part, quality, _thresholds(self.network, first), snr_db) * share)

        level = finest_level(QUALITIES, lambda level: expected(level, USUAL_THRESHOLD), symbols)
        low, high = USUAL_THRESHOLD / LOOSE, USUAL_THRESHOLD * LOOSE
        for _ in range(9):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if expected(level, middle) <= symbols else (middle, high)
        hyper, _ = known[level]
        start = self.begin(hyper, rows, columns)
        return Plan(quality_code(level, QUALITIES), hyper, start, _thresholds(self.network, high)[:-1])

    def _expected(self, belief: Belief, quality: int, thresholds: list[float], snr_db: float) -> int:
        """About how many complex symbols rounds take."""
        network = self.network
        given, total = torch.tensor([quality / QUALITY_CODES], device=self.device), 0
        nothing = torch.zeros_like(belief.estimate)
        noise_var = torch.full_like(nothing, 10 ** (-snr_db / 10))
        for number, threshold in enumerate(thresholds):
            mask = network.lacking(belief, given, threshold * torch.ones_like(given).double())
            values = torch.where(mask, network.gain(belief, number) * belief.variance.sqrt(), 0).float()
            scale = power_scale(values, mask)
            belief = network.after(belief, belief, number, mask, nothing, noise_var, scale)
            total += int(mask.sum())
        return total // 2


def _part(belief: Belief) -> Belief:
    """Of a large picture some positions, evenly spread."""
    rows, columns = belief.variance.shape[2:]
    apart = max(1, int((rows * columns / PLANNED_POSITIONS) ** 0.5))
    parts = (belief.prior, belief.estimate, belief.variance)
    return Belief(*(x[:, :, ::apart, ::apart].contiguous() for x in parts))


def _thresholds(network: NTSCCFeedbackNetwork, first: float) -> list[float]:
    return [first * RISE**number for number in range(network.rounds)]


@dataclass(frozen=True)
class _End:
    """What one end holds of a picture.

    Attributes:
        quality: float32[1].
        start: what the hyperlatents say.
        belief: what is known by now.
        number: of the last round that is in it, −1 before the first.
        history: of each round, a checksum of what arrived.
    """

    network: NTSCCFeedbackNetwork
    quality: Tensor
    start: Belief
    belief: Belief
    number: int = -1
    history: tuple[int, ...] = ()

    @property
    def state(self) -> int:
        return zlib.crc32(repr(self.history).encode()) & 0xFFFF

    def origin(self, blind: bool) -> tuple[Belief, int]:
        """What a round is sent from, and whose gains it has."""
        return (self.start, 0) if blind else (self.belief, self.number + 1)

    def mask(self, blind: bool, threshold: int) -> Tensor:
        """bool[1, C, h, w]: which latents a round of a threshold's code sends."""
        limit = torch.full_like(self.quality, threshold_of(threshold), dtype=torch.float64)
        return self.network.lacking(self.origin(blind)[0], self.quality, limit)

    def after(self, number: int, blind: bool, mask: Tensor, came: Heard, scale: int) -> _End:
        """The end when a round has arrived; the power scale as its code."""
        (origin, place), count = self.origin(blind), int(mask.sum())
        amplitude = torch.full_like(self.quality, exact_scale(scale, SCALE_STEPS), dtype=torch.float64)
        received = placed(torch.view_as_real(came.symbols).flatten()[:count] * amplitude.float(), mask)
        noise_var = placed(came.noise_var.repeat_interleave(2)[:count], mask)
        belief = self.network.after(self.belief, origin, place, mask, received, noise_var, amplitude)
        arrived = b"".join(x.detach().cpu().numpy().tobytes() for x in (came.symbols, came.noise_var))
        return replace(self, belief=belief, number=number, history=(*self.history, zlib.crc32(arrived)))


class _Transmitter(Transmitter):
    def __init__(self, codec: NTSCCFeedback, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec = self.codec
        self._height, self._width = image.shape[:2]
        self._latents = codec.latents_of(image)
        self._left = channel_uses(self.cbr, self._height, self._width)
        self._plan = codec.plan(self._latents, self._left, codec.snr_db)
        quality = torch.tensor([self._plan.quality / QUALITY_CODES], device=codec.device)
        self._end = _End(codec.network, quality, self._plan.start, self._plan.start)
        codec.check_size(self._height, self._width, self.cbr)
        payload = self._send(blind=False)
        assert payload is not None, "there is a latent whose variance is the largest"
        return payload

    @torch.inference_mode()
    def next(self, feedback: Reception | None) -> Payload | None:
        """The next round; all that is left, from what the hyperprior says, when no feedback of the last one came."""
        if self._sent is None or self._left < 1:
            return None
        (mask, side, count), self._sent = self._sent, None
        if feedback is None or len(feedback.symbols) != count:
            return self._send(blind=True)
        self._end = self._end.after(side.number, side.blind, mask, heard(feedback, self.codec.device), side.scale)
        return self._send(blind=False) if self._end.number + 1 < self.codec.network.rounds else None

    def _send(self, blind: bool) -> Payload | None:
        """The next round; None where there is nothing to send."""
        codec, end = self.codec, self._end
        number = end.number + (2 if blind else 1)  # the one that was not fed back was sent all the same
        wanted = 0.0 if blind or number >= len(self._plan.thresholds) else self._plan.thresholds[number]
        lacking = codec.network.in_steps(end.origin(blind)[0], end.quality).flatten()
        least, most = (_threshold_for(lacking, count) for count in (2 * self._left, 1))
        threshold = max(threshold_code(wanted), least)
        if threshold > most:  # nothing is above: of an even picture something is sent, too, later all that is left
            threshold = least if number else most
        mask = _first(end.mask(blind, threshold), 2 * self._left)
        if not mask.any():
            return None
        origin, place = end.origin(blind)
        values = codec.network.values(self._latents, origin, place, mask)
        scale = int(quantise_scale(power_scale(values, mask), SCALE_STEPS)[0])
        symbols = _symbols(in_order(values, mask))
        told = replace(self._side(number, blind), scale=scale, threshold=threshold, mask=mask_hash([mask]))
        self._left -= len(symbols)
        self._sent = None if blind else (mask, told, len(symbols))
        return Payload(symbols, pack(told, codec.hyper_coder, self._height, self._width))

    def _side(self, number: int, blind: bool) -> FeedbackSideInfo:
        side = FeedbackSideInfo(number, blind, 0, 0, self._end.state, 0)
        return replace(side, quality=self._plan.quality, hyper=self._plan.hyper) if blind or not number else side


def _threshold_for(lacking: Tensor, count: int) -> int:
    """The code of the threshold above which just so many of variances float64[n] are, or a few more."""
    place = len(lacking) - min(count, len(lacking)) + 1
    return max(threshold_code(float(lacking.kthvalue(place).values)) - 1, 0)


def _first(mask: Tensor, count: int) -> Tensor:
    """The first so many of bool[1, C, h, w], position by position; of latents that are alike there may be more."""
    places = mask.permute(0, 2, 3, 1)
    kept = places & (places.flatten().cumsum(0) <= count).reshape(places.shape)
    return kept.permute(0, 3, 1, 2)


def _symbols(values: np.ndarray) -> np.ndarray:
    """complex64[⌈n/2⌉] of mean power 1 from float32[n]; an odd value is alone in its symbol."""
    values = np.append(values, np.zeros(len(values) % 2, np.float32))
    exact = np.sqrt(np.mean(values**2, dtype=np.float64) * 2)
    return (values / max(exact, 1e-12)).astype(np.float32).view(np.complex64)


class _Receiver(LayeredReceiver):
    codec: NTSCCFeedback

    def __init__(self, codec: NTSCCFeedback, height: int, width: int) -> None:
        super().__init__(codec, height, width)
        self._end: _End | None = None
        self._heard = False  # any symbol at all

    def take(self, heard: Heard) -> None:
        codec, (rows, columns) = self.codec, self.codec.grid(self.height, self.width)
        hyper_size = -(-rows // HYPER_STRIDE), -(-columns // HYPER_STRIDE)
        try:
            side = unpack(heard.side_info or b"", codec.hyper_coder, self.height, self.width, hyper_size)
        except CodingError:
            return
        end = self._end
        if end is None:
            if side.hyper is None:
                return
            quality = torch.tensor([side.quality / QUALITY_CODES], device=codec.device)
            start = codec.begin(side.hyper, rows, columns)
            end = _End(codec.network, quality, start, start)
        if side.number <= end.number or not (side.blind or side.number < codec.network.rounds):
            return  # a repeat, or one that no transmitter sends
        drifted = self.insight.drifted if self.insight else 0
        if not side.blind:
            drifted += end.state != side.state
        blind_from = side.number if side.blind else self.insight.blind_from if self.insight else None
        self.insight = Insight(blind_from, drifted)
        mask = _first(end.mask(side.blind, side.threshold), 2 * len(heard.symbols))
        # What is not as it was sent is better not used at all.
        if mask_hash([mask]) == side.mask and len(heard.symbols) == -(-int(mask.sum()) // 2):
            self._end = end.after(side.number, side.blind, mask, heard, side.scale)
            self._heard = self._heard or not heard.is_lost

    def paint(self) -> Tensor | None:
        if self._end is None or not self._heard:
            return None
        with self.codec.autocast():  # all before it both ends derive alike
            return self._end.network.picture(self._end.belief)
