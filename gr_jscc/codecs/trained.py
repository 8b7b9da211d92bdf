"""What all codecs have in common whose halves are one trained network."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.weights import read_model
from gr_jscc.weights.loading import load_network


class TrainedCodec(Codec):
    """A codec with a loaded model; see `gr_jscc.codecs.base.Codec`.

    Args:
        weights: a shipped model's name or a ``.safetensors`` file; `default_weights` when None.
        device: a torch device.

    Attributes:
        network: ready to encode and decode, on ``device``.
        weights_codec: the codec that its weights name; its own when empty.

    Raises:
        WeightsError: weights missing, damaged, of another codec, or with a bad configuration.
        CodecError: the device is not there.
    """

    default_weights: ClassVar[str]
    weights_codec: ClassVar[str] = ""

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        model = read_model(weights or self.default_weights, self.weights_codec or self.name)
        network = load_network(self.build, model)
        try:
            self.network = network.to(device, memory_format=torch.channels_last)
        except (RuntimeError, AssertionError) as error:  # torch's, also where it was built without CUDA
            raise CodecError(f"device {device!r} cannot be used: {str(error).partition(chr(10))[0]}") from error
        self.device = device
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
