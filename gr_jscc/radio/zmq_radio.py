"""The virtual air: samples between GNU Radio programs, over GNU Radio's own ZMQ stream blocks.

On the wire are bare complex64 samples, any number in a message, and no tags, so that any program with the in-tree
blocks can be the other end. Sinks bind, sources connect, and either may come first or come again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gnuradio import blocks, gr, zeromq

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.statistics import RadioStatistics
from gr_jscc.scheduler.pacing import BUFFER_ITEMS

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile

MESSAGE = 8192  # samples in a message at most
QUEUE = 4  # messages queued at each end; the in-tree blocks' thousand would be 700 MB and seconds of delay
LOSSY_QUEUE = 64  # where what does not fit is lost
TAIL = 12 * MESSAGE  # samples: more than both queues, which it pushes through, and a local socket of the kernel hold
POLL_MS = 100  # for which the sink waits for the other end, and so for `stop`
LISTEN_MS = 10  # the same for the source, which holds back for as long what it has when no more comes


@dataclass(frozen=True)
class Pattern:
    """One of ZMQ's pairs of sockets.

    Attributes:
        sink, source: makers of the in-tree blocks.
        queue: messages queued at each end.
        keeps: whether the sink holds back what nobody takes.

    Example:
        >>> PATTERNS["zmq"].keeps, PATTERNS["zmq-pub"].keeps
        (True, False)
    """

    sink: Callable[..., gr.sync_block]
    source: Callable[..., gr.sync_block]
    queue: int
    keeps: bool


PATTERNS = {
    "zmq": Pattern(zeromq.push_sink, zeromq.pull_source, QUEUE, True),
    "zmq-pub": Pattern(zeromq.pub_sink, zeromq.sub_source, LOSSY_QUEUE, False),
    "zmq-req": Pattern(zeromq.rep_sink, zeromq.req_source, QUEUE, True),
}


class ZmqSink(gr.hier_block2):
    """Sends samples; listens at the address.

    Raises:
        RadioError: nothing can listen there.

    Example:
        >>> import tempfile
        >>> graph = gr.top_block()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     radio = ZmqSink(RadioAddress("zmq-pub", f"ipc://{folder}/air"))
        ...     graph.connect(blocks.vector_source_c([1j] * 100), radio)
        ...     graph.run()
        >>> radio.taken, radio.finish()  # published, whether anybody listens or not
        (100, True)
    """

    statistics = RadioStatistics()  # it loses nothing that it could tell of
    tuned = None

    def __init__(self, address: RadioAddress) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "ZMQ Radio Sink", signature, gr.io_signature(0, 0, 0))
        self.failure: Exception | None = None
        self._pattern = PATTERNS[address.kind]
        try:
            endpoint = _to_bind(address.place)
            self._sink = self._pattern.sink(
                gr.sizeof_gr_complex, 1, endpoint, POLL_MS, pass_tags=False, hwm=self._pattern.queue
            )
        except (OSError, RuntimeError) as error:
            raise RadioError(f"cannot listen at {address.place}: {_reason(error)}") from error
        self._sink.set_max_noutput_items(MESSAGE)
        self.connect(self, self._sink)

    @property
    def taken(self) -> int:
        """Samples taken from the flowgraph so far."""
        return self._sink.nitems_read(0)

    def finish(self, patience: float = 5.0) -> bool:
        """Sends silence until all that was sent before has left this process. Call it when the flowgraph has ended.

        The in-tree block drops what is in its queue when the process ends, or a second later. What left the process is
        delivered even when it ends.

        Args:
            patience: seconds to go on for while the other end takes nothing.

        Returns:
            whether it took all. In the pattern ``zmq-pub`` nobody can tell, and nothing is done.
        """
        if not self._pattern.keeps:
            return True
        graph = gr.top_block()
        silence, head = blocks.null_source(gr.sizeof_gr_complex), blocks.head(gr.sizeof_gr_complex, TAIL)
        graph.connect(silence, head, self._sink)
        graph.start()
        taken, since = 0, time.monotonic()
        while taken < TAIL and time.monotonic() - since < patience:
            time.sleep(0.005)
            before, taken = taken, self._sink.nitems_read(0)
            if taken > before:
                since = time.monotonic()
        graph.stop()
        graph.wait()
        return taken >= TAIL


class ZmqSource(gr.hier_block2):
    """Receives samples; connects to the address, and again whenever somebody listens there anew.

    Raises:
        RadioError: there is no such host.

    Example:
        >>> ZmqSource(RadioAddress("zmq", "tcp://*:5551"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: cannot connect to tcp://*:5551: a receiver needs ...
    """

    statistics = RadioStatistics()  # it loses nothing that it could tell of
    tuned = None

    def __init__(self, address: RadioAddress) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "ZMQ Radio Source", gr.io_signature(0, 0, 0), signature)
        self.failure: Exception | None = None
        pattern = PATTERNS[address.kind]
        try:
            _check_to_connect(address.place)
            self._source = pattern.source(
                gr.sizeof_gr_complex, 1, address.place, LISTEN_MS, pass_tags=False, hwm=pattern.queue
            )
        except (OSError, RuntimeError) as error:
            raise RadioError(f"cannot connect to {address.place}: {_reason(error)}") from error
        self._source.set_log_level("warn")  # the next line would be announced on standard output
        self._source.set_min_output_buffer(BUFFER_ITEMS)
        # When it had nothing to give, GNU Radio would otherwise leave it alone for a quarter of a second.
        self._source.set_blkd_input_timer_value(LISTEN_MS)
        self.connect(self._source, self)


def sink(address: RadioAddress, profile: Profile | None = None, reconnect: bool = False) -> ZmqSink:
    """See `gr_jscc.radio.radio_sink`."""
    return ZmqSink(address)


def source(address: RadioAddress, silence: int, profile: Profile | None = None, reconnect: bool = False) -> ZmqSource:
    """See `gr_jscc.radio.radio_source`; a stream over ZMQ has no end for silence to follow."""
    return ZmqSource(address)


def _split(endpoint: str) -> tuple[str, str, str]:
    transport, _, rest = endpoint.partition("://")
    return (transport, *rest.rpartition(":")[::2]) if transport == "tcp" else (transport, rest, "")


def _to_bind(endpoint: str) -> str:
    """The endpoint in the form that ZMQ binds: it takes numbers and interfaces for names of hosts.

    Raises:
        OSError: the host has no address; or at the path of a local socket somebody listens or something else is, which
            ZMQ would both remove.
    """
    transport, place, port = _split(endpoint)
    if transport == "tcp":
        if place == "*" or place in (name for _, name in socket.if_nameindex()):
            return endpoint
        return f"tcp://{_resolved(place)}:{port}"
    path = Path(place)
    if path.exists() and not path.is_socket():
        raise OSError("a file of that name exists")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(place)
        except OSError:
            return endpoint
    raise OSError("address already in use")


def _check_to_connect(endpoint: str) -> None:
    """Raises: OSError: there is nothing to connect to by that name. ZMQ itself would try for ever, silently."""
    transport, place, _ = _split(endpoint)
    if transport == "tcp":
        if place == "*":
            raise OSError("a receiver needs the transmitter's host instead of *")
        _resolved(place)


def _resolved(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise OSError(f"no IPv4 address found for {host!r}") from error


def _reason(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
