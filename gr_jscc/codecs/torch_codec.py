"""Any pair of torch modules as a codec of one round: the short way to send a model of one's own.

A subclass hands over the two modules; the rest is done here: odd sizes, the power of the symbols and what the receiver
must be told of it, lost symbols, rates, devices. How the modules are called is said by the class attributes, or by
overriding `TorchCodec.encode` and `TorchCodec.decode`.
"""

from __future__ import annotations

import hashlib
import inspect
import struct
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.base import CodecError, Payload, Receiver, Transmitter, channel_uses
from gr_jscc.codecs.parts.latent_layout import LatentLayout
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.trained import Heard, NetworkCodec, TrainedReceiver
from gr_jscc.plugins import blame
from gr_jscc.weights import read_model
from gr_jscc.weights.loading import load_network

LOST = 1e6  # noise variance that a decoder is told of values that never arrived
SIDE_INFO = struct.Struct(">eH")  # power scale, channels sent
SCALES = (1e-6, 6e4)  # that half precision can tell
MOST_SIDE = 256  # pixels, of the picture that shows what the encoder makes of one
BATCH = 64  # tiles that go through a network at a time
SNR_NAMES = ("snr", "snr_db", "snrs", "csi")
NOISE_NAMES = ("noise_var", "noise_variance", "noise")
OPTIONS = ("multiple", "tile", "pixels", "adaptive", "snr_db")


class TorchCodec(NetworkCodec):
    """A codec of two modules, z = encoder(x) and x̂ = decoder(z); see `gr_jscc.codecs.base.Codec`.

    x is float[B, 3, H, W]. z is real or complex, [B, C, h, w] with h and w in proportion to H and W, or of any shape
    where the picture is cut into tiles. An encoder may also take the SNR in dB that it is to suit, float[B]; a decoder
    what the receiver measured: the SNR in dB, float[B], or the noise variance of each value, of z's shape. They are
    known by their arguments' names, see `SNR_NAMES` and `NOISE_NAMES`.

    Args:
        weights: handed to `modules`.
        device: a torch device.

    Attributes:
        multiple: pixels of which the sides must be multiples; pictures are padded by repeating their edges.
        tile: side in pixels of the only pictures that the modules take; larger ones are cut into tiles. 0: any size.
        pixels: values of black and white.
        adaptive: whether the decoder was trained with the last channels of z set to zero, so that the CBR decides how
            many are sent. Otherwise all are.
        snr_db: Es/N0 that an encoder which takes one is told.
        layout: how z is laid out.

    Raises:
        CodecError: the modules do not fit each other, or what is said of them.

    Example:
        >>> from torch import nn
        >>> class Averages(TorchCodec):
        ...     name, multiple = "averages", 8
        ...     def modules(self, weights):
        ...         return nn.AvgPool2d(8), nn.Upsample(scale_factor=8)
        >>> image = np.zeros((20, 30, 3), np.uint8)
        >>> len(Averages().transmitter(1 / 12).start(image).symbols)
        18
    """

    multiple: ClassVar[int] = 16
    tile: ClassVar[int] = 0
    pixels: ClassVar[tuple[float, float]] = (0.0, 1.0)
    adaptive: ClassVar[bool] = False
    snr_db: ClassVar[float] = 10.0
    layout: LatentLayout

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        parts = dict(zip(("encoder", "decoder"), self.modules(weights), strict=True))
        for which, part in parts.items():
            if not isinstance(part, nn.Module):
                raise CodecError(f"{self.name}: the {which} must be a torch.nn.Module, not {type(part).__name__}")
        self.place(nn.ModuleDict(parts), device)
        self._weights_name, self._hash = Path(weights).stem if weights else "none", _hash(self.network)
        self.layout = self._learnt_layout()

    @abstractmethod
    def modules(self, weights: str | Path | None) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder.

        Args:
            weights: as after ``--weights``; None where the user gave none.
        """

    @classmethod
    def of(
        cls, name: str, encoder: nn.Module, decoder: nn.Module, device: str = "cpu", **options: object
    ) -> TorchCodec:
        """A codec of modules that are there already, as in a notebook.

        Args:
            name: of the codec.
            encoder, decoder: the modules.
            device: a torch device.
            options: class attributes, such as ``multiple=8``.

        Raises:
            TypeError: there is no such attribute.
            CodecError: as the class.

        Example:
            >>> from torch import nn
            >>> TorchCodec.of("dots", nn.AvgPool2d(8), nn.Upsample(scale_factor=8), multiple=8).layout.channels
            3
        """
        if unknown := set(options) - set(OPTIONS):
            raise TypeError(f"unknown option {min(unknown)!r}; known: {', '.join(OPTIONS)}")
        own = {"name": name, "modules": lambda self, weights: (encoder, decoder), **options}
        return type("OwnCodec", (cls,), own)(device=device)

    def network_of(self, build: Callable[..., nn.Module], weights: str | Path | None) -> nn.Module:
        """The network that ``gr-jscc train`` made weights of, or a fresh one, always the same.

        Args:
            build: makes a network of its configuration's keyword arguments; all have defaults.
            weights: the ``.safetensors`` file; None for a fresh network.

        Raises:
            WeightsError: no such file, or weights of another codec or network.
        """
        if weights:
            return load_network(lambda config: build(**config), read_model(weights, self.name))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return build()

    def encode(self, pixels: Tensor) -> Tensor:
        """z of pictures [B, 3, H, W] with values as `pixels` says."""
        encoder = self.network["encoder"]
        snr_db = torch.full((len(pixels),), self.snr_db, device=pixels.device)
        return encoder(pixels, *_told(encoder, "encoder", {SNR_NAMES: snr_db}))

    def decode(self, z: Tensor, noise_var: Tensor, snr_db: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] with values as `pixels` says.

        Args:
            z: as the encoder made it, noisy; 0 where nothing arrived or was sent.
            noise_var: float32 of z's shape, in its units, `LOST` where nothing arrived.
            snr_db: float32[B], Es/N0 of what arrived.
        """
        decoder = self.network["decoder"]
        return decoder(z, *_told(decoder, "decoder", {SNR_NAMES: snr_db, NOISE_NAMES: noise_var}))

    @property
    def weights_name(self) -> str:
        return self._weights_name

    @property
    def weights_hash(self) -> bytes:
        return self._hash

    @property
    def cbr_range(self) -> tuple[float, float]:
        side = 2 * self.layout.side  # of which no half symbol is left over
        fewest = self.layout.symbols(side, side, 1 if self.adaptive else self.layout.channels)
        return fewest / (3 * side**2), 1.0

    def channels_for(self, height: int, width: int, cbr: float) -> int:
        """Most channels of z that a CBR allows.

        Raises:
            CodecError: not one, or not all of a codec that is not adaptive.
        """
        allowed, layout = channel_uses(cbr, height, width), self.layout
        channels = layout.channels
        if self.adaptive:
            fitting = (n for n in range(channels, 0, -1) if layout.symbols(height, width, n) <= allowed)
            channels = next(fitting, 0)
        if not channels or layout.symbols(height, width, channels) > allowed:
            raise self.too_small(height, width, cbr)
        return channels

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.channels_for(height, width, cbr)

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)

    @torch.inference_mode()
    def _learnt_layout(self) -> LatentLayout:
        """Sends grey pictures through both modules, to learn how large z is and that they fit each other."""
        side, times = self.tile or self.multiple, 1
        while True:
            try:
                z = self._tried(times * side, times * side)
                wider = z if self.tile else self._tried(times * side, 2 * times * side)
                break
            except CodecError:
                raise
            except Exception as error:
                times *= 2  # small pictures may be less than a kernel or a window
                if self.tile or times * side > MOST_SIDE:
                    hint = "" if self.tile else "; if they take pictures of one size only, set tile to its side"
                    raise CodecError(f"{self.name}: the modules do not work together: {blame(error)}{hint}") from error
        if self.tile:
            return LatentLayout(side, tuple(z.shape[1:]), z.is_complex(), tiled=True)
        channels, *sides = z.shape[1:]
        if len(sides) != 2 or any(length % times for length in sides):
            wrong = f"{list(z.shape)} of a picture of {times * side} pixels a side"
        elif list(wider.shape[1:]) != [channels, sides[0], 2 * sides[1]]:
            wrong = f"{list(z.shape)} of a picture, and {list(wider.shape)} of one twice as wide"
        else:
            return LatentLayout(side, (channels, *(length // times for length in sides)), z.is_complex(), tiled=False)
        raise CodecError(
            f"{self.name}: the encoder makes {wrong}: set multiple to the pixels of which sides must be multiples, "
            "or tile to the only side that pictures can have"
        )

    def _tried(self, height: int, width: int) -> Tensor:
        """z of a grey picture.

        Raises:
            CodecError: the modules give something else than z and the picture.
            Exception: of the modules.
        """
        pixels = torch.full((1, 3, height, width), sum(self.pixels) / 2, device=self.device)
        z = self.encode(pixels.to(_dtype(self.network["encoder"])))
        if not isinstance(z, Tensor) or z.ndim < 2:
            raise CodecError(f"{self.name}: the encoder gives {_shape(z)}, not a tensor [B, C, …]; override encode")
        shown = self.decode(z, torch.ones(z.shape, device=z.device), torch.full((1,), 10.0, device=z.device))
        if not isinstance(shown, Tensor) or shown.shape != pixels.shape:
            picture = f"of a picture {list(pixels.shape)}"
            raise CodecError(f"{self.name}: the decoder gives {_shape(shown)} {picture}; override decode")
        return z


class _Transmitter(Transmitter):
    def __init__(self, codec: TorchCodec, cbr: float) -> None:
        self._codec, self._cbr = codec, cbr

    @torch.inference_mode()
    def start(self, image: np.ndarray) -> Payload:
        codec, (low, high) = self._codec, self._codec.pixels
        channels = codec.channels_for(*image.shape[:2], self._cbr)
        padded = low + (high - low) * to_pixels(image, *codec.layout.padded(*image.shape[:2]), codec.device)
        batches = codec.layout.cut(padded).to(_dtype(codec.network["encoder"])).split(BATCH)
        with codec.autocast():
            values = torch.cat([codec.encode(batch) for batch in batches])[:, :channels].flatten()
        if not codec.layout.is_complex:
            values = torch.view_as_complex(F.pad(values.float(), (0, len(values) % 2)).reshape(-1, 2))
        values = torch.nan_to_num(values.to(torch.complex64))
        scale = float(values.abs().square().mean(dtype=torch.float64).sqrt())
        symbols = (values / scale if scale else values).cpu().numpy()
        least, most = SCALES
        return Payload(symbols, SIDE_INFO.pack(min(max(scale, least), most), channels))


class _Receiver(TrainedReceiver):
    codec: TorchCodec

    def pixels(self, heard: Heard) -> Tensor | None:
        codec, (low, high) = self.codec, self.codec.pixels
        if heard.side_info is None or len(heard.side_info) != SIDE_INFO.size or heard.is_lost:
            return None
        scale, channels = SIDE_INFO.unpack(heard.side_info)
        if not 0 < scale < np.inf or not 0 < channels <= codec.layout.channels:
            return None
        if len(heard.symbols) != codec.layout.symbols(self.height, self.width, channels):
            return None
        z, noise_var = self._latents(heard, scale, channels)
        snr_db = -10 * heard.noise_var[torch.isfinite(heard.noise_var)].mean().log10()
        parts = zip(z.split(BATCH), noise_var.split(BATCH), strict=True)
        with codec.autocast():
            shown = torch.cat([codec.decode(some, noise, snr_db.expand(len(some))) for some, noise in parts])
        whole = codec.layout.joined(torch.nan_to_num(shown.float()), self.height, self.width)
        return (whole - low) / (high - low)

    def _latents(self, heard: Heard, scale: float, channels: int) -> tuple[Tensor, Tensor]:
        """z and the noise variance of each of its values, in its units."""
        layout = self.codec.layout
        lost = ~torch.isfinite(heard.noise_var)
        values = torch.where(lost, 0, heard.symbols) * scale
        noise = torch.where(lost, LOST, heard.noise_var * scale**2).clamp(max=LOST)
        if not layout.is_complex:
            values, noise = torch.view_as_real(values).flatten(), (noise / 2).repeat_interleave(2)
            values = values.to(_dtype(self.codec.network["decoder"]))
        shape = layout.shape_of(self.height, self.width)
        sent = (layout.tiles(self.height, self.width), channels, *shape[1:])
        count = layout.values(self.height, self.width, channels)
        missing = [0, 0] * (len(shape) - 1) + [0, shape[0] - channels]
        whole = F.pad(values[:count].reshape(sent), missing)
        return whole, F.pad(noise[:count].reshape(sent), missing, value=LOST)


def _dtype(module: nn.Module) -> torch.dtype:
    """Of a module's parameters; float32 without any."""
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)


def _shape(found: object) -> str:
    return str(list(found.shape)) if isinstance(found, Tensor) else type(found).__name__


def _told(module: nn.Module, which: str, known: dict[tuple[str, ...], Tensor]) -> list[Tensor]:
    """What a module takes after its first argument, in its order."""
    told = []
    for name, is_needed in arguments(module)[1:]:
        value = next((value for names, value in known.items() if name in names), None)
        if value is None and is_needed:
            names = ", ".join(name for names in known for name in names)
            raise CodecError(f"the {which} takes {name!r}, which is none of {names}: override {which[:-1]}")
        if value is None:
            break  # what follows could only be given by its name
        told.append(value)
    return told


def arguments(module: nn.Module) -> list[tuple[str, bool]]:
    """Names of what a module is called with, and whether each must be given.

    Example:
        >>> from torch import nn
        >>> arguments(nn.ReLU())
        [('input', True)]
    """
    if isinstance(module, torch.jit.ScriptModule):
        return [(a.name, not a.has_default_value()) for a in module.forward.schema.arguments[1:]]
    if names := getattr(module, "names", None):  # of an exported one
        return [(name, True) for name in names]
    parameters = inspect.signature(module.forward).parameters.values()
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [(p.name, p.default is inspect.Parameter.empty) for p in parameters if p.kind in by_place]


def _hash(network: nn.Module) -> bytes:
    """Four bytes of all that was trained."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.digest()[:4]
