"""A picture codec and an ideal channel code, the bound that papers draw as *BPG + capacity*; no air.

An ideal code carries log2(1 + SNR) bits on every channel use of white noise, as many as no real code does, and fails
below that SNR. Nobody can build one, so nothing here can be sent: the symbols are complex Gaussian noise, as the words
of such a code would look, and the bits that they stand for are handed over as side information, which is free over the
ideal channel and nowhere else. The receiver looks at them only if the channel that it saw could have carried them.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np

from gr_jscc.codecs.base import Payload, Receiver, Reception, Transmitter, channel_uses
from gr_jscc.codecs.separation.digital import DigitalCodec
from gr_jscc.codecs.separation.options import parse_capacity
from gr_jscc.codecs.separation.picture_codecs import DamagedPictureError, picture_codec
from gr_jscc.modem.crc import crc32

__all__ = ["SeparationCapacity", "capacity_bits"]

# Noise variances are of single precision, the capacity that was spent is not.
ROUNDING = 1e-6


class SeparationCapacity(DigitalCodec):
    """A picture codec and the capacity of white noise; see `gr_jscc.codecs.base.Codec`.

    Args:
        weights: the picture codec and the SNR whose capacity is spent, see `gr_jscc.codecs.separation.options`; 10 dB
            when None.
        device: of no consequence, as nothing here runs on a GPU.

    Raises:
        CodecError: ``weights`` is not understood, or this machine lacks the picture codec.

    Example:
        >>> codec = SeparationCapacity("jpeg:20dB")
        >>> codec.ideal_only, codec.room(64, 96, cbr=1 / 12)
        (True, 1278)
    """

    name = "separation-capacity"
    ideal_only = True

    def __init__(self, weights: str | None = None, device: str = "cpu") -> None:
        source, self.snr_db = parse_capacity(str(weights or ""))
        self.pictures = picture_codec(source)

    @property
    def weights_name(self) -> str:
        return f"{self.pictures.name}:{self.snr_db:g}dB"

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    @property
    def bits_per_use(self) -> float:
        """Capacity at the SNR that is spent."""
        return math.log2(1 + 10 ** (self.snr_db / 10))

    def room(self, height: int, width: int, cbr: float) -> int:
        """Bytes for a picture of a size."""
        return math.floor(channel_uses(cbr, height, width) * self.bits_per_use / 8)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)


def capacity_bits(noise_var: np.ndarray) -> float:
    """What parallel Gaussian channels of signal power 1 carry, bits.

    Args:
        noise_var: float[n], variance of the complex noise of each; inf where nothing arrives.
    """
    return float(np.sum(np.log2(1 + 1 / np.maximum(noise_var.astype(np.float64), 1e-12))))


class _Transmitter(Transmitter):
    def __init__(self, codec: SeparationCapacity, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    def start(self, image: np.ndarray) -> Payload:
        room = self.codec.room(*image.shape[:2], self.cbr)
        data = self.codec.best_picture(image, room, self.cbr)
        uses = math.ceil(8 * len(data) / self.codec.bits_per_use)
        parts = np.random.default_rng(crc32(data)).standard_normal((uses, 2))
        symbols = parts @ (1, 1j) / np.sqrt(np.mean(np.sum(parts**2, axis=1)))
        return Payload(symbols.astype(np.complex64), data)


class _Receiver(Receiver):
    def __init__(self, codec: SeparationCapacity, height: int, width: int) -> None:
        self.codec, self.height, self.width = codec, height, width

    def push(self, reception: Reception) -> np.ndarray:
        self.shows_grey = False
        data = reception.side_info or b""
        if 8 * len(data) <= capacity_bits(reception.noise_var) * (1 + ROUNDING):
            with contextlib.suppress(DamagedPictureError):
                return self.codec.pictures.decode(data, self.height, self.width)
        return self.grey(self.height, self.width)
