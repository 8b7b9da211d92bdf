"""Wakes a block regularly, and at once when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pmt
from gnuradio import gr

SECONDS = 0.05


class Ticker:
    """Posts a message to one of a block's own ports every so often.

    GNU Radio does not call a block that has nothing to read; a message makes it run the port's handler, and
    `general_work` after it.

    Args:
        block: the block.
        port: its port; the handler gets ``PMT_T``.
        beat: called as often, in a thread of its own, however long the block is at work.

    Example:
        >>> from gr_jscc.blocks import event_queue
        >>> block, beaten = event_queue(), threading.Event()
        >>> ticker = Ticker(block, "events", beat=beaten.set)
        >>> ticker.start()
        >>> beaten.wait(10.0)
        True
        >>> ticker.stop()
    """

    def __init__(self, block: gr.basic_block, port: str, beat: Callable[[], object] = lambda: None) -> None:
        self._block, self._port, self._beat = block, pmt.intern(port), beat
        self._ask = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def now(self) -> None:
        """Wakes the block at once."""
        self._ask.set()

    def stop(self) -> None:
        self._stopping = True
        self._ask.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._block.to_basic_block()._post(self._port, pmt.PMT_T)
            self._beat()
            self._ask.wait(SECONDS)
            self._ask.clear()
