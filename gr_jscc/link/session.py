"""Whose a transfer is: random words by which a receiver tells one sender, and one start of it, from another."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass

COUNT_BITS = 10
SENDER_BITS = 8
REST_BITS = 15
COUNTS = 1 << COUNT_BITS  # transfers of a sender, before their numbers are used again
MAC_BYTES = 8
KEY_BYTES = 16
_PLACE = struct.Struct(">IB")


def sender_of(transfer: int) -> int:
    """The sender's share, eight bits, of a transfer's number."""
    return transfer >> COUNT_BITS


def transfer_name(transfer: int) -> str:
    """A name for a picture of which nothing else is known, such as ``transfer-3f-0007``: the sender and its count."""
    return f"transfer-{sender_of(transfer):02x}-{transfer % COUNTS:04d}"


@dataclass(frozen=True)
class Session:
    """One start of a sender.

    Attributes:
        word: 23 bits, random. The upper eight are in the number of every transfer, and so in every header; the others
            in every manifest.
        key: by which manifests are authenticated, 16 bytes that only a receiver on an encrypted back-channel is told;
            empty: they are not.

    Example:
        >>> session = Session.fresh()
        >>> session.transfer(0) != session.transfer(1)
        True
    """

    word: int = 0
    key: bytes = b""

    @classmethod
    def fresh(cls) -> Session:
        """A new one, with a key."""
        return cls(secrets.randbits(SENDER_BITS + REST_BITS), secrets.token_bytes(KEY_BYTES))

    @property
    def sender(self) -> int:
        """What headers say of it, eight bits."""
        return self.word >> REST_BITS

    @property
    def rest(self) -> int:
        """What manifests say of it, 15 bits."""
        return self.word & (1 << REST_BITS) - 1

    def transfer(self, count: int) -> int:
        """The number of the sender's transfer ``count``."""
        return self.sender << COUNT_BITS | count % COUNTS

    def mac(self, manifest: bytes, transfer: int, round_: int) -> bytes:
        """Eight bytes that only who has the key can make, for a manifest of a round."""
        content = _PLACE.pack(transfer, round_) + manifest
        return hashlib.blake2b(content, key=self.key, digest_size=MAC_BYTES).digest()

    def is_authentic(self, mac: bytes, manifest: bytes, transfer: int, round_: int) -> bool:
        """Whether `mac` made these bytes of it."""
        return hmac.compare_digest(mac, self.mac(manifest, transfer, round_))
