"""CURVE keys: who may join a back-channel, and files that hold them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

from gr_jscc.files.locks import locked
from gr_jscc.files.whole import whole
from gr_jscc.link.back_channel.address import Address, BackChannelError
from gr_jscc.link.back_channel.hello import ROLES

_Z85 = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
_Z85_LENGTH = 40  # 32 bytes

_FILE = """\
# Key of the {role} of a gr-jscc back-channel. Whoever reads this file can take the {role}'s place.
role = "{role}"
public = "{public}"
secret = "{secret}"
peer_public = "{peer_public}"
"""


@dataclass(frozen=True)
class Keys:
    """One end's keys, each 40 characters of Z85 (32 bytes), for Curve25519.

    Attributes:
        role: of the end, ``transmitter`` or ``receiver``.
        public, secret: its own pair.
        peer_public: the only key that the other end may have.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     transmitter, receiver = map(read_keys, make_keys(folder))
        >>> transmitter.peer_public == receiver.public
        True
    """

    role: str
    public: str
    secret: str = field(repr=False)
    peer_public: str


@dataclass(frozen=True)
class Security:
    """Whether a back-channel is encrypted and both ends authenticated.

    Attributes:
        keys: None for neither.

    Example:
        >>> everywhere = Address("tcp://*:5550", local=False)
        >>> choose_keys(everywhere, "receiver", Security.none()) is None
        True
    """

    keys: Keys | None

    @classmethod
    def none(cls) -> Security:
        """No encryption and no authentication, whoever can reach the address."""
        return cls(None)

    @classmethod
    def load(cls, path: Path | str) -> Security:
        """With the keys of a file that `make_keys` wrote.

        Raises:
            BackChannelError: not such a file, or one that others can read.
        """
        return cls(read_keys(path))


def choose_keys(address: Address, role: str, security: Security | None) -> Keys | None:
    """The keys to use, None for none: other machines need them, unless told otherwise.

    Raises:
        BackChannelError: none where they are needed, or those of the other end.
    """
    if security is None:
        if not address.local:
            raise BackChannelError(
                f"{address.endpoint} can be reached by other machines and needs keys: make them with gr-jscc keys make"
            )
        return None
    if security.keys is not None and security.keys.role != role:
        raise BackChannelError(f"this host is the {role}, but the keys are the {security.keys.role}'s")
    return security.keys


def make_keys(folder: Path | str, force: bool = False) -> list[Path]:
    """Makes two pairs of keys that know each other and writes one file for each end, readable by their owner only.

    Args:
        folder: is made if missing.
        force: overwrite.

    Returns:
        The files, ``transmitter.key`` and ``receiver.key``.

    Raises:
        BackChannelError: files are there already, or cannot be written.
    """
    import zmq

    folder = Path(folder)
    paths = {role: folder / f"{role}.key" for role in ROLES}
    pairs = {role: [key.decode() for key in zmq.curve_keypair()] for role in ROLES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):  # two that make keys must not leave one file each
            there = [path for path in paths.values() if path.exists()]
            if there and not force:
                line = f"{there[0]} already exists; --force overwrites it, and both hosts then need the new keys"
                raise BackChannelError(line)
            for role, peer in (ROLES, ROLES[::-1]):
                public, secret = pairs[role]
                text = _FILE.format(role=role, public=public, secret=secret, peer_public=pairs[peer][0])
                _write_secret(paths[role], text)
    except BlockingIOError as error:
        raise BackChannelError(f"another program is making keys in {folder}") from error
    except OSError as error:
        raise BackChannelError(f"cannot write keys to {folder}: {error.strerror}") from error
    return list(paths.values())


def read_keys(path: Path | str) -> Keys:
    """Reads one end's file.

    Raises:
        BackChannelError: missing, readable by others, or not such a file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise BackChannelError(f"others can read the secret key in {path}; fix it with chmod 600 {path}")
            text = file.read(65536).decode()
    except OSError as error:
        raise BackChannelError(f"cannot read the keys {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BackChannelError(f"not a key file: {path}") from error
    try:
        keys = Keys(**tomllib.loads(text))
    except (tomllib.TOMLDecodeError, TypeError) as error:  # TypeError: missing or unknown names
        raise BackChannelError(f"not a key file: {path}") from error
    whole = all(_is_key(key) for key in (keys.public, keys.secret, keys.peer_public))
    if keys.role not in ROLES or not whole:
        raise BackChannelError(f"not a key file: {path}")
    return keys


def _is_key(text: object) -> bool:
    return isinstance(text, str) and len(text) == _Z85_LENGTH and _Z85.issuperset(text)


def _write_secret(path: Path, text: str) -> None:
    with whole(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
