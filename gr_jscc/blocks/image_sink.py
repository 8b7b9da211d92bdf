"""What the image sinks have in common: message ports, and the matching of what they hear."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.codecs.base import Insight
from gr_jscc.codecs.grey import grey_picture
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.back_channel import Bye, Have, Report
from gr_jscc.reports.collector import Collector, Result
from gr_jscc.reports.inbox import Inbox
from gr_jscc.reports.originals import finder
from gr_jscc.reports.report import OnAir, Received, Sent
from gr_jscc.scheduler.control import Connection, SignsOfLife, control_message, read_control
from gr_jscc.scheduler.events import read_event
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.ticker import Ticker


@kept_while_running
class ImageSink(gr.basic_block):
    """Hears the encoder's ``sent``, the modulator's ``air`` and the decoder's ``received`` on one port, ``events``.

    One port and not three: GNU Radio empties a block's message ports one after the other,
    so only within a port do messages keep the order in which they were sent.
    Subclasses show or store what `on_air`, `on_result` and `on_end` are told, in the block's own thread.

    A sink of a receiving host (``remote``) hears only the decoder, which passes on what the transmitter tells. Its
    ports ``to_back_channel`` and ``from_back_channel`` are connected to `back_channel`: it says which pictures it has.

    Args:
        name: of the block.
        channel, snr_db, sample_rate: for the report.
        remote: the transmitter is on another host.
        originals: folder with the pictures that are sent, for PSNR on a receiving host; "" when there is none.
        patience: seconds without a back-channel after which a receiving host expects nothing of it.
        radio: tells of a receiving host's radio, for the report; None in a simulation.

    Raises:
        ImageError: the folder of originals holds no picture.

    Example:
        >>> sink = ImageSink("My Sink", channel="awgn", snr_db=10.0, sample_rate=1e6)
        >>> sink.set_snr_db(5.0)
        >>> sink.collector.snr_db
        5.0
    """

    def __init__(
        self,
        name: str,
        channel: str,
        snr_db: float | None,
        sample_rate: float,
        remote: bool = False,
        originals: str = "",
        patience: float = 60.0,
        radio: Callable[[], dict] | None = None,
    ) -> None:
        gr.basic_block.__init__(self, name=name, in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.working = False  # whether a picture is compared or stored at the moment
        self.collector = Collector(channel, snr_db, sample_rate)
        about = radio or (lambda: None)
        self._inbox = Inbox(channel, sample_rate, finder(originals), patience, radio=about) if remote else None
        self._run = bytes(8)  # the transmitter's
        self._keys = self.stored_keys(self._run.hex()) if remote else set()  # of its pictures that are stored
        # On the port of the news, so that the clock is looked at when all that came before is taken in.
        self._ticker = Ticker(self, "events", self._tell_of_work) if remote else None
        self._signs = SignsOfLife(self._send)
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)
        self.message_port_register_in(pmt.intern("from_back_channel"))
        self.set_msg_handler(pmt.intern("from_back_channel"), self.handle_back_channel)
        self.message_port_register_out(pmt.intern("to_back_channel"))
        # The first block that finishes tells its neighbours to end. This one has several and must hear
        # the last of them, so it ends when the decoder says that nothing more will come.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)

    def start(self) -> bool:
        if self._ticker:
            self._ticker.start()
        return True

    def stop(self) -> bool:
        if self._ticker:
            self._ticker.stop()
        return True

    def set_snr_db(self, snr_db: float) -> None:
        """Tells the reports to come about a new SNR."""
        self.collector.snr_db = snr_db

    def on_air(self) -> None:
        """A round is on its way."""

    def on_taken(self) -> None:
        """The decoder has begun on a round."""

    def on_result(self, result: Result) -> None:
        """A picture and its report."""

    def on_end(self) -> None:
        """Nothing more will come."""

    def on_bye(self) -> None:
        """The transmitter's run is complete."""

    def stored_keys(self, run: str) -> set[str]:
        """Keys of the pictures of a run that need not be sent again."""
        return set()

    def _tell_of_work(self) -> None:
        if self.working:
            self._signs.give(0)

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_back_channel(self, message: pmt.pmt_base) -> None:
        content = read_control(message)
        if isinstance(content, Bye):
            self.on_bye()
        elif isinstance(content, Connection) and self._inbox:
            self._inbox.connection(content.connected, content.restarted)
            if content.connected:
                if content.run != self._run:
                    self._run, self._keys = content.run, self.stored_keys(content.run.hex())
                for part in Have.parts(content.run, [bytes.fromhex(key) for key in sorted(self._keys)]):
                    self._send(part)

    def handle_event(self, message: pmt.pmt_base) -> None:
        self._take_event(message)
        if self.failure is not None:  # no flowgraph should wait for a block that can show or store nothing more
            self._finish()

    @guarded
    def _take_event(self, message: pmt.pmt_base) -> None:
        if pmt.is_bool(message):
            return self._tell(self._inbox.tick())
        self.working = True
        kind, fields, image = read_event(message)
        if kind == "sent":
            results = self._sent(fields, image)
        elif kind == "air":
            self.on_air()
            results = self._air(fields)
        elif kind == "received":
            results = self._received(fields, image)
        elif kind == "taken":
            self.on_taken()
            if self._inbox and not fields["back_channel"]:
                self._inbox.expect_no_back_channel()
            results = self._inbox.taken(fields["transfer"], fields["round"]) if self._inbox else []
        elif kind == "quiet":
            results = self._inbox.quiet() if self._inbox else []
        elif kind == "peer":
            results = self._inbox.told(fields["transfer"], json.loads(fields["content"]))
        elif kind == "end":
            results = self._inbox.end() if self._inbox else self.collector.end(time.monotonic())
        else:
            results = []  # what becomes of a picture later is for other listeners
        self._tell(results)
        self.working = False
        if kind == "end":
            self.on_end()
            self._finish()

    def _finish(self) -> None:
        self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))

    def _tell(self, results: list[Result]) -> None:
        for result in results:
            if not self._inbox:
                self.on_result(result)
                continue
            result.report["run"], key = self._run.hex(), result.report["key"]
            if not key or key not in self._keys:  # else a second copy of it was under way
                self.on_result(result)
            if result.final and result.report["arrived"]:
                self._keys |= {key} - {""}
                content = {"event": "stored", "psnr_db": result.report["psnr_db"]}
                self._send(Report(result.transfer, content))
        while self._inbox and self._inbox.failed:
            self._send(Report(self._inbox.failed.pop(), {"event": "failed"}))

    def _send(self, message: object) -> None:
        self.message_port_pub(pmt.intern("to_back_channel"), control_message(message))

    def _sent(self, f: dict, image: np.ndarray | None) -> list[Result]:
        sent = Sent(
            f["name"], image, f["codec"], f["weights"], f["cbr"], f["encode_seconds"], f["started"], f["rounds"]
        )
        return self.collector.sent(f["transfer"], sent)

    def _air(self, f: dict) -> list[Result]:
        uses = ChannelUses(f["payload"], f["side_info"], f["header"], f["air"])
        return self.collector.on_air(f["transfer"], f["round"], OnAir(uses, f["bursts"], f["papr_db"]))

    def _received(self, f: dict, image: np.ndarray | None) -> list[Result]:
        arrival = Arrival(
            f["transfer"], f["round"], None, None, f["bursts_received"], f["bursts_sent"], f["snr_db"], f["cfo"],
            f["evm_db"],
        )  # fmt: skip
        insight = Insight(f.get("blind_from"), f["drifted"]) if "drifted" in f else None
        if image is None and f["shown_grey"] and "height" in f:
            image = grey_picture(f["height"], f["width"])
        received = Received(
            image, arrival, f["decode_seconds"], f["finished"], f["side_info_bytes"], insight,
            f["shown_grey"],
        )  # fmt: skip
        if self._inbox:
            return self._inbox.received(f["transfer"], f["round"], received)
        return self.collector.received(f["transfer"], f["round"], received)
