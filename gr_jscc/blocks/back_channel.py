"""One end of the back-channel as a GNU Radio block."""

from __future__ import annotations

import dataclasses
import threading

import pmt
from gnuradio import gr

from gr_jscc import __version__
from gr_jscc.link.back_channel import (
    BackChannel,
    Bye,
    Connected,
    Disconnected,
    Hello,
    Message,
    RefusedPeer,
    Security,
    State,
)
from gr_jscc.modem import Numerology
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.scheduler.control import Connection, Opening, control_message, read_control
from gr_jscc.scheduler.guard import guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running

LINGER_SECONDS = 3.0  # at the end, for what the peer has not acknowledged


@kept_while_running
class back_channel(gr.basic_block):  # noqa: N801
    """Joins the blocks of one host to those of the other, beside the air.

    Message ports: ``send`` in, ``received`` out; see `gr_jscc.scheduler.control`. The first message, of `jscc_encoder`
    or `jscc_decoder`, says which end this is; the receiver listens and the transmitter connects.

    Args:
        address: ``tcp://HOST:PORT`` or ``ipc://PATH``; of the receiving host, on both. ``tcp://*:PORT`` listens on
            all of its interfaces.
        keys: key file of this end, from ``gr-jscc keys make``; "" where nothing leaves the machine.
        insecure: do without keys where they are needed.
        numerology: of this host's modulator or demodulator, see `load_numerology`; "" where the other end is not to be
            held to it.

    Attributes:
        numerology: the same as a numerology; None without. It is told when the flowgraph runs.
        refusal: why the two ends cannot work together, in one line; None if nothing was refused.
        remark: why they may not, though it is still tried; None without a doubt.
        connected: whether the other end is there.

    Raises:
        BackChannelError: keys that cannot be used.
        NumerologyError: a numerology that there is not.

    Example:
        >>> block = back_channel("ipc:///tmp/link")  # opened when the flowgraph runs and says which end this is
        >>> block.connected, block.refusal
        (False, None)
    """

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:5550",
        keys: str = "",
        insecure: bool = False,
        numerology: str | Numerology = "",
    ) -> None:
        gr.basic_block.__init__(self, name="JSCC Back-Channel", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.refusal: str | None = None
        self.remark: str | None = None
        self.numerology = load_numerology(numerology) if numerology else None
        self._address = address
        self._security = Security.load(keys) if keys else Security.none() if insecure else None
        self._encrypted = bool(keys)
        self._channel: BackChannel | None = None
        self.message_port_register_in(pmt.intern("send"))
        self.set_msg_handler(pmt.intern("send"), self.handle_send)
        # The transmitter's last words come after its neighbours have ended.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)
        self.message_port_register_out(pmt.intern("received"))

    @property
    def connected(self) -> bool:
        return self._channel is not None and self._channel.connected

    def stop(self) -> bool:
        if self._channel is not None:
            self._channel.close(LINGER_SECONDS if self._channel.connected else 0.0)
        return True

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ends a while after the first neighbour: the last words of the others are still to come."""
        threading.Timer(LINGER_SECONDS, self._end).start()

    def _end(self) -> None:
        self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))

    @guarded
    def handle_send(self, message: pmt.pmt_base) -> None:
        content = read_control(message)
        if isinstance(content, Opening):
            self._open(content)
        elif isinstance(content, Message) and self._channel is not None:
            self._channel.send(content)  # a full queue drops it and counts it; the link does without
            if isinstance(content, Bye):
                self.stop()
                self._end()

    def _open(self, opening: Opening) -> None:
        hello = Hello.of(
            opening.role, opening.codec, opening.weights, opening.weights_hash, run=opening.run,
            session=opening.session, software=f"gr-jscc {__version__.partition('+')[0]}", is_stream=opening.is_stream,
        )  # fmt: skip
        if self.numerology is not None:
            layout = self.numerology
            hello = dataclasses.replace(hello, numerology=layout.description, numerology_hash=layout.fingerprint)
        if self._encrypted:
            hello = dataclasses.replace(hello, air_key=opening.air_key)
        self._channel = BackChannel(self._address, hello, self._pass_on, self._tell, self._security)
        self._channel.start()

    def _pass_on(self, content: Message | Connection) -> None:
        """In the back-channel's thread."""
        self.message_port_pub(pmt.intern("received"), control_message(content))

    def _tell(self, state: State) -> None:
        """In the back-channel's thread."""
        if isinstance(state, Connected):
            self.refusal = self.remark = None
            peer = state.peer
            self._pass_on(Connection(True, state.restarted, peer.run, peer.session, peer.air_key, self._encrypted))
        elif isinstance(state, Disconnected):
            self._pass_on(Connection(False))
        elif isinstance(state, RefusedPeer):
            if state.line not in (self.refusal, self.remark):  # it is tried again and again
                warn(self, state.line, kept=True)
            if state.sure:
                self.refusal = state.line
            else:
                self.remark = state.line
