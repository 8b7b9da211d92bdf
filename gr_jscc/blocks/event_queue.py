"""What blocks tell each other, for the program that runs the graph."""

from __future__ import annotations

import queue

import pmt
from gnuradio import gr

from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.tags import message_fields


class event_queue(gr.basic_block):  # noqa: N801
    """Queues the dictionaries of messages; pictures in them are dropped. Ends when the encoder has finished.

    Message port ``events`` in.

    Attributes:
        events: queue of dict.
    """

    def __init__(self) -> None:
        gr.basic_block.__init__(self, name="JSCC Event Queue", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.events: queue.Queue[dict] = queue.Queue()
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)
        # The encoder's last news comes after it has told its neighbours to end.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        fields = message_fields(message)
        self.events.put(fields)
        if fields.get("event") == "finished":
            self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))
