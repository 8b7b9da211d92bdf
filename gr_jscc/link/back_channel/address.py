"""Where a back-channel listens or connects to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gr_jscc.errors import UserError

_TCP = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):([0-9]{1,5})")
_IPC_MOST = 107  # bytes of the path of a Unix socket


class BackChannelError(UserError):
    """An address, a key or an end that cannot work; the message is one line for a person.

    Example:
        >>> parse_address("tcp://127.0.0.1:0", listening=False)
        Traceback (most recent call last):
            ...
        gr_jscc.link.back_channel.address.BackChannelError: tcp://127.0.0.1:0: the port must be 1 to 65535
    """


@dataclass(frozen=True)
class Address:
    """An address that was checked.

    Attributes:
        endpoint: as ZMQ takes it.
        local: whether nothing outside this machine can reach it.
        ipv6: whether it is a literal IPv6 address.

    Example:
        >>> from gr_jscc.link.back_channel.address import parse_address
        >>> parse_address("tcp://127.0.0.1:5550", listening=True).local
        True
    """

    endpoint: str
    local: bool
    ipv6: bool = False


def parse_address(text: str, listening: bool) -> Address:
    """Checks ``tcp://HOST:PORT`` or ``ipc://PATH``.

    Args:
        text: as a person gives it. Listening, the host is an address or interface of this machine or ``*`` for all,
            and port 0 takes any that is free.
        listening: or connecting.

    Raises:
        BackChannelError: anything else.
    """
    if text.startswith("ipc://") and len(text) > 6 and text.isprintable():
        if len(text.encode()) - 6 > _IPC_MOST:
            raise BackChannelError(f"the path of {text} is longer than {_IPC_MOST} bytes")
        return Address(text, local=True)
    match = _TCP.fullmatch(text)
    if match is None:
        raise BackChannelError(f"a back-channel's address is tcp://HOST:PORT or ipc://PATH, not {text!r}")
    host, port = match[1], int(match[2])
    if port > 65535 or (port == 0 and not listening):
        raise BackChannelError(f"{text}: the port must be 1 to 65535")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        number = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        if host.startswith("["):
            raise BackChannelError(f"{text}: not an IPv6 address") from error
        number = None  # a name, an interface, or *
    everywhere = host == "*" or (number is not None and number.is_unspecified)
    if everywhere and not listening:
        raise BackChannelError(f"{text}: give the address of the receiving host to connect to")
    local = number is not None and number.is_loopback
    return Address(f"tcp://{host}:{port}", local, ipv6=host.startswith("["))
