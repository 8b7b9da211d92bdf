"""What blocks need in GNU Radio Companion besides themselves: checks of their parameters, and errors in one line.

Companion evaluates the checks whenever a flowgraph changes, so they are quick, and this module imports no block.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

from gr_jscc import telling
from gr_jscc.errors import UserError
from gr_jscc.imaging import ImageError, expand_inputs


def made(block: type, *arguments: object, **named: object) -> object:
    """``block(…)``, in a program that Companion made: what a user did wrong is one line there, without a traceback.

    That holds for the rest of the program, so for values that a slider sets, too; they do not end it.
    """
    if not isinstance(sys.excepthook, _OneLine):
        sys.excepthook = _OneLine(sys.excepthook)
    return block(*arguments, **named)


class _OneLine:
    """An excepthook that tells users' errors and leaves the others to another one."""

    def __init__(self, others) -> None:
        self._others = others

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, UserError):
            telling.remark("gr-jscc", telling.one_line(error))  # no block ends with it
        else:
            self._others(kind, error, trace)


def there(path: object) -> bool:
    """Whether a file or folder is there. What "" and names stand for, and where a program will run, is not known."""
    return not isinstance(path, str) or not os.path.isabs(path) or os.path.exists(path)


def has_images(paths: object) -> bool:
    """Whether a path, or each of some, is an image file that is there or a folder with images; as `there`."""
    try:
        for path in [paths] if isinstance(paths, str) else paths:
            if os.path.isabs(path):
                expand_inputs([path])
    except (ImageError, TypeError):
        return False
    return True
