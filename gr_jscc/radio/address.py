"""What a radio's address says, checked without opening it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gr_jscc.errors import UserError
from gr_jscc.plugins import Group


class RadioError(UserError):
    """A radio that there is not, or that cannot be opened or used; the message is one line for a person.

    Example:
        >>> parse_radio("file:")
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: radio 'file:': the path of a file must follow
    """


@dataclass(frozen=True)
class RadioAddress:
    """A radio's address in its parts.

    Attributes:
        kind: a key of `KINDS`.
        place: what follows the kind: a device's arguments, ZMQ's endpoint, or a path.

    Example:
        >>> parse_radio("zmq:tcp://127.0.0.1:5551")
        RadioAddress(kind='zmq', place='tcp://127.0.0.1:5551')
    """

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


@dataclass(frozen=True)
class Kind:
    """A kind of radio.

    Attributes:
        form: its addresses, for messages.
        module: has ``sink`` and ``source``, see `gr_jscc.radio`.
        check: says what is wrong with a place, or nothing.
        device: whether it is a device, which a profile sets.

    Example:
        >>> KINDS["zmq"].device, KINDS["zmq"].check("tcp://127.0.0.1:70000")
        (False, 'the port must be a number from 1 to 65535')
    """

    form: str
    module: str
    check: Callable[[str], str]
    device: bool = False


def _endpoint_fault(endpoint: str) -> str:
    transport, _, rest = endpoint.partition("://")
    if transport == "ipc":
        return "" if rest.strip("*") else "the path of a socket must follow ipc://"
    if transport != "tcp" or ":" not in rest:
        return "ZMQ's endpoint must be tcp://HOST:PORT or ipc://PATH"
    host, _, port = rest.rpartition(":")
    if ":" in host or "[" in host:
        return "GNU Radio's ZMQ blocks do not support IPv6: use an IPv4 address or a host name"
    if not re.fullmatch(r"[\w.-]+|\*", host):
        return "the host is missing: tcp://HOST:PORT"
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535:
        return "the port must be a number from 1 to 65535"
    return ""


def _path_fault(path: str) -> str:
    return "" if path and "\0" not in path else "the path of a file must follow"


def _arguments_fault(arguments: str) -> str:
    for part in arguments.split(","):
        name, equals, _ = part.partition("=")
        if arguments and not (name.strip() and equals):
            return "device arguments must be NAME=VALUE, separated by commas"
    return ""


def _soapy_fault(arguments: str) -> str:
    return _arguments_fault(arguments) if arguments else "SoapySDR's arguments must follow, e.g. driver=hackrf"


_ENDPOINT = "tcp://HOST:PORT"
KINDS: dict[str, Kind] = {
    "soapy": Kind("soapy:driver=NAME,…", "gr_jscc.radio.soapy_radio", _soapy_fault, device=True),
    "uhd": Kind("uhd:ARGUMENTS", "gr_jscc.radio.uhd_radio", _arguments_fault, device=True),
    "zmq": Kind(f"zmq:{_ENDPOINT} (or ipc://PATH)", "gr_jscc.radio.zmq_radio", _endpoint_fault),
    "zmq-pub": Kind(f"zmq-pub:{_ENDPOINT}", "gr_jscc.radio.zmq_radio", _endpoint_fault),
    "zmq-req": Kind(f"zmq-req:{_ENDPOINT}", "gr_jscc.radio.zmq_radio", _endpoint_fault),
    "file": Kind("file:PATH", "gr_jscc.radio.file_radio", _path_fault),
}


PLUGINS = Group("radio", "gr_jscc.radios", {}, RadioError)


def kind_of(name: str) -> Kind | None:
    """A kind of `KINDS`, or one that an installed package announces: an entry point of ``gr_jscc.radios`` is a `Kind`.

    Raises:
        RadioError: two packages announce it, or it cannot be imported or is no `Kind`.
    """
    if name in KINDS or name not in PLUGINS.others():
        return KINDS.get(name)
    kind = PLUGINS.find(name)
    if not isinstance(kind, Kind):
        raise RadioError(f"radio {name}: its entry point must be a gr_jscc.radio.address.Kind, not {kind!r}")
    return kind


def parse_radio(address: str) -> RadioAddress:
    """An address in its parts.

    Raises:
        RadioError: there is no such kind, or the rest makes no sense for it.
    """
    kind, colon, place = address.partition(":")
    known_kind = kind_of(kind) if colon else None
    if known_kind is None:
        forms = ", ".join(known.form for known in KINDS.values())
        forms += "".join(f", {name}:…" for name in PLUGINS.others())
        raise RadioError(f"unknown radio {address!r}; a radio is one of {forms}")
    if fault := known_kind.check(place):
        raise RadioError(f"radio {address!r}: {fault}")
    return RadioAddress(kind, place)
