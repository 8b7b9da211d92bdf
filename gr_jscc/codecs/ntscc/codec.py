"""NTSCC: nonlinear transform source-channel coding (Dai et al. 2022), between two processes.

Every latent vector gets as many channel values as the entropy model holds it worth. What the receiver needs to know of
that crosses as entropy-coded side information (see `ntscc_side_info`) and is charged; public code hands it over as
Python objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gr_jscc.codecs.base import CodecError, Payload, Receiver, Transmitter, UseMap, channel_uses
from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.hyper_coding import LARGEST
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.codecs.ntscc.side_info import SideInfo, SideInfoCoder
from gr_jscc.codecs.ntscc.tiled import bits_of, channel_values, estimates, hyperlatents
from gr_jscc.codecs.over_latents import OverLatents
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.hyper import STRIDE as HYPER_STRIDE
from gr_jscc.codecs.parts.masked_values import in_order, placed
from gr_jscc.codecs.parts.picture_sample import sample_of
from gr_jscc.codecs.parts.power_scale import known_scale, quantise_scale, scale_of
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES, RateAdaptiveCodec, finest_by_sample, largest_eta, quality_code
from gr_jscc.codecs.trained import Heard, TrainedReceiver
from gr_jscc.weights.loading import require, require_bools, require_number, require_rates

__all__ = ["NTSCC"]

ROWS = 64  # of positions whose symbols are taken at a time
QUALITIES = 9  # levels that a transmitter tries, from 0 to 1; η makes up for what lies between


@dataclass(frozen=True)
class Plan:
    """How a picture is going to be sent.

    Attributes:
        quality: code, 0 to `QUALITY_CODES`.
        hyper: float32[1, Z, h', w'], rounded and limited; None without refinement.
        index: int64[h, w], rate indexes.
        eta: real channel values per bit.

    Example:
        >>> codec = NTSCC("ntscc-cifar")
        >>> image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
        >>> plan = codec.plan_for(image, cbr=1 / 12)
        >>> plan.index.shape, bool(codec.rates[plan.index].sum() // 2 <= 32 * 32 * 3 // 12)
        ((8, 8), True)
    """

    quality: int
    hyper: Tensor | None
    index: np.ndarray
    eta: float


class NTSCC(OverLatents, RateAdaptiveCodec):
    """The loaded model; see `gr_jscc.codecs.base.Codec`.

    Example:
        >>> import numpy as np
        >>> image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
        >>> payload = NTSCC().transmitter(1 / 12).start(image)
        >>> 0 < len(payload.symbols) <= 64 * 64 * 3 // 12
        True
    """

    name = "ntscc"
    default_weights = "ntscc-photo"

    def __init__(self, weights=None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        network = self.network
        self.rates = network.rates.cpu().numpy()
        self.edges = network.edges.cpu().numpy()
        self.refines = network.decoder.refinement is not None
        prior = network.hyperprior.prior if self.refines else None
        self.side_info = SideInfoCoder(prior, len(self.rates), network.adaptive)
        self._analysed: tuple[np.ndarray, Tensor] | None = None  # the last picture and its latents

    @staticmethod
    def build(config: dict) -> NTSCCNetwork:
        network = NTSCCNetwork(NTSCCConfig(**config))
        require(network.latents % 2 == 0, "latents must be even")
        require_rates(config["rates"], network.latents)
        require(config["rates"][0] > 0, "every rate must be above 0")
        require_number(network.eta, "eta")
        require_bools(network.config, "adaptive")
        return network

    @property
    def cbr_range(self) -> tuple[float, float]:
        values = 2 * 3 * self.network.stride**2
        return self.rates[0] / values, self.rates[-1] / values

    def use_map(self, image: np.ndarray, cbr: float) -> UseMap | None:
        if not self.network.adaptive:
            return None
        self.check_cbr(cbr)
        plan = self.plan_for(image, cbr)
        return UseMap((self.rates[plan.index] / 2).astype(np.float32), self.network.stride)

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        rows, columns = self.grid(height, width)
        if self.rates[0] / 2 * rows * columns > channel_uses(cbr, height, width):
            raise self.too_small(height, width, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)

    @torch.inference_mode()
    def analyse(self, image: np.ndarray) -> Tensor:
        """g_a: uint8[H, W, 3] → latents float32[1, C, h, w]; those of the last picture are remembered."""
        if self._analysed is not None and np.array_equal(self._analysed[0], image):
            return self._analysed[1]
        latents = self.latents_of(image)  # before the copy, which would be in the way of a large one's tiles
        self._analysed = image.copy(), latents
        return latents

    @torch.inference_mode()
    def plan(self, latents: Tensor, symbols: int) -> Plan:
        """The best way to send latents in at most so many complex symbols.

        The quality is the highest whose rate, at the η that the model was made for, stays below; η then takes up the
        rest.

        Raises:
            CodecError: not even the lowest rate everywhere fits.
        """
        if self.rates[0] / 2 * latents.shape[2] * latents.shape[3] > symbols:
            raise CodecError("too small")
        if not self.network.adaptive:
            index = np.searchsorted(self.rates, 2 * symbols / latents[0, 0].numel(), side="right") - 1
            hyper = self._hyper(latents, 0) if self.refines else None
            return Plan(0, hyper, np.full(latents.shape[2:], index), 0.0)
        nominal = self.eta or self.network.eta
        known: dict[int, tuple[Tensor, np.ndarray]] = {}  # level → hyperlatents, bits

        def looked_at(latents: Tensor, level: int) -> tuple[Tensor, np.ndarray]:
            quality = quality_code(level, QUALITIES)
            hyper = self._hyper(latents, quality)
            return hyper, self._bits(latents, hyper, quality)

        def taken_by(level: int) -> int:
            known[level] = looked_at(latents, level)
            return self._symbols(known[level][1], nominal)

        def about(level: int) -> float:
            return times * self._symbols(looked_at(sample, level)[1], nominal)

        (sample,), times = sample_of([latents], self.network.stride)
        # A quality that takes a little too much is made up for by η, which must be free to.
        finest = finest_by_sample(QUALITIES, taken_by, about if times > 1 and self.eta is None else None, symbols)
        hyper, bits = known[finest]
        eta = nominal
        if self.eta is None or self._symbols(bits, nominal) > symbols:
            eta = largest_eta(lambda eta: self._symbols(bits, eta), symbols)
        return Plan(quality_code(finest, QUALITIES), hyper if self.refines else None, self._index(bits, eta), eta)

    def plan_for(self, image: np.ndarray, cbr: float) -> Plan:
        """`plan` of a picture uint8[H, W, 3].

        Raises:
            CodecError: it is too small for the CBR.
        """
        height, width = image.shape[:2]
        try:
            return self.plan(self.analyse(image), channel_uses(cbr, height, width))
        except CodecError:
            raise self.too_small(height, width, cbr) from None

    def _hyper(self, latents: Tensor, quality: int) -> Tensor:
        return hyperlatents(self.network, latents, self._share(quality)).round().clamp(-LARGEST, LARGEST)

    def _bits(self, latents: Tensor, hyper: Tensor, quality: int) -> np.ndarray:
        return bits_of(self.network, latents, hyper, self._share(quality))[0].cpu().numpy()

    def _share(self, quality: int) -> Tensor:
        """A quality's code as networks take it, float32[1]."""
        return torch.tensor([quality / QUALITY_CODES], device=self.device)

    def _index(self, bits: np.ndarray, eta: float) -> np.ndarray:
        """Indexes of the rates next to η·bits, equation 28."""
        return np.searchsorted(self.edges, eta * bits)

    def _symbols(self, bits: np.ndarray, eta: float) -> int:
        return int(self.rates[self._index(bits, eta)].sum()) // 2


class _Transmitter(Transmitter):
    def __init__(self, codec: NTSCC, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec = self.codec
        height, width = image.shape[:2]
        plan = codec.plan_for(image, self.cbr)
        latents = codec.analyse(image)
        index = torch.from_numpy(plan.index).to(codec.device)[None]
        with codec.autocast():
            values = channel_values(codec.network, latents, plan.hyper, index)
        symbols, scale = _sent_of(values, codec.network.sent(index))
        hyper = None if plan.hyper is None else plan.hyper[0].long().cpu().numpy()
        side = SideInfo(int(quantise_scale(scale)[0]), plan.quality, hyper, plan.index)
        return Payload(symbols.numpy(), codec.side_info.pack(side, height, width))


class _Receiver(TrainedReceiver):
    codec: NTSCC

    def pixels(self, heard: Heard) -> Tensor | None:
        codec, network = self.codec, self.codec.network
        rows, columns = codec.grid(self.height, self.width)
        hyper_size = -(-rows // HYPER_STRIDE), -(-columns // HYPER_STRIDE)
        try:
            side = codec.side_info.unpack(heard.side_info or b"", self.height, self.width, (rows, columns), hyper_size)
        except CodingError:
            return None
        index = torch.from_numpy(side.index).to(codec.device)[None]
        sent = network.sent(index)[:, 0::2]
        if int(sent.sum()) != len(heard.symbols):
            return None
        if side.hyper is None and heard.is_lost:
            return None
        hyper = None if side.hyper is None else torch.from_numpy(side.hyper).to(codec.device)[None].float()
        scale = scale_of(torch.tensor([side.scale], device=codec.device))
        with codec.autocast():
            # Of a large picture each of these is large: none is kept for longer than it is of use.
            arrived = (placed(values, sent) for values in (heard.symbols, heard.noise_var))
            known = list(estimates(network, *arrived, scale, index, hyper))
            numbers = network.numbers(known.pop())
            return network.transforms.synthesise(known.pop(0), known.pop(0), numbers)


def _sent_of(values: Tensor, sent: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols complex64[n] of mean power 1, position by position, and their scale float32[1].

    Args:
        values: float32[1, C, h, w], as `channel_values` gives them.
        sent: bool of the same shape, which of them are.
    """
    rows = zip(values.split(ROWS, 2), sent.split(ROWS, 2))
    parts = torch.from_numpy(np.concatenate([in_order(part, chosen) for part, chosen in rows]))
    scale = (2 * parts.square().mean() + 1e-8).sqrt()
    return torch.view_as_complex((parts / scale).reshape(-1, 2)), known_scale(scale[None])
