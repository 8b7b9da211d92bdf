"""Keeps a Python block alive while its flowgraph runs, whoever else has forgotten it.

A flowgraph of GNU Radio holds a block's C++ half only, which calls the Python half by its bare address: where the last
name of a block goes out of scope while samples flow, the process dies at the next garbage collection.
"""

from __future__ import annotations

import functools

_running: set = set()


def kept_while_running(block: type) -> type:
    """Decorates a block's class: GNU Radio calls ``start`` when its thread begins and ``stop`` when it ends.

    Example:
        >>> from gnuradio import gr
        >>> @kept_while_running
        ... class through(gr.sync_block):
        ...     def __init__(self):
        ...         gr.sync_block.__init__(self, "through", ["f"], ["f"])
        >>> block = through()
        >>> block.start(), block in _running, block.stop(), block in _running
        (True, True, True, False)
    """
    begin, end = block.start, block.stop

    @functools.wraps(begin)
    def start(self) -> bool:
        _running.add(self)
        return begin(self)

    @functools.wraps(end)
    def stop(self) -> bool:
        _running.discard(self)
        return end(self)

    block.start, block.stop = start, stop
    return block
