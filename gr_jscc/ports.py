"""Hosts and ports: as people write them, and free ones on this machine for programs that talk to each other."""

from __future__ import annotations

import contextlib
import socket


def host_and_port(text: str) -> tuple[str, int] | None:
    """The two in ``HOST:PORT`` or ``PORT``, the host empty where there is none; None where the text is neither.

    Example:
        >>> host_and_port("127.0.0.1:9464"), host_and_port("8000"), host_and_port("localhost")
        (('127.0.0.1', 9464), ('', 8000), None)
    """
    host, _, port = text.rpartition(":")
    return (host, int(port)) if port.isdecimal() and int(port) <= 65535 else None


def free_addresses(count: int) -> list[str]:
    """So many addresses ``tcp://127.0.0.1:PORT``, at none of which anybody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
