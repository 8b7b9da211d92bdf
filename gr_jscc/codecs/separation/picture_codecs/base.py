"""What a picture codec offers: settings from coarse to fine, bytes, and pictures from bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar

import numpy as np

__all__ = ["DamagedPictureError", "PictureCodec"]


class DamagedPictureError(ValueError):
    """Bytes that are no picture of this codec and size.

    Example:
        >>> from gr_jscc.codecs.separation.picture_codecs import picture_codec
        >>> picture_codec("jpeg").decode(b"no picture", 8, 8)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.separation.picture_codecs.base.DamagedPictureError: not a JPEG picture
    """


class PictureCodec(ABC):
    """A codec without state; the same settings give the same bytes.

    Attributes:
        name: in `gr_jscc.codecs.separation.picture_codecs.PICTURE_CODECS`.
        ladder: settings, from the fewest bytes to the most.
        typical: where to look first: an index of `ladder` and the bits a pixel that a photo takes there.
        growth: by how much the logarithm of a photo's bytes grows from one setting to the next.

    Example:
        >>> class Raw(PictureCodec):
        ...     name, ladder, typical, growth, fingerprint = "raw", [0], (0, 24.0), 1.0, b""
        ...     def encode(self, image, setting):
        ...         return image.tobytes()
        ...     def read(self, data, height, width):
        ...         return np.frombuffer(data, np.uint8).reshape(height, width, 3)
        ...
        >>> Raw().decode(Raw().encode(np.zeros((2, 5, 3), np.uint8), setting=0), 2, 5).shape
        (2, 5, 3)
    """

    name: ClassVar[str]
    ladder: Sequence[Hashable]
    typical: tuple[int, float]
    growth: float

    @property
    @abstractmethod
    def fingerprint(self) -> bytes:
        """What both ends must agree on for one to read what the other wrote."""

    @abstractmethod
    def encode(self, image: np.ndarray, setting: Hashable) -> bytes:
        """A picture uint8[H, W, 3] as bytes; H and W are known to whoever decodes them."""

    def decode(self, data: bytes, height: int, width: int) -> np.ndarray:
        """The picture in `encode`'s bytes: uint8[height, width, 3].

        Raises:
            DamagedPictureError: the bytes are not whole, or the size is one that this codec has no pictures of. Not
                every damage is noticed: check the bytes before.
        """
        try:
            return self.read(data, height, width)
        except DamagedPictureError:
            raise
        except Exception as error:  # the libraries raise what they like: OSError, SyntaxError, struct.error, …
            raise DamagedPictureError(f"not a {self.name} picture of {width}x{height}: {error}") from error

    @abstractmethod
    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        """What `decode` does; may raise anything.

        Bytes from the air may be made to look like other pictures: nothing in them may make the library believe
        another size than the given one, another number of pictures, or more passes over one than `encode` makes.
        """

    def between(self, index: int) -> list[list[Hashable]]:
        """Further settings about as good as ``ladder[index]`` and the next finer one, from few bytes to many."""
        return []
