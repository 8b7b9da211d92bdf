"""The manifest: what a receiver must be told of a round before its symbols mean anything.

It crosses as coded digital bursts together with the codec's side information, is repeated, and is
charged to the CBR.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gr_jscc.link.session import MAC_BYTES, REST_BITS, Session

_LAYOUT = struct.Struct(">H4sHHI")
_AUTHENTICATED = 1 << REST_BITS


class ManifestError(ValueError):
    """Bytes that are no manifest.

    Example:
        >>> Manifest.unpack(b"short")
        Traceback (most recent call last):
            ...
        gr_jscc.link.manifest.ManifestError: a manifest has at least 14 bytes, not 5
    """


@dataclass(frozen=True)
class Manifest:
    """One round of a transfer.

    Attributes:
        weights_hash: the codec and weights in use (four bytes).
        height, width: of the picture, pixels, up to 65535.
        symbols: complex symbols of the round.
        side_info: the codec's bytes for the round.
        session: 15 bits of the sender's, see `Session.rest`.

    Example:
        >>> manifest = Manifest(b"abcd", height=512, width=768, symbols=98_304, side_info=b"means")
        >>> len(manifest.pack()), Manifest.unpack(manifest.pack()).width
        (19, 768)
    """

    weights_hash: bytes
    height: int
    width: int
    symbols: int
    side_info: bytes
    session: int = 0

    def pack(self) -> bytes:
        """The manifest as bytes: 14 and the side information."""
        return self._packed(self.session)

    def sealed(self, session: Session, transfer: int, round_: int) -> bytes:
        """The manifest as the sender gives it to the air: with a session's key, authenticated by eight more bytes."""
        if not session.key:
            return self.pack()
        data = self._packed(self.session | _AUTHENTICATED)
        return data + session.mac(data, transfer, round_)

    def _packed(self, first: int) -> bytes:
        return _LAYOUT.pack(first, self.weights_hash, self.height, self.width, self.symbols) + self.side_info

    @classmethod
    def unpack(cls, data: bytes, session: Session | None = None, transfer: int = 0, round_: int = 0) -> Manifest:
        """Reads what `pack` or `sealed` made.

        Args:
            data: the bytes.
            session: whose it must be, and with whose key it must be authenticated if there is one; None: anybody's.
            transfer, round_: of the bursts in which it came.

        Raises:
            ManifestError: too short, of a picture without pixels, of another session, or forged.
        """
        if len(data) < _LAYOUT.size:
            raise ManifestError(f"a manifest has at least {_LAYOUT.size} bytes, not {len(data)}")
        first, weights_hash, height, width, symbols = _LAYOUT.unpack_from(data)
        body = data
        if first & _AUTHENTICATED:
            if len(data) < _LAYOUT.size + MAC_BYTES:
                raise ManifestError("an authenticated manifest without its code")
            body = data[:-MAC_BYTES]
        rest = first & ~_AUTHENTICATED
        if session is not None and rest != session.rest:
            raise ManifestError("a manifest of another session")
        if session is not None and session.key:
            if body is data or not session.is_authentic(data[-MAC_BYTES:], body, transfer, round_):
                raise ManifestError("a manifest that its sender did not authenticate")
        if not height or not width:
            raise ManifestError("a manifest of a picture without pixels")
        return cls(weights_hash, height, width, symbols, body[_LAYOUT.size :], rest)
