"""How the two ends greet each other: what each is, and what it works with."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from gr_jscc.link.back_channel.message import (
    Message,
    MessageError,
    check_text,
    fitting,
    pack_fields,
    read_text,
    unpack_head,
)
from gr_jscc.link.back_channel.wire import Kind
from gr_jscc.modem.version import VERSION as AIR_VERSION

ROLES = ("transmitter", "receiver")
NO_RUN = bytes(8)
NO_KEY = bytes(16)
NO_NUMEROLOGY = bytes(4)
ID_BYTES = 8


def check_bytes(name: str, data: bytes, size: int) -> bytes:
    """Bytes of a certain number.

    Raises:
        MessageError: another number.
    """
    if len(data) != size:
        raise MessageError(f"{name} must be {size} bytes, not {len(data)}")
    return bytes(data)


@dataclass(frozen=True)
class Hello(Message):
    """Who speaks; the first message in both directions, and again after every reconnection.

    Its frame's ``sequence`` is that of the first frame of the first message that was not yet acknowledged: where a
    peer that has just started begins to listen.

    Attributes:
        role: ``transmitter`` or ``receiver``.
        codec: name, up to 32 bytes.
        weights: name, up to 64 bytes.
        weights_hash: four bytes.
        run: eight bytes that name the run; zeros when there is none.
        session: of a transmitter on the air, see `gr_jscc.link.session.Session.word`; 0 of a receiver.
        air_key: by which its manifests are authenticated, 16 bytes; zeros where the back-channel is not encrypted.
        software: name and version, up to 32 bytes.
        numerology: in words, up to 80 bytes; "" where it is not told.
        numerology_hash: four bytes, see `gr_jscc.modem.Numerology.fingerprint`; zeros where it is not told.
        air: version of the air interface, 0 to 255.
        is_stream: whether it sends or shows frames, of which none is waited for, instead of storing pictures.

    Example:
        >>> hello = Hello("receiver", codec="deepjscc", weights="photo", weights_hash=b"abcd")
        >>> Hello.unpack(hello.pack()).weights
        'photo'
    """

    kind: ClassVar[Kind] = Kind.HELLO
    limit: ClassVar[int] = 256
    _head: ClassVar[struct.Struct] = struct.Struct(">B4s8sI16s4sBBBBB")
    _texts: ClassVar[dict[str, int]] = {"codec": 32, "weights": 64, "software": 32, "numerology": 80}

    role: str
    codec: str
    weights: str
    weights_hash: bytes
    run: bytes = NO_RUN
    session: int = 0
    air_key: bytes = NO_KEY
    software: str = ""
    numerology: str = ""
    numerology_hash: bytes = NO_NUMEROLOGY
    air: int = AIR_VERSION
    is_stream: bool = False

    def pack(self) -> bytes:
        if self.role not in ROLES:
            raise MessageError(f"role must be {' or '.join(ROLES)}, not {self.role!r}")
        hash_, run = check_bytes("weights_hash", self.weights_hash, 4), check_bytes("run", self.run, 8)
        texts = [check_text(name, getattr(self, name), most) for name, most in self._texts.items()]
        lengths = map(len, texts)
        key = check_bytes("air_key", self.air_key, len(NO_KEY))
        layout = check_bytes("numerology_hash", self.numerology_hash, len(NO_NUMEROLOGY))
        role = ROLES.index(self.role) + len(ROLES) * self.is_stream
        head = pack_fields(self._head, role, hash_, run, self.session, key, layout, self.air, *lengths)
        return head + b"".join(texts)

    @classmethod
    def of(cls, role: str, codec: str, weights: str, weights_hash: bytes, **more: object) -> Hello:
        """One whose names are made to fit."""
        codec, weights = fitting(codec, cls._texts["codec"]), fitting(weights, cls._texts["weights"])
        return cls(role, codec, weights, weights_hash, **more)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Hello:
        (role, hash_, run, session, key, layout, air, *lengths), rest = unpack_head(cls._head, data)
        if role >= 2 * len(ROLES) or sum(lengths) != len(rest):
            raise MessageError("not a hello")
        texts, start = {}, 0
        for (name, most), length in zip(cls._texts.items(), lengths):
            texts[name] = read_text(name, rest[start : start + length], most)
            start += length
        about = {"weights_hash": hash_, "run": run, "session": session, "air_key": key, "numerology_hash": layout}
        is_stream, role = divmod(role, len(ROLES))
        return cls(ROLES[role], air=air, is_stream=bool(is_stream), **about, **texts)


def mismatch(mine: Hello, theirs: Hello) -> str | None:
    """Why two ends do not fit, in a line that is true at both; None if they do."""
    if mine.role == theirs.role:
        return f"both ends are {mine.role}s"
    first, second = sorted((mine, theirs), key=lambda hello: hello.role, reverse=True)
    if mine.air != theirs.air:
        return f"the {first.role} uses version {first.air} of the air interface, the {second.role} version {second.air}"
    if (mine.codec, mine.weights_hash) != (theirs.codec, theirs.weights_hash):
        return f"the {_uses(first)}, the {_uses(second)}"
    if mine.is_stream != theirs.is_stream:
        sends, stores = ("frames", "stores pictures") if first.is_stream else ("pictures", "shows frames")
        return f"the {first.role} sends {sends}, the {second.role} {stores}: frames need rx --page or --film"
    hashes = {mine.numerology_hash, theirs.numerology_hash}
    if len(hashes) == 1 or NO_NUMEROLOGY in hashes:
        return None
    return f"the {first.role} uses numerology {first.numerology}, the {second.role} {second.numerology}"


def _uses(hello: Hello) -> str:
    return f"{hello.role} uses codec {hello.codec} with weights {hello.weights} ({hello.weights_hash.hex()})"
