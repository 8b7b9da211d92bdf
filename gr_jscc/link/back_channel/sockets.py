"""The two ends' ZMQ sockets: everything of pyzmq is here.

One thread uses a socket; only `Socket.wake` is for others, too.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time

import zmq
from zmq.utils.monitor import recv_monitor_message
from zmq.utils.z85 import decode as z85_decode

from gr_jscc.link.back_channel.address import Address, BackChannelError
from gr_jscc.link.back_channel.keys import Keys
from gr_jscc.link.back_channel.protocol import Connection, Protocol
from gr_jscc.link.back_channel.wire import MAX_FRAME

HANDSHAKE_SECONDS = 5
# ZMQ gives up for good when the other side turns out not to fit, but another may come to that address. The socket is
# made anew so long after a refusal, and after the last news of any attempt.
REFUSED_SECONDS = 1.0
STALLED_SECONDS = HANDSHAKE_SECONDS + 1.0
DEAD_SECONDS = 4.0  # and without a message: TCP alone would wait for minutes
CLOSE_SECONDS = 1.0  # for the last frames to leave
CURVE_BYTES = 33  # by which CURVE makes a frame longer: "\x07MESSAGE", a nonce of 8, a code of 16 and flags of 1
_ZAP = "inproc://zeromq.zap.01"
_FAILURES = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the receiver does not accept this transmitter's key",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "only one of the two ends uses keys, or the other is not a receiver",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the connection closes at once: no receiver is there yet, or it has "
    "another key",
}


class Socket:
    """What both ends' sockets share.

    Args:
        address: where.
        keys: for CURVE; None for neither encryption nor authentication.

    Attributes:
        endpoint: where, with the port that port 0 became.

    Example:
        >>> used = Socket(Address("tcp://127.0.0.1:5550", local=True), keys=None)
        >>> used.wake()
        >>> used.wait(seconds=60.0)  # returns at once
        >>> used.close()
    """

    endpoint: str

    def __init__(self, address: Address, keys: Keys | None) -> None:
        self._address = address
        self._keys = keys
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._pipe = os.pipe()
        self._woken, self._waker = self._pipe
        self._pipe_lock = threading.Lock()  # nobody writes to a file number that has become another's
        for end in self._pipe:
            os.set_blocking(end, False)
        self._poller.register(self._woken, zmq.POLLIN)

    def wait(self, seconds: float) -> None:
        """Returns when there is something to do, or after so long."""
        ready = dict(self._poller.poll(math.ceil(1000 * seconds)))
        if self._woken in ready:
            os.read(self._woken, 4096)

    def wake(self) -> None:
        """Ends `wait`; from any thread."""
        with self._pipe_lock:
            try:
                if self._pipe:
                    os.write(self._waker, b"!")
            except BlockingIOError:  # woken often enough
                pass

    def close(self) -> None:
        """Ends all; frames on their way have `CLOSE_SECONDS` to leave."""
        self._context.destroy(linger=round(1000 * CLOSE_SECONDS))
        with self._pipe_lock:
            for end in self._pipe:
                os.close(end)
            self._pipe = ()

    def _make(self, kind: int) -> zmq.Socket:
        made = self._context.socket(kind)
        # ZMQ closes a connection over which more comes, encrypted as it is.
        made.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME + (CURVE_BYTES if self._keys is not None else 0))
        made.setsockopt(zmq.RCVHWM, 64)
        made.setsockopt(zmq.SNDHWM, 4096)  # what is under way is bounded by the window of `delivery`
        made.setsockopt(zmq.IPV6, self._address.ipv6)
        made.setsockopt(zmq.HANDSHAKE_IVL, 1000 * HANDSHAKE_SECONDS)
        # Connections whose other end has vanished are closed in the end. ZMQ's own heartbeats would do it sooner, but
        # they abort the process when a peer that has filled its queue hangs up (libzmq issue 4364, version 4.3.5).
        made.setsockopt(zmq.TCP_MAXRT, 10_000)
        for option, value in ((zmq.TCP_KEEPALIVE, 1), (zmq.TCP_KEEPALIVE_IDLE, 5), (zmq.TCP_KEEPALIVE_INTVL, 5)):
            made.setsockopt(option, value)
        if self._keys is not None:
            made.curve_publickey = self._keys.public.encode()
            made.curve_secretkey = self._keys.secret.encode()
        return made


class ListeningSocket(Socket):
    """The receiver's: a ROUTER that only the owner of the peer's key can join.

    Raises:
        BackChannelError: the address is in use, or not one of this machine.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     used = ListeningSocket(Address(f"ipc://{folder}/link", local=True), keys=None)
        ...     print(used.send(b"nobody", b"frame"), used.receive())
        ...     used.close()
        False None
    """

    def __init__(self, address: Address, keys: Keys | None) -> None:
        super().__init__(address, keys)
        self._zap: zmq.Socket | None = None
        self._socket = self._make(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # to hear that a connection is gone
        if keys is not None:
            # ZMQ asks here about every key; the answer is awaited before anything else of a stranger is read.
            self._zap = self._context.socket(zmq.REP)
            self._zap.bind(_ZAP)
            self._poller.register(self._zap, zmq.POLLIN)
            self._socket.curve_server = True
            self._socket.setsockopt(zmq.ZAP_DOMAIN, b"gr-jscc")
            self._socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        try:
            if _is_answered(address.endpoint):  # ZMQ would take it away from whoever listens there
                raise zmq.ZMQError(zmq.EADDRINUSE)
            self._socket.bind(address.endpoint)
        except zmq.ZMQError as error:
            self.close()
            used = error.errno == zmq.EADDRINUSE
            reason = "it is in use" if used else zmq.strerror(error.errno)
            raise BackChannelError(f"cannot listen on {address.endpoint}: {reason}") from error
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._poller.register(self._socket, zmq.POLLIN)

    def service(self, protocol: Protocol) -> None:
        """Answers who may join."""
        while self._zap is not None and self._zap.poll(0):
            _, request, _, source, _, mechanism, *credentials = self._zap.recv_multipart()
            welcome = mechanism == b"CURVE" and credentials == [z85_decode(self._keys.peer_public)]
            status, text = (b"200", b"OK") if welcome else (b"400", b"unknown key")
            self._zap.send_multipart([b"1.0", request, status, text, b"", b""])
            if not welcome:
                host = source.decode(errors="replace")
                protocol.turned_away(f"rejected {host}: its key is not the transmitter's")

    def receive(self) -> tuple[Connection, bytes] | None:
        """The next message and the connection that it came over; None when there is none."""
        try:
            connection, *parts = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return connection, _only(parts)

    def send(self, connection: Connection, data: bytes) -> bool:
        """Sends to a connection; False when it is no more."""
        try:
            self._socket.send_multipart([connection, data], zmq.NOBLOCK)
        except zmq.Again:
            pass  # full: sent again when its time comes
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True


class ConnectingSocket(Socket):
    """The transmitter's: a DEALER that connects again and again.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     used = ConnectingSocket(Address(f"ipc://{folder}/link", local=True), keys=None)
        ...     print(used.send(b"", b"frame"), used.receive())  # nobody listens there
        ...     used.close()
        False None
    """

    def __init__(self, address: Address, keys: Keys | None) -> None:
        super().__init__(address, keys)
        self.endpoint = address.endpoint
        self._failures = 0
        self._connect()

    def service(self, protocol: Protocol) -> None:
        """Tells of connections that were opened, closed or refused."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            now = time.monotonic()
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._failures, self._renew_at = 0, now + DEAD_SECONDS
                protocol.opened()
            elif event == zmq.EVENT_DISCONNECTED:  # also follows a refusal
                self._renew_at = min(self._renew_at, now + STALLED_SECONDS)
                protocol.closed(b"")
            elif event not in _FAILURES:
                self._renew_at = now + STALLED_SECONDS
            else:
                self._failures += 1
                self._renew_at = now + REFUSED_SECONDS
                sure = event != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
                if sure or self._failures == 3:
                    protocol.turned_away(f"{self.endpoint}: {_FAILURES[event]}", sure)

    def receive(self) -> tuple[Connection, bytes] | None:
        """The next message and the connection that it came over; None when there is none."""
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            if time.monotonic() >= self._renew_at:
                self._disconnect()
                self._connect()
            return None
        self._renew_at = time.monotonic() + DEAD_SECONDS
        return b"", _only(parts)

    def send(self, connection: Connection, data: bytes) -> bool:
        """Sends a frame; False when there is no connection."""
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _connect(self) -> None:
        self._socket = self._make(zmq.DEALER)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits in ZMQ for a connection to come
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        self._socket.setsockopt(zmq.CONNECT_TIMEOUT, 2000)
        if self._keys is not None:
            self._socket.curve_serverkey = self._keys.peer_public.encode()
        self._monitor = self._socket.get_monitor_socket()
        self._socket.connect(self.endpoint)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._poller.register(self._socket, zmq.POLLIN)
        self._renew_at = time.monotonic() + STALLED_SECONDS

    def _disconnect(self) -> None:
        for used in (self._monitor, self._socket):
            self._poller.unregister(used)
        self._socket.disable_monitor()
        self._socket.close(linger=0)


def _is_answered(endpoint: str) -> bool:
    """Whether somebody listens at a Unix socket."""
    if not endpoint.startswith("ipc:///"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            return False
    return True


def _only(parts: list[bytes]) -> bytes:
    """A message of one part; those of several are none of ours, nor is an empty one."""
    return parts[0] if len(parts) == 1 else b""
