"""Keeps an exception in a block from leaving a graph that neither runs nor ends.

GNU Radio lets an exception inside ``work`` kill the block's thread while the rest waits for ever. A
guarded method records it on the block, ends the block's stream, and the program that runs the graph
raises it.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable

from gr_jscc.errors import UserError

WORK_DONE = -1


def guarded(method: Callable) -> Callable:
    """Decorates a block's work function or message handler; needs nothing of the block.

    After a failure the block has ``failure`` set and its stream ends.
    """

    @functools.wraps(method)
    def run(self, *args):
        if getattr(self, "failure", None) is not None:
            return WORK_DONE
        try:
            return method(self, *args)
        except Exception as error:  # every kind: the point is that none escapes into the scheduler
            if not isinstance(error, UserError):
                traceback.print_exc()
            self.failure = error
            return WORK_DONE

    return run
