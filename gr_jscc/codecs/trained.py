"""What all codecs have in common whose halves are one trained network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.base import Codec, CodecError, Receiver, Reception
from gr_jscc.codecs.parts.pixels import to_picture
from gr_jscc.free_memory import keep_freed_blocks
from gr_jscc.plugins import blame
from gr_jscc.weights import read_model
from gr_jscc.weights.difference import with_base
from gr_jscc.weights.loading import load_network

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class NetworkCodec(Codec):
    """A codec whose halves run a network, and whose receivers are `TrainedReceiver`.

    Attributes:
        network: ready to encode and decode, on ``device``.
        device: a torch device.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("deepjscc", precision="bf16")
        >>> isinstance(codec, NetworkCodec), codec.device, codec.precision, codec.network.training
        (True, 'cpu', 'bf16', False)
    """

    network: nn.Module
    device: str

    def place(self, network: nn.Module, device: str) -> None:
        """Puts the network on a device, ready to run.

        Raises:
            CodecError: the device is not there.
        """
        try:
            self.network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        except (RuntimeError, AssertionError) as error:  # torch's, also where it was built without CUDA
            raise CodecError(f"device {device!r} cannot be used: {str(error).partition(chr(10))[0]}") from error
        self.device = device
        keep_freed_blocks()

    def compute_in(self, precision: str) -> None:
        """Sets the precision of the network's convolutions and matrix products; see `Codec.compute_in`.

        Raises:
            CodecError: unknown precision, or one that the device does not compute in.
        """
        if precision not in PRECISIONS:
            raise CodecError(f"precision must be {', '.join(PRECISIONS)}, not {precision!r}")
        self.precision = precision
        if precision == "fp32":
            return
        try:
            with torch.inference_mode(), self.autocast():
                probe = torch.zeros(1, 8, 8, 8, device=self.device)
                F.conv2d(probe, torch.zeros(8, 8, 3, 3, device=self.device))
        except (RuntimeError, ValueError) as error:
            raise CodecError(f"device {self.device!r} cannot compute in {precision}: {blame(error)}") from error

    def autocast(self) -> torch.autocast:
        """The context for what may be computed in `precision`: never for what both ends must derive alike."""
        dtype = PRECISIONS[self.precision]
        return torch.autocast(torch.device(self.device).type, dtype, enabled=dtype != torch.float32)


class TrainedCodec(NetworkCodec):
    """A codec with a loaded model; see `gr_jscc.codecs.base.Codec`.

    Args:
        weights: a shipped model's name or a ``.safetensors`` file; `default_weights` when None.
        device: a torch device.

    Attributes:
        weights_codec: the codec that its weights name; its own when empty.

    Raises:
        WeightsError: weights missing, damaged, of another codec, or with a bad configuration.
        CodecError: the device is not there.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("successive-single", "successive-single-2")
        >>> isinstance(codec, TrainedCodec), codec.weights_name, len(codec.weights_hash)
        (True, 'successive-single-2', 4)
    """

    default_weights: ClassVar[str]
    weights_codec: ClassVar[str] = ""

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        model = with_base(read_model(weights or self.default_weights, self.weights_codec or self.name))
        self.place(load_network(self.build, model), device)
        self._model = model

    @staticmethod
    @abstractmethod
    def build(config: dict) -> nn.Module:
        """The network that weights of such a configuration belong to.

        Raises:
            Exception: of any kind, when none does. What tensors of the right shapes do not tell, it must look at.
        """

    @property
    def weights_name(self) -> str:
        return self._model.name

    @property
    def weights_hash(self) -> bytes:
        return self._model.hash


@dataclass(frozen=True)
class Heard:
    """A `Reception` as tensors.

    Attributes:
        symbols: complex64[k].
        noise_var: float32[k].
        side_info: bytes, or None when they were lost.

    Example:
        >>> Heard(torch.zeros(2, dtype=torch.complex64), torch.tensor([0.1, torch.inf]), b"").is_lost
        False
        >>> Heard(torch.zeros(2, dtype=torch.complex64), torch.tensor([torch.inf] * 2), b"").is_lost
        True
    """

    symbols: Tensor
    noise_var: Tensor
    side_info: bytes | None

    @property
    def is_lost(self) -> bool:
        """Whether no symbol is of use."""
        return not torch.isfinite(self.noise_var).any()


def heard(reception: Reception, device: str) -> Heard:
    """A reception on a device."""
    symbols, noise_var = (torch.from_numpy(x).to(device) for x in (reception.symbols, reception.noise_var))
    return Heard(symbols, noise_var, reception.side_info)


class TrainedReceiver(Receiver):
    """The receiving half of a trained codec, whose estimate can be differentiated by the symbols that arrived.

    Args:
        codec: whose.
        height, width: of the picture.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> receiver = load_codec("successive-single", "successive-single-2").receiver(16, 24)
        >>> nothing = heard(Reception(np.zeros(0, np.complex64), np.zeros(0, np.float32), None), "cpu")
        >>> isinstance(receiver, TrainedReceiver), receiver.pixels(nothing)
        (True, None)
    """

    def __init__(self, codec: NetworkCodec, height: int, width: int) -> None:
        self.codec, self.height, self.width = codec, height, width

    @abstractmethod
    def pixels(self, heard: Heard) -> Tensor | None:
        """Takes the next round: the estimate float32[1, 3, ≥ height, ≥ width], not clipped; None with nothing usable.

        What this changes of the receiver it replaces, so that a shallow copy of one stays as it is.
        """

    def take(self, heard: Heard) -> None:
        """Takes the next round as `pixels` does, without an estimate."""
        self.pixels(heard)

    @torch.inference_mode()
    def push(self, reception: Reception) -> np.ndarray:
        return self._picture(self.pixels(heard(reception, self.codec.device)))

    def _picture(self, pixels: Tensor | None) -> np.ndarray:
        self.shows_grey = False
        if pixels is None:
            return self.grey(self.height, self.width)
        return to_picture(pixels, self.height, self.width)


class LayeredReceiver(TrainedReceiver):
    """One of several rounds, whose estimate is computed only when somebody looks.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("successive-single", "successive-single-2")
        >>> receiver, image = codec.receiver(16, 24), np.full((16, 24, 3), 90, np.uint8)
        >>> transmitter = codec.transmitter(1 / 6)
        >>> for payload in (transmitter.start(image), transmitter.next(None)):
        ...     receiver.hear(Reception(payload.symbols, np.full(len(payload.symbols), 0.1), payload.side_info))
        >>> isinstance(receiver, LayeredReceiver), receiver.show().shape
        (True, (16, 24, 3))
    """

    @abstractmethod
    def take(self, heard: Heard) -> None:
        """Takes the next round; what this changes of the receiver it replaces."""

    @abstractmethod
    def paint(self) -> Tensor | None:
        """The estimate from all rounds so far, see `pixels`."""

    def pixels(self, heard: Heard) -> Tensor | None:
        self.take(heard)
        return self.paint()

    @torch.inference_mode()
    def hear(self, reception: Reception) -> None:
        self.take(heard(reception, self.codec.device))

    @torch.inference_mode()
    def show(self) -> np.ndarray:
        return self._picture(self.paint())
