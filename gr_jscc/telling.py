"""What a person is told while a link runs, one line each: on a logger, and to windows that listen.

A block's error stays in its ``failure``, where only the programs of this package look, which raise it themselves. In a
flowgraph made with GNU Radio Companion nobody does, so that errors are told here as well.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Callable, Iterator

from gr_jscc.errors import UserError
from gr_jscc.plain_text import shown

_listeners: list[weakref.WeakMethod] = []
_program: Callable[[str], object] | None = None  # what a program of ours does with remarks, instead of logging them


def _log(who: str, line: str, failed: bool) -> None:
    logging.getLogger(who).log(logging.ERROR if failed else logging.WARNING, line)


_logger: Callable[[str, str, bool], object] = _log


def log_with(logger: Callable[[str, str, bool], object]) -> None:
    """Has lines logged by another logger than Python's: called with who tells, the line, and whether it is a failure.

    Blocks log with GNU Radio's, see `gr_jscc.scheduler.guard`.
    """
    global _logger
    _logger = logger


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
        _logger(who, line, failed)
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
