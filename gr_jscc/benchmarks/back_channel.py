"""The back-channel between processes of this machine: round trips, hostile messages, a cut of the network.

Without PyTorch, so that the other processes start quickly.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from gr_jscc.link.back_channel import BackChannel, Hello, Security, SideInfo, Statistics, Symbols, make_keys
from gr_jscc.link.back_channel.wire import MAX_FRAME, Kind, encode
from gr_jscc.resident import resident_mb

LOOPBACK = "tcp://127.0.0.1:0"
TOGETHER = 100  # round trips of one kind before those of the other
PADDING = bytes(1000)  # of every legitimate message
INJECTED = 4  # hostile messages in the transmitter's own connection, after each of its frames
PATIENCE = 60.0  # seconds
_NUMBER = struct.Struct(">I")


def hello(role: str) -> Hello:
    """Of both ends here."""
    return Hello(role, "deepjscc", "benchmark", b"\x01\x02\x03\x04")


# -------------------------------------------------------------------------------------------------- the other process


def _receiver(control: Connection, keys: str | None) -> None:
    """Returns every message to its sender; answers on ``control`` with what it counted."""
    numbers: list[int] = []

    def on_message(message: SideInfo | Symbols) -> None:
        if isinstance(message, SideInfo):
            numbers.append(_NUMBER.unpack_from(message.data)[0])
        channel.send(message)

    security = Security.load(keys) if keys else None
    channel = BackChannel(LOOPBACK, hello("receiver"), on_message, security=security)
    channel.start()
    control.send(channel.address)
    while control.recv():
        control.send((list(numbers), channel.statistics(), resident_mb()))
    channel.close()
    control.send(None if channel.failure is None else repr(channel.failure))


def _bare_echo(control: Connection) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.REP) as bare:
        control.send(f"tcp://127.0.0.1:{bare.bind_to_random_port('tcp://127.0.0.1')}")
        while data := bare.recv():
            bare.send(data)
        bare.send(b"")


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


# ------------------------------------------------------------------------------------------------------ measurements


def round_trips(trips: int, symbols: int) -> dict[str, np.ndarray]:
    """Times there and back between two processes, taken in turn: milliseconds[trips] by name of the end."""
    import zmq

    rng = np.random.default_rng(1)
    values = rng.standard_normal(2 * symbols, np.float32).view(np.complex64)
    message = Symbols(0, 0, values, np.ones(symbols, np.float32))
    frame = encode(Kind.SYMBOLS, 0, 0, message.pack())
    times: dict[str, list[float]] = {"pyzmq": [], "back-channel": [], "back-channel with keys": []}

    with tempfile.TemporaryDirectory() as folder:
        own, its = (str(path) for path in make_keys(folder))
        with (
            process(_bare_echo) as (_, bare_address),
            process(_receiver, None) as (plain, plain_address),
            process(_receiver, its) as (locked, locked_address),
            zmq.Context() as context,
            context.socket(zmq.REQ) as bare,
        ):
            bare.connect(bare_address)
            back = threading.Event()
            channels = {
                "back-channel": _transmitter(plain_address, lambda _: back.set()),
                "back-channel with keys": _transmitter(locked_address, lambda _: back.set(), Security.load(own)),
            }

            def through_bare() -> None:
                bare.send(frame)
                bare.recv()

            def through(channel: BackChannel) -> None:
                back.clear()
                channel.send(message)
                if not back.wait(PATIENCE):
                    raise TimeoutError("nothing came back")

            for first in range(-TOGETHER, trips, TOGETHER):  # the first round warms up
                for name, taken in times.items():
                    for _ in range(min(TOGETHER, trips - first)):
                        before = time.perf_counter()
                        through_bare() if name == "pyzmq" else through(channels[name])
                        if first >= 0:
                            taken.append(1e3 * (time.perf_counter() - before))
            for channel in channels.values():
                channel.close()
            bare.send(b"")
            bare.recv()
            plain.send(False)
            locked.send(False)
    return {name: np.array(taken) for name, taken in times.items()}


def _transmitter(address: str, on_message: Callable, security: Security | None = None) -> BackChannel:
    channel = BackChannel(address, hello("transmitter"), on_message, security=security)
    channel.start()
    _wait_until(lambda: channel.connected)
    return channel


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the back-channel did not get there")
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
    """

    legitimate: int
    lost: int
    repeated: int
    growth_mb: float
    catch_up_seconds: float
    receiver: Statistics


def _compare(count: int, *received: list[int]) -> tuple[int, int]:
    """Numbers missing or out of place, and repeated, in lists that should each be 0 … count - 1."""
    lost = sum(
        count - len(set(numbers)) + (sorted(set(numbers)) != list(dict.fromkeys(numbers))) for numbers in received
    )
    return lost, sum(len(numbers) - len(set(numbers)) for numbers in received)


class _Attacked(BackChannel):
    """A transmitter that records what it sends, and in whose connection others write, too."""

    frames: list[bytes]
    rubbish: Iterator[bytes] = iter(())

    def _transmit(self, connection: bytes, data: bytes) -> bool:
        if len(self.frames) < 1000:
            self.frames.append(data)
        sent = super()._transmit(connection, data)
        for bad, _ in zip(self.rubbish, range(INJECTED)):
            super()._transmit(connection, bad)
        return sent


def hostile(messages: int, rng: np.random.Generator) -> Delivery:
    """Malformed, truncated, oversized, bit-flipped, wrongly ordered and replayed messages against a live receiver.

    They come from strangers and within the transmitter's own connection, while it sends and gets back messages.
    """
    import zmq

    returned: list[int] = []

    def on_message(message: SideInfo) -> None:
        returned.append(_NUMBER.unpack_from(message.data)[0])

    with process(_receiver, None) as (control, address):
        channel = _Attacked(address, hello("transmitter"), on_message)
        channel.frames = []
        channel.start()
        count = 0

        def speak() -> None:
            nonlocal count
            channel.send(SideInfo(0, 0, _NUMBER.pack(count) + PADDING))
            count += 1

        def ask() -> tuple:
            control.send(True)
            return control.recv()

        while len(channel.frames) < 200:
            speak()
            time.sleep(0.002)
        with zmq.Context() as context:
            strangers = [context.socket(zmq.DEALER) for _ in range(4)]
            for stranger in strangers:
                stranger.linger = 0
                stranger.connect(address)
            channel.rubbish = rubbish(list(channel.frames), rng)
            injected = before = 0
            for index, bad in enumerate(rubbish(list(channel.frames), rng)):
                if index == messages // 10:
                    before = ask()[2]
                if index + injected >= messages:
                    break
                if index % 500 == 0:  # ZMQ itself ends the connection over such a one
                    strangers[0].send(bytes(MAX_FRAME + 1 + int(rng.integers(1000))))
                stranger = strangers[1 + index % 3]
                stranger.send_multipart([bad, bad] if index % 100 == 0 else [bad])
                if index % 50 == 0:
                    speak()
                    injected += INJECTED
            channel.rubbish = iter(())
            for _ in range(10):
                speak()
            _wait_until(lambda: len(returned) >= count and not channel.waiting)
            counted = None
            while counted != (counted := _taken(ask()[1])):  # all that is under way arrives
                time.sleep(0.3)
        numbers, counted, after = ask()
        channel.close()
        control.send(False)
        if failure := control.recv():
            raise RuntimeError(f"the receiver failed: {failure}")
    return Delivery(count, *_compare(count, numbers, returned), after - before, 0.0, counted)


def _taken(counted: Statistics) -> int:
    """Hostile messages that a receiver has seen."""
    return counted.malformed + counted.foreign + counted.refused + counted.duplicates + counted.gaps


def rubbish(recorded: list[bytes], rng: np.random.Generator) -> Iterator[bytes]:
    """Messages without end that a receiver must not take, made of those that a transmitter has sent it."""
    while True:
        data = recorded[rng.integers(len(recorded))]
        kind = rng.integers(8)
        if kind == 0:
            yield rng.bytes(int(rng.integers(200)))
        elif kind == 1:
            yield data[: rng.integers(len(data))]
        elif kind == 2:
            broken = bytearray(data)
            broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
            yield bytes(broken)
        elif kind == 3:
            yield data + rng.bytes(1 + int(rng.integers(2000)))
        elif kind == 4:  # a stranger who knows the session, far ahead of it
            session = int.from_bytes(data[7:15], "big")
            yield encode(Kind.SIDE_INFO, session, 2**30 + int(rng.integers(2**30)), rng.bytes(100))
        elif kind == 5:  # another transmitter
            yield encode(Kind.HELLO, int(rng.integers(2**62)), 0, hello("transmitter").pack())
        else:
            yield data


class Cable:
    """A TCP proxy that can be cut: it then takes connections and bytes, and forwards neither."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self._far = host, int(port)
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp://{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Forwards nothing from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Forwards again, first what was held back."""
        self._whole.set()

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection(self._far)
        except OSError:
            near.close()
            return
        for ends in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._whole.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()


def outage(seconds: float) -> Delivery:
    """A cut of the network, with both ends sending on."""
    returned: list[int] = []

    def on_message(message: SideInfo) -> None:
        returned.append(_NUMBER.unpack_from(message.data)[0])

    with process(_receiver, None) as (control, address):
        cable = Cable(address)
        channel = _transmitter(cable.address, on_message)
        count = 0

        def speak(duration: float) -> None:
            nonlocal count
            end = time.monotonic() + duration
            while time.monotonic() < end:
                channel.send(SideInfo(0, 0, _NUMBER.pack(count) + PADDING))
                count += 1
                time.sleep(0.02)

        speak(0.5)
        cable.cut()
        speak(seconds)
        cable.mend()
        before = time.monotonic()
        _wait_until(lambda: len(returned) >= count and not channel.waiting)
        caught_up = time.monotonic() - before
        speak(0.5)
        _wait_until(lambda: len(returned) >= count and not channel.waiting)
        control.send(True)
        numbers, counted, _ = control.recv()
        channel.close()
        cable.close()
        control.send(False)
        if failure := control.recv():
            raise RuntimeError(f"the receiver failed: {failure}")
    return Delivery(count, *_compare(count, numbers, returned), 0.0, caught_up, counted)
