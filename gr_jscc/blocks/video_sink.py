"""Received frames, each as soon as it is decoded, to whatever shows or keeps them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.scheduler.events import read_event
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running


@kept_while_running
class video_sink(gr.basic_block):  # noqa: N801
    """Hands on what the decoder made of each frame.

    Message port ``events`` in: the decoder's ``received``.

    Args:
        show: called with uint8[H, W, 3], or None where nothing of a frame could be shown, and the Es/N0 in dB at which
            it came, or None; in the block's thread.

    Example:
        >>> video_sink(print).failure is None
        True
    """

    def __init__(self, show: Callable[[np.ndarray | None, float | None], object]) -> None:
        gr.basic_block.__init__(self, name="JSCC Video Sink", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self._show = show
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        event, fields, image = read_event(message)
        if event == "received":
            self._show(None if fields["shown_grey"] else image, fields["snr_db"])
