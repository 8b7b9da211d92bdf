"""Hostile messages against a live receiver."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from gr_jscc.benchmarks.back_channel.processes import (
    NUMBER,
    PADDING,
    Delivery,
    compare,
    hello,
    process,
    receiver,
    wait_until,
)
from gr_jscc.link.back_channel import BackChannel, SideInfo, Statistics
from gr_jscc.link.back_channel.wire import MAX_FRAME, Kind, encode

INJECTED = 4  # hostile messages in the transmitter's own connection, after each of its frames


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
        returned.append(NUMBER.unpack_from(message.data)[0])

    with process(receiver, None) as (control, address):
        channel = _Attacked(address, hello("transmitter"), on_message)
        channel.frames = []
        channel.start()
        count = 0

        def speak() -> None:
            nonlocal count
            channel.send(SideInfo(0, 0, NUMBER.pack(count) + PADDING))
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
            wait_until(lambda: len(returned) >= count and not channel.waiting)
            counted = None
            while counted != (counted := _taken(ask()[1])):  # all that is under way arrives
                time.sleep(0.3)
        numbers, counted, after = ask()
        channel.close()
        control.send(False)
        if failure := control.recv():
            raise RuntimeError(f"the receiver failed: {failure}")
    return Delivery(count, *compare(count, numbers, returned), after - before, 0.0, counted)


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
