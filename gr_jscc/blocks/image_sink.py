"""What the image sinks have in common: one message port and the matching of its news."""

from __future__ import annotations

import time

import pmt
from gnuradio import gr

from gr_jscc.blocks.guard import guarded
from gr_jscc.blocks.tags import message_fields, message_image
from gr_jscc.evaluation.accounting import ChannelUses
from gr_jscc.evaluation.collector import Collector, Result
from gr_jscc.evaluation.report import OnAir, Received, Sent
from gr_jscc.link.assembly import Arrival


class ImageSink(gr.basic_block):
    """Hears the encoder's ``sent``, the modulator's ``air`` and the decoder's ``received`` on one port.

    One port, ``events``, and not three: GNU Radio empties a block's message ports one after the other,
    so only within a port do messages keep the order in which they were sent.
    Subclasses show or store what `on_air`, `on_result` and `on_end` are told, in the block's own thread.

    Args:
        name: of the block.
        channel, snr_db, sample_rate: for the report.
    """

    def __init__(self, name: str, channel: str, snr_db: float | None, sample_rate: float) -> None:
        gr.basic_block.__init__(self, name=name, in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.collector = Collector(channel, snr_db, sample_rate)
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)
        # The first block that finishes tells its neighbours to end. This one has several and must hear
        # the last of them, so it ends when the decoder says that nothing more will come.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)

    def set_snr_db(self, snr_db: float) -> None:
        """Tells the reports to come about a new SNR."""
        self.collector.snr_db = snr_db

    def on_air(self) -> None:
        """A round is on its way."""

    def on_result(self, result: Result) -> None:
        """A picture and its report."""

    def on_end(self) -> None:
        """Nothing more will come."""

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        fields = message_fields(message)
        kind = fields["event"]
        if kind == "sent":
            results = self._sent(fields, message)
        elif kind == "air":
            self.on_air()
            results = self._air(fields)
        elif kind == "received":
            results = self._received(fields, message)
        else:
            results = self.collector.end(time.monotonic())
        for result in results:
            self.on_result(result)
        if kind == "end":
            self.on_end()
            self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))

    def _sent(self, f: dict, message: pmt.pmt_base) -> list[Result]:
        image = message_image(message)
        sent = Sent(f["name"], image, f["codec"], f["weights"], f["cbr"], f["encode_seconds"], f["started"])
        return self.collector.sent(f["transfer"], sent)

    def _air(self, f: dict) -> list[Result]:
        uses = ChannelUses(f["payload"], f["side_info"], f["header"], f["air"])
        return self.collector.on_air(f["transfer"], f["round"], OnAir(uses, f["bursts"], f["papr_db"]))

    def _received(self, f: dict, message: pmt.pmt_base) -> list[Result]:
        arrival = Arrival(
            f["transfer"], f["round"], None, None, f["bursts_received"], f["bursts_sent"], f["snr_db"], f["cfo"],
            f["evm_db"],
        )  # fmt: skip
        received = Received(message_image(message), arrival, f["decode_seconds"], f["finished"])
        return self.collector.received(f["transfer"], f["round"], received)
