"""HJSCC with feedback over hyperlatents, between two processes: the coarser latents first, then what the receiver lacks
most, see `gr_jscc.codecs.hjscc.hyper_feedback_network`.

When feedback fails, all channel uses that are left go into one round, which takes the receiver to know nothing: the
same latents of every position. It can be read alone, and a receiver that heard others combines them. Without a
back-channel that is the second round.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import Insight, Payload, Receiver, Reception, Transmitter, channel_uses
from gr_jscc.codecs.hjscc.hyper_feedback_end import SCALE_STEPS, End, begun
from gr_jscc.codecs.hjscc.hyper_feedback_network import HyperFeedbackNetwork, power_scale
from gr_jscc.codecs.hjscc.hyper_feedback_plan import finest_quality, planned_counts
from gr_jscc.codecs.hjscc.hyper_feedback_side_info import RoundSideInfo, pack, threshold_code, unpack
from gr_jscc.codecs.over_latents import OverLatents
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.masked_values import in_order, mask_hash
from gr_jscc.codecs.parts.power_scale import quantise_scale
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES
from gr_jscc.codecs.trained import Heard, LayeredReceiver, heard
from gr_jscc.weights.loading import require

__all__ = ["HyperFeedback"]

MOST_ROUNDS = 100


class HyperFeedback(OverLatents):
    """The loaded model; see `gr_jscc.codecs.base.Codec`.

    Attributes:
        snr_db: Es/N0 that the transmitter plans for, until feedback tells it.

    Example:
        >>> codec = HyperFeedback()
        >>> image = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
        >>> payload = codec.transmitter(1 / 12).start(image)
        >>> 0 < len(payload.symbols) < 32 * 48 * 3 // 12
        True
    """

    name = "hjscc-feedback"
    default_weights = "hjscc-photo-feedback"
    uses_feedback = True
    side_info_mcs = 3  # QPSK and LDPC of rate 1/2
    side_info_copies = 2
    snr_db: float = 10.0

    def __init__(self, weights=None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        # What both ends must derive alike is reckoned in double precision.
        self.exact = copy.deepcopy(self.network.hyperprior).double()

    @staticmethod
    def build(config: dict) -> HyperFeedbackNetwork:
        possible = type(config["rounds"]) is int and 0 < config["rounds"] <= MOST_ROUNDS
        require(possible, f"rounds must be a whole number from 1 to {MOST_ROUNDS}")
        network = HyperFeedbackNetwork(**config)
        even = not network.latents % 2 and not network.hyperprior.channels % 2
        require(even, "latents, and hyper's channels, must be even")
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

    def end(self, quality: int, rows: int, columns: int) -> End:
        """An end that has heard nothing yet, of latents of so many rows and columns at a quality's code."""
        return begun(self.network, self.exact, quality / QUALITY_CODES, rows, columns)


class _Transmitter(Transmitter):
    def __init__(self, codec: HyperFeedback, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec = self.codec
        self._height, self._width = image.shape[:2]
        codec.check_size(self._height, self._width, self.cbr)
        self._latents = codec.latents_of(image)
        self._left = channel_uses(self.cbr, self._height, self._width)
        self._quality = finest_quality(codec.network, codec.exact, self._latents, self._left, codec.snr_db)
        self._counts: list[int] = []  # symbols of the rounds with latents, planned when hyperlatents have arrived
        self._end = codec.end(self._quality, *codec.grid(self._height, self._width))
        payload = self._send(blind=False)
        assert payload is not None, "there are hyperlatents of every quality"
        return payload

    @torch.inference_mode()
    def next(self, feedback: Reception | None) -> Payload | None:
        """The next round; all that is left, of the same latents everywhere, when no feedback of the last one came."""
        if self._sent is None or self._left < 1:
            return None
        (mask, side, count), self._sent = self._sent, None
        if feedback is None or len(feedback.symbols) != count:
            return self._send(blind=True)
        self._end = self._end.after(side.number, side.blind, mask, heard(feedback, self.codec.device), side.scale)
        if not side.number:
            noise_var = feedback.mean_noise_var
            snr_db = self.codec.snr_db if noise_var is None else -10 * math.log10(noise_var)
            self._counts = planned_counts(self._end, self._left, snr_db)
        return self._send(blind=False) if self._end.number < self.codec.network.rounds else None

    def _send(self, blind: bool) -> Payload | None:
        """The next round; None where there is nothing to send."""
        end = self._end
        number = end.number + (2 if blind else 1)  # the one that was not fed back was sent all the same
        threshold = self._threshold(number, blind) if number else 0
        mask = first(end.mask(number, blind, threshold), 2 * self._left)
        if not mask.any():
            return None
        values = end.values(number, blind, mask, self._latents)
        scale = int(quantise_scale(power_scale(values, mask), SCALE_STEPS)[0])
        symbols = _symbols(in_order(values, mask))
        quality = self._quality if blind or not number else 0
        side = RoundSideInfo(number, blind, scale, threshold, end.state, mask_hash([mask]), quality)
        self._left -= len(symbols)
        self._sent = None if blind else (mask, side, len(symbols))
        return Payload(symbols, pack(side, self._height, self._width))

    def _threshold(self, number: int, blind: bool) -> int:
        """The code of what latents of a round must be above; the last one takes what is left."""
        last = blind or number >= self.codec.network.rounds
        count = self._left if last else min(self._counts[number - 1], self._left)
        return _threshold_for(self._end.lacking(number, blind).flatten(), 2 * max(count, 1))


def _threshold_for(lacking: Tensor, count: int) -> int:
    """The code of the threshold above which just so many of variances float64[n] are, or a few more."""
    place = len(lacking) - min(count, len(lacking)) + 1
    return max(threshold_code(float(lacking.kthvalue(place).values)) - 1, 0)


def first(mask: Tensor, count: int) -> Tensor:
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
    codec: HyperFeedback

    def __init__(self, codec: HyperFeedback, height: int, width: int) -> None:
        super().__init__(codec, height, width)
        self._end: End | None = None
        self._heard = False  # any symbol at all

    def take(self, heard: Heard) -> None:
        try:
            side = unpack(heard.side_info or b"", self.height, self.width)
        except CodingError:
            return
        end = self._end
        if end is None:
            if side.number and not side.blind:
                return
            end = self.codec.end(side.quality, *self.codec.grid(self.height, self.width))
        if side.number <= end.number or not (side.blind or side.number <= self.codec.network.rounds):
            return  # a repeat, or one that no transmitter sends
        drifted = self.insight.drifted if self.insight else 0
        if not side.blind:
            drifted += end.state != side.state
        blind_from = side.number if side.blind else self.insight.blind_from if self.insight else None
        self.insight = Insight(blind_from, drifted)
        mask = first(end.mask(side.number, side.blind, side.threshold), 2 * len(heard.symbols))
        # What is not as it was sent is better not used at all.
        if mask_hash([mask]) == side.mask and len(heard.symbols) == -(-int(mask.sum()) // 2):
            self._end = end.after(side.number, side.blind, mask, heard, side.scale)
            self._heard = self._heard or not heard.is_lost

    def paint(self) -> Tensor | None:
        if self._end is None or not self._heard:
            return None
        with self.codec.autocast():  # all before it both ends derive alike
            picture = self._end.network.picture(self._end.latents)
        return picture if self._end.number else picture.detach()  # no symbols are refined for what hyperlatents show
