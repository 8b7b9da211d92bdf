"""What a person is told while blocks run, one line each: on GNU Radio's logger, and to windows that listen.

A block's error stays in its ``failure``, where only the programs of this package look, which raise it themselves. In a
flowgraph made with GNU Radio Companion nobody does, so that errors are told here as well.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator

from gr_jscc.errors import UserError
from gr_jscc.plain_text import shown

_listeners: list[weakref.WeakMethod] = []
_program: Callable[[str], object] | None = None  # what a program of ours does with remarks, instead of logging them


def listen(method: Callable[[str, bool], object]) -> None:
    """Has a bound method called with every line, and whether it is a failure, as long as its object lives.

    It is called in the thread of whoever tells.
    """
    _listeners.append(weakref.WeakMethod(method))


def remark(who: str, line: str, kept: bool = False) -> None:
    """Something that a person should know, although everything goes on.

    Args:
        who: the block's name.
        line: for a person.
        kept: whether the block keeps it as well, where the programs of this package look.
    """
    _tell(who, line, failed=False, kept=kept)


def failure(who: str, error: BaseException) -> None:
    """What a block ended with."""
    _tell(who, one_line(error), failed=True, kept=True)


def one_line(error: BaseException) -> str:
    """An error as one line for a person."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _tell(who: str, line: str, failed: bool, kept: bool) -> None:
    line = shown(line)
    if _program is None:
        from gnuradio import gr  # not needed by machines that only train

        logger = gr.logger(who)
        (logger.error if failed else logger.warn)(line)
    elif not kept:
        _program(line)
    for reference in list(_listeners):
        if (method := reference()) is None:
            _listeners.remove(reference)
        else:
            method(line, failed)


@contextlib.contextmanager
def told_by_program(show: Callable[[str], object]) -> Iterator[None]:
    """While this lasts, the program raises what blocks fail with and shows what they keep; nothing goes to the logger.

    Args:
        show: is called with each remark that the block does not keep.
    """
    global _program
    before, _program = _program, show
    try:
        yield
    finally:
        _program = before
