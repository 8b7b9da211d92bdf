"""How long a message takes there and back, beside pyzmq alone."""

from __future__ import annotations

import tempfile
import threading
import time
from multiprocessing.connection import Connection

import numpy as np

from gr_jscc.benchmarks.back_channel.processes import PATIENCE, process, receiver, transmitter
from gr_jscc.link.back_channel import BackChannel, Security, Symbols, make_keys
from gr_jscc.link.back_channel.wire import Kind, encode

TOGETHER = 100  # round trips of one kind before those of the other


def bare_echo(control: Connection) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.REP) as bare:
        control.send(f"tcp://127.0.0.1:{bare.bind_to_random_port('tcp://127.0.0.1')}")
        while data := bare.recv():
            bare.send(data)
        bare.send(b"")


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
            process(bare_echo) as (_, bare_address),
            process(receiver, None) as (plain, plain_address),
            process(receiver, its) as (locked, locked_address),
            zmq.Context() as context,
            context.socket(zmq.REQ) as bare,
        ):
            bare.connect(bare_address)
            back = threading.Event()
            channels = {
                "back-channel": transmitter(plain_address, lambda _: back.set()),
                "back-channel with keys": transmitter(locked_address, lambda _: back.set(), Security.load(own)),
            }

            def through_bare() -> None:
                bare.send(frame)
                bare.recv()

            def through(channel: BackChannel) -> None:
                back.clear()
                channel.send(message)
                if not back.wait(PATIENCE):
                    raise TimeoutError("no answer came back")

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
