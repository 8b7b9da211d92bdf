"""Texts of others as they may be shown: on one line, and without what steers a terminal."""

from __future__ import annotations

import unicodedata


def shown(text: object) -> str:
    """A text of others on one line, with controls (line ends, escape sequences, turning marks) as ``\\x1b``."""
    return "".join(
        character if character == " " or unicodedata.category(character)[0] not in "CZ" else escaped(character)
        for character in str(text)
    )


def escaped(character: str) -> str:
    """A character as Python writes it in a string, in ASCII."""
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 126 else repr(character)[1:-1]
