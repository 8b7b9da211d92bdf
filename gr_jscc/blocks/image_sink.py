"""What the image sinks have in common: three message ports and the matching of their news."""

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
    """Receives ``sent`` from the encoder, ``air`` from the modulator and ``received`` from the decoder.

    Subclasses show or store what `on_result` and `on_end` are given, in the block's own thread.

    Args:
        name: of the block.
        channel, snr_db, sample_rate: for the report.
    """

    def __init__(self, name: str, channel: str, snr_db: float | None, sample_rate: float) -> None:
        gr.basic_block.__init__(self, name=name, in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.collector = Collector(channel, snr_db, sample_rate)
        for port, handler in (
            ("sent", self.handle_sent),
            ("air", self.handle_air),
            ("received", self.handle_received),
            # The first block that finishes tells its neighbours to end. This one has several, and
            # must hear the last of them: it ends when the decoder says so.
            ("system", self.handle_system),
        ):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)

    def set_snr_db(self, snr_db: float) -> None:
        """Tells the reports to come about a new SNR."""
        self.collector.snr_db = snr_db

    def on_result(self, result: Result) -> None:
        """A picture and its report."""

    def on_end(self) -> None:
        """Nothing more will come."""

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_sent(self, message: pmt.pmt_base) -> None:
        f = message_fields(message)
        sent = Sent(
            f["name"], message_image(message), f["codec"], f["weights"], f["cbr"], f["encode_seconds"], f["started"]
        )
        self._tell(self.collector.sent(f["transfer"], sent))

    @guarded
    def handle_air(self, message: pmt.pmt_base) -> None:
        f = message_fields(message)
        uses = ChannelUses(f["payload"], f["side_info"], f["header"], f["air"])
        self._tell(self.collector.on_air(f["transfer"], f["round"], OnAir(uses, f["bursts"], f["papr_db"])))

    @guarded
    def handle_received(self, message: pmt.pmt_base) -> None:
        f = message_fields(message)
        if "end" in f:
            self._tell(self.collector.end(time.monotonic()))
            self.on_end()
            return
        arrival = Arrival(
            f["transfer"], f["round"], None, None, f["bursts_received"], f["bursts_sent"], f["snr_db"], f["cfo"],
            f["evm_db"],
        )  # fmt: skip
        received = Received(message_image(message), arrival, f["decode_seconds"], f["finished"])
        self._tell(self.collector.received(f["transfer"], f["round"], received))

    def _tell(self, results: list[Result]) -> None:
        for result in results:
            self.on_result(result)
