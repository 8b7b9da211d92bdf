"""A codec around another one, which it leaves as it is but for what it overrides."""

from __future__ import annotations

import copy

import numpy as np

from gr_jscc.codecs.base import Codec, Payload, Receiver, Transmitter, UseMap


class Wrapped(Codec):
    """Hands everything on to `codec`.

    Args:
        codec: what is wrapped.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> wrapped = Wrapped(load_codec("separation"))
        >>> wrapped.name, wrapped.cbr_range
        ('separation', (0.0, 1.0))
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.name = codec.name
        self.uses_feedback, self.ideal_only = codec.uses_feedback, codec.ideal_only
        self.side_info_mcs, self.side_info_copies = codec.side_info_mcs, codec.side_info_copies
        self.side_info_lasts, self.most_behind = codec.side_info_lasts, codec.most_behind

    @property
    def cbr_range(self) -> tuple[float, float]:
        return self.codec.cbr_range

    @property
    def weights_name(self) -> str:
        return self.codec.weights_name

    @property
    def weights_hash(self) -> bytes:
        return self.codec.weights_hash

    def set_eta(self, eta: float) -> None:
        self.codec.set_eta(eta)

    def compute_in(self, precision: str) -> None:
        self.codec.compute_in(precision)

    def use_map(self, image: np.ndarray, cbr: float) -> UseMap | None:
        return self.codec.use_map(image, cbr)

    def hear_snr(self, snr_db: float) -> None:
        """Is told Es/N0 in dB as the receiver reported it; what is wrapped is not told by this."""

    def of_stream(self, refresh: int, is_even: bool = False) -> Wrapped:
        stream = copy.copy(self)
        stream.codec = self.codec.of_stream(refresh, is_even)
        return stream

    def sent(self, payload: Payload) -> None:
        self.codec.sent(payload)

    def restated(self, payload: Payload, side_info: bytes) -> Payload | None:
        return self.codec.restated(payload, side_info)

    def check_size(self, height: int, width: int, cbr: float) -> None:
        self.codec.check_size(height, width, cbr)

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        self.codec.check_picture(image, cbr)

    def transmitter(self, cbr: float) -> Transmitter:
        return self.codec.transmitter(cbr)

    def receiver(self, height: int, width: int) -> Receiver:
        return self.codec.receiver(height, width)
