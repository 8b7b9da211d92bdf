"""Free places on this machine for programs that talk to each other."""

from __future__ import annotations

import contextlib
import socket


def free_addresses(count: int) -> list[str]:
    """So many addresses ``tcp://127.0.0.1:PORT``, at none of which anybody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
