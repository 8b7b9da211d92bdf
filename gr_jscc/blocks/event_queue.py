"""What blocks tell each other, for the program that runs the graph."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pmt
from gnuradio import gr

from gr_jscc.scheduler.events import read_event
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running


@kept_while_running
class event_queue(gr.basic_block):  # noqa: N801
    """Queues events (see `gr_jscc.scheduler.events`) without their pictures. Ends when the encoder has finished.

    Message port ``events`` in.

    Attributes:
        events: queue of dict.

    Example:
        >>> event_queue().events.empty()
        True
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

    def news(self, seconds: float) -> Iterator[dict | None]:
        """Yields events up to ``finished``, and None whenever there was none for so many seconds."""
        event = None
        while event is None or event["event"] != "finished":
            try:
                event = self.events.get(timeout=seconds)
            except queue.Empty:
                event = None
            yield event

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ignores that a neighbour ended."""

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        event, fields, _ = read_event(message)
        self.events.put({"event": event, **fields})
        if event == "finished":
            self.gateway.system_handler(pmt.cons(pmt.intern("done"), pmt.from_long(1)))
