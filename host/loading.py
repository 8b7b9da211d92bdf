"""Loading what takes a while: what a person is told meanwhile, and less to wait for."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

from gr_jscc.plain_text import shown

PATIENCE_SECONDS = 1.0


@contextlib.contextmanager
def loading(what: str) -> Iterator[None]:
    """Says on a terminal that something is being loaded, if that takes longer than a second.

    Meanwhile nothing is searched for garbage: what libraries make while they are loaded stays, and all of it, PyTorch's
    hundred thousand objects for one, would be gone through again and again.

    Args:
        what: as the user called it.
    """
    line = f"loading {shown(what)} …"
    timer = threading.Timer(PATIENCE_SECONDS, print, [line], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():  # a log is not impatient
        timer.start()
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        timer.cancel()
        if collects:
            gc.enable()
