"""What a person is told while something is loaded that takes a while."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from gr_jscc.plain_text import shown

PATIENCE_SECONDS = 1.0


@contextlib.contextmanager
def loading(what: str) -> Iterator[None]:
    """Says on a terminal that something is being loaded, if that takes longer than a second.

    Args:
        what: as the user called it.
    """
    line = f"loading {shown(what)} …"
    timer = threading.Timer(PATIENCE_SECONDS, print, [line], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():  # a log is not impatient
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
