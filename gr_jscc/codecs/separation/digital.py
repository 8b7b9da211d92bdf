"""What the digital systems share: a picture in as many bytes as a CBR has room for."""

from __future__ import annotations

import hashlib
from abc import abstractmethod

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.codecs.separation.picture_codecs import PictureCodec, fit, fits


class DigitalCodec(Codec):
    """A picture codec and what carries its bytes; see `gr_jscc.codecs.base.Codec`.

    Attributes:
        pictures: the picture codec.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("separation-capacity", "jpeg:10dB")
        >>> isinstance(codec, DigitalCodec)
        True
        >>> codec.check_picture(np.zeros((64, 96, 3), np.uint8), cbr=1 / 1000)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: a 96x64 picture needs more than CBR 0.001 with separation-capacity (jpeg:10dB)
    """

    pictures: PictureCodec

    @abstractmethod
    def room(self, height: int, width: int, cbr: float) -> int:
        """Bytes for a picture of a size; none or fewer where the CBR is too low for any."""

    @property
    def fingerprint(self) -> bytes:
        """What both ends must agree on for one to read the pictures of the other."""
        return self.pictures.fingerprint

    @property
    def weights_hash(self) -> bytes:
        """Four bytes that stand for settings which both ends must share."""
        settings = self.name, self.weights_name, self.fingerprint
        return hashlib.sha256(repr(settings).encode()).digest()[:4]

    def check_size(self, height: int, width: int, cbr: float) -> None:
        if self.room(height, width, cbr) < 1:
            raise self._too_large(height, width, cbr)

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        """Refuses what `best_picture` would, by the coarsest encoding alone."""
        if not fits(self.pictures, image, self.room(*image.shape[:2], cbr)):
            raise self._too_large(*image.shape[:2], cbr)

    def best_picture(self, image: np.ndarray, room: int, cbr: float) -> bytes:
        """A picture uint8[H, W, 3] in at most ``room`` bytes.

        Raises:
            CodecError: the coarsest one takes more.
        """
        data = fit(self.pictures, image, room) if room > 0 else None
        if data is None:
            raise self._too_large(*image.shape[:2], cbr)
        return data

    def _too_large(self, height: int, width: int, cbr: float) -> CodecError:
        return CodecError(
            f"a {width}x{height} picture needs more than CBR {cbr:.4g} with {self.name} ({self.weights_name})"
        )
