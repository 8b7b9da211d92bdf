"""Keeps an exception in a block from leaving a graph that neither runs nor ends.

GNU Radio lets an exception inside ``work`` kill the block's thread while the rest waits for ever. A
guarded method records it on the block, tells it (see `gr_jscc.telling`) and ends the block's stream; a program of ours
that runs the graph raises it.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable

from gnuradio import gr

from gr_jscc import telling
from gr_jscc.errors import UserError

WORK_DONE = -1


def _log(who: str, line: str, failed: bool) -> None:
    logger = gr.logger(who)
    (logger.error if failed else logger.warn)(line)


telling.log_with(_log)


def guarded(method: Callable) -> Callable:
    """Decorates a block's work function or message handler; needs of the block only its ``name()``.

    After a failure the block has ``failure`` set and its stream ends.
    """

    @functools.wraps(method)
    def run(self, *args):
        if getattr(self, "failure", None) is not None:
            return WORK_DONE
        try:
            return method(self, *args)
        except Exception as error:  # every kind: the point is that none escapes into the scheduler
            fail(self, error)
            return WORK_DONE

    return run


def fail(block, error: Exception) -> None:
    """Ends a block with an error, from any thread, and tells it at once. A block fails only once."""
    if block.failure is not None:
        return
    block.failure = error
    if not isinstance(error, UserError):
        traceback.print_exception(error)
    telling.failure(block.name(), error)


def warn(block, line: str, kept: bool = False) -> None:
    """Tells something that a person should know, although the block goes on; see `gr_jscc.telling.remark`."""
    telling.remark(block.name(), line, kept)
