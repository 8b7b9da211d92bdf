"""A cut of the network, and how the back-channel catches up after it."""

from __future__ import annotations

import socket
import threading
import time

from gr_jscc.benchmarks.back_channel.processes import (
    NUMBER,
    PADDING,
    Delivery,
    compare,
    process,
    receiver,
    transmitter,
    wait_until,
)
from gr_jscc.link.back_channel import SideInfo


class Cable:
    """A TCP proxy that can be cut: it then takes connections and bytes, and forwards neither.

    Example:
        >>> Cable.cut.__doc__, Cable.mend.__doc__
        ('Forwards nothing from now on.', 'Forwards again, first what was held back.')
    """

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
        returned.append(NUMBER.unpack_from(message.data)[0])

    with process(receiver, None) as (control, address):
        cable = Cable(address)
        channel = transmitter(cable.address, on_message)
        count = 0

        def speak(duration: float) -> None:
            nonlocal count
            end = time.monotonic() + duration
            while time.monotonic() < end:
                channel.send(SideInfo(0, 0, NUMBER.pack(count) + PADDING))
                count += 1
                time.sleep(0.02)

        speak(0.5)
        cable.cut()
        speak(seconds)
        cable.mend()
        before = time.monotonic()
        wait_until(lambda: len(returned) >= count and not channel.waiting)
        caught_up = time.monotonic() - before
        speak(0.5)
        wait_until(lambda: len(returned) >= count and not channel.waiting)
        control.send(True)
        numbers, counted, _ = control.recv()
        channel.close()
        cable.close()
        control.send(False)
        if failure := control.recv():
            raise RuntimeError(f"the receiver failed: {failure}")
    return Delivery(count, *compare(count, numbers, returned), 0.0, caught_up, counted)
