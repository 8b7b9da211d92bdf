"""The terminal: the one place that decides how texts reach it, whoever wrote them and whatever it can show."""

from __future__ import annotations

import codecs
import sys
import unicodedata

from rich.console import Console

from gr_jscc.plain_text import escaped, shown

__all__ = ["print_anything", "shown", "some_of", "terminal"]

# What our own messages use beyond ASCII, for terminals that have no more.
SIMPLE = {"–": "-", "−": "-", "×": "x", "±": "+-", "…": "...", "≥": ">=", "≤": "<=", "·": "*", "°": " deg", "η": "eta"}


def terminal(stderr: bool = False) -> Console:
    """A console that shows texts as they are: brackets, colons and numbers in them mean nothing.

    Styles come from `rich.text.Text` and ``style=`` alone. `rich.status` and `rich.progress` read markup whatever the
    console says: they want a `Text`, too.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def some_of(names: list[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join(names[:most] + more)


def print_anything() -> None:
    """Makes standard output and error take every character, in simpler ones where the terminal's encoding has none.

    Python alone ends in a traceback there.
    """
    codecs.register_error("simpler", _simpler)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="simpler")


def _simpler(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    texts = (
        SIMPLE.get(character) or ("*" if unicodedata.category(character) == "So" else escaped(character))
        for character in error.object[error.start : error.end]
    )
    return "".join(texts), error.end
