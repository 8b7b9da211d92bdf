"""One end of the back-channel: a thread, a socket and the protocol."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from gr_jscc.errors import UserError
from gr_jscc.link.back_channel.address import parse_address
from gr_jscc.link.back_channel.hello import Hello
from gr_jscc.link.back_channel.keys import Security, choose_keys
from gr_jscc.link.back_channel.message import Message
from gr_jscc.link.back_channel.protocol import Protocol
from gr_jscc.link.back_channel.state import State, Statistics

BATCH = 64  # messages taken before anything is sent


class BackChannel:
    """Carries messages between the transmitting and the receiving host, each once and in order per sender.

    The receiver listens and the transmitter connects, whichever starts first. What was sent and not acknowledged is
    sent again after a cut of the network and to a peer that has been restarted; what a process acknowledged before it
    was killed is gone with it.

    Args:
        address: ``tcp://HOST:PORT`` or ``ipc://PATH``.
        hello: of this end; its role decides who listens.
        on_message: called with every message of the peer, in order, from the back-channel's own thread. It should
            return at once: nothing is sent or received meanwhile.
        on_state: called likewise with `Connected`, `Disconnected` and `RefusedPeer`.
        security: None demands keys unless the address is local.

    Attributes:
        failure: the first exception that a callback raised, which does not end the back-channel; None if none did.

    Raises:
        BackChannelError: an address, or keys, that cannot be used.

    Example:
        >>> import tempfile
        >>> from gr_jscc.link.back_channel.messages import Stop
        >>> roles = ("receiver", "transmitter")
        >>> hellos = [Hello(role, codec="deepjscc", weights="photo", weights_hash=b"abcd") for role in roles]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     receiver, transmitter = (BackChannel(f"ipc://{folder}/link", hello, print) for hello in hellos)
        ...     receiver.start()
        ...     transmitter.start()
        ...     sent = transmitter.send(Stop(transfer=7))
        ...     transmitter.close(linger=10)
        ...     receiver.close()
        Stop(transfer=7)
    """

    def __init__(
        self,
        address: str,
        hello: Hello,
        on_message: Callable[[Message], None],
        on_state: Callable[[State], None] | None = None,
        security: Security | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._listens = hello.role == "receiver"
        self._address = parse_address(address, self._listens)
        self._keys = choose_keys(self._address, hello.role, security)
        self._on_message = on_message
        self._on_state = on_state
        self._lock = threading.Lock()
        self._protocol = Protocol(hello, self._transmit)
        self._socket = None
        self._thread = threading.Thread(target=self._run, name="back-channel", daemon=True)
        self._end: float | None = None  # when to stop waiting for acknowledgements

    def start(self) -> None:
        """Listens or begins to connect.

        Raises:
            BackChannelError: the address is in use, or not one of this machine.
        """
        from gr_jscc.link.back_channel import sockets  # needs pyzmq

        kind = sockets.ListeningSocket if self._listens else sockets.ConnectingSocket
        self._socket = kind(self._address, self._keys)
        self._thread.start()

    def close(self, linger: float = 0.0) -> None:
        """Ends the back-channel. Called from a callback it returns at once, and the end comes after the callback.

        Args:
            linger: seconds to wait for what was sent to be acknowledged.
        """
        if self._socket is None:
            return
        if self._end is None:
            self._end = time.monotonic() + linger
        self._socket.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def send(self, message: Message) -> bool:
        """Queues a message, from any thread and without waiting.

        Returns:
            False when the queue is full, which is counted as dropped, or the back-channel closed.

        Raises:
            MessageError: a message that cannot be packed.
        """
        with self._lock:
            taken = self._end is None and self._protocol.send(message)
        if self._socket is not None and threading.current_thread() is not self._thread:
            self._socket.wake()
        return taken

    @property
    def address(self) -> str:
        """Where it listens, with the port that port 0 became, or connects to."""
        return self._address.endpoint if self._socket is None else self._socket.endpoint

    @property
    def hello(self) -> Hello:
        """What the peer is told at the next connection; may be replaced by one of the same codec and role."""
        return self._protocol.hello

    @hello.setter
    def hello(self, hello: Hello) -> None:
        hello.pack()
        self._protocol.hello = hello

    @property
    def connected(self) -> bool:
        """Whether the peer was heard within the last three seconds."""
        return self._thread.is_alive() and self._protocol.connected

    @property
    def peer(self) -> Hello | None:
        """What the peer says of itself; None when it is not connected."""
        with self._lock:
            return self._protocol.peer

    @property
    def waiting(self) -> int:
        """Messages that were sent and not yet acknowledged."""
        with self._lock:
            return self._protocol.waiting

    def statistics(self) -> Statistics:
        """What crossed so far."""
        with self._lock:
            return self._protocol.statistics()

    def _transmit(self, connection: bytes, data: bytes) -> bool:
        return self._socket.send(connection, data)

    def _run(self) -> None:
        try:
            seconds = 0.0
            while not self._ended():
                self._socket.wait(seconds)
                with self._lock:
                    self._socket.service(self._protocol)
                for _ in range(BATCH):
                    got = self._socket.receive()
                    if got is None:
                        break
                    with self._lock:
                        self._protocol.received(*got)
                    self._hand_on()
                with self._lock:
                    self._protocol.tick()
                    seconds = self._protocol.idle_seconds()
                if self._end is not None:
                    seconds = min(seconds, max(0.0, self._end - time.monotonic()))
                self._hand_on()
        finally:
            self._socket.close()

    def _ended(self) -> bool:
        if self._end is None:
            return False
        return not self._protocol.waiting or time.monotonic() >= self._end

    def _hand_on(self) -> None:
        """Calls back with what has happened, while other threads may send."""
        while self._protocol.events:
            event = self._protocol.events.popleft()
            try:
                if isinstance(event, Message):
                    self._on_message(event)
                elif self._on_state is not None:
                    self._on_state(event)
            except Exception as error:  # kept for the program; the peer has done nothing wrong
                if not isinstance(error, UserError):
                    traceback.print_exc()
                self.failure = self.failure or error
