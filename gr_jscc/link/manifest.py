"""The manifest: what a receiver must be told of a round before its symbols mean anything.

It crosses as coded digital bursts together with the codec's side information, is repeated, and is
charged to the CBR.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LAYOUT = struct.Struct(">4sHHI")


class ManifestError(ValueError):
    """Bytes that are no manifest."""


@dataclass(frozen=True)
class Manifest:
    """One round of a transfer.

    Attributes:
        weights_hash: the codec and weights in use (four bytes).
        height, width: of the picture, pixels, up to 65535.
        symbols: complex symbols of the round.
        side_info: the codec's bytes for the round.
    """

    weights_hash: bytes
    height: int
    width: int
    symbols: int
    side_info: bytes

    def pack(self) -> bytes:
        """The manifest as bytes: 12 and the side information."""
        return _LAYOUT.pack(self.weights_hash, self.height, self.width, self.symbols) + self.side_info

    @classmethod
    def unpack(cls, data: bytes) -> Manifest:
        """Reads `pack`'s bytes.

        Raises:
            ManifestError: too short, or of a picture without pixels.
        """
        if len(data) < _LAYOUT.size:
            raise ManifestError(f"a manifest has at least {_LAYOUT.size} bytes, not {len(data)}")
        weights_hash, height, width, symbols = _LAYOUT.unpack_from(data)
        if not height or not width:
            raise ManifestError("a manifest of a picture without pixels")
        return cls(weights_hash, height, width, symbols, data[_LAYOUT.size :])
