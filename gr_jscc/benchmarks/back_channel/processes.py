"""Both ends of a back-channel, the receiver in a process of its own, and what became of what was sent.

Without PyTorch, so that the other processes start quickly.
"""

from __future__ import annotations

import multiprocessing
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from gr_jscc.link.back_channel import BackChannel, Hello, Security, SideInfo, Statistics, Symbols
from gr_jscc.resident import resident_mb

LOOPBACK = "tcp://127.0.0.1:0"
PADDING = bytes(1000)  # of every legitimate message
PATIENCE = 60.0  # seconds
NUMBER = struct.Struct(">I")


def hello(role: str) -> Hello:
    """Of both ends here."""
    return Hello(role, "deepjscc", "benchmark", b"\x01\x02\x03\x04")


def receiver(control: Connection, keys: str | None) -> None:
    """Returns every message to its sender; answers on ``control`` with what it counted."""
    numbers: list[int] = []

    def on_message(message: SideInfo | Symbols) -> None:
        if isinstance(message, SideInfo):
            numbers.append(NUMBER.unpack_from(message.data)[0])
        channel.send(message)

    security = Security.load(keys) if keys else None
    channel = BackChannel(LOOPBACK, hello("receiver"), on_message, security=security)
    channel.start()
    control.send(channel.address)
    while control.recv():
        control.send((list(numbers), channel.statistics(), resident_mb()))
    channel.close()
    control.send(None if channel.failure is None else repr(channel.failure))


@contextmanager
def process(target: Callable, *arguments: object) -> Iterator[tuple[Connection, str]]:
    """Runs a function in a process of its own; its end of a pipe and its address."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        yield mine, mine.recv()
    finally:
        child.join(5)
        child.kill()


def transmitter(address: str, on_message: Callable, security: Security | None = None) -> BackChannel:
    """A transmitting end that has found its receiver."""
    channel = BackChannel(address, hello("transmitter"), on_message, security=security)
    channel.start()
    wait_until(lambda: channel.connected)
    return channel


def wait_until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when a condition does not hold within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the back-channel did not reach the expected state in time")
        time.sleep(0.005)


@dataclass(frozen=True)
class Delivery:
    """What became of numbered messages that went there and back.

    Attributes:
        legitimate: how many there were.
        lost, repeated: that did not arrive in their place, or arrived again, in either direction.
        growth_mb: of the receiver's memory meanwhile.
        catch_up_seconds: from the end of the cut until nothing was waiting.
        receiver: what the receiver counted.

    Example:
        >>> delivery = Delivery(500, lost=0, repeated=0, growth_mb=1.5, catch_up_seconds=0.4, receiver=Statistics())
        >>> delivery.lost + delivery.repeated + delivery.receiver.malformed
        0
    """

    legitimate: int
    lost: int
    repeated: int
    growth_mb: float
    catch_up_seconds: float
    receiver: Statistics


def compare(count: int, *received: list[int]) -> tuple[int, int]:
    """Numbers missing or out of place, and repeated, in lists that should each be 0 … count - 1."""
    lost = sum(
        count - len(set(numbers)) + (sorted(set(numbers)) != list(dict.fromkeys(numbers))) for numbers in received
    )
    return lost, sum(len(numbers) - len(set(numbers)) for numbers in received)
