"""File names from texts that others chose: a picture's name from the air, an image set's from an experiment."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

LONGEST = 180  # bytes of UTF-8: file systems take 255, and numbers and endings are added
FORBIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode: controls, invisible and turning marks, half characters, line ends
DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}


def safe_name(text: str, otherwise: str = "unnamed") -> str:
    """A name for one file or folder that stays within its folder, whatever the text is.

    Of a path the last part counts. Leading dots go (no hidden files, no ``..``), as do spaces and dots at the end;
    characters that no name should have, or this machine cannot write, become ``_``; long names are cut; the devices of
    shared Windows drives get a ``_``. Names that are fine stay as they are.

    Args:
        text: anything.
        otherwise: for texts of which nothing is left.

    Returns:
        1 to 255 bytes of UTF-8, without ``/``, that begin with no dot.
    """
    parts = [part for part in text.split("/") if part.strip(". \t\r\n\0")]
    name = "".join(character if _is_fit(character) else "_" for character in (parts[-1] if parts else ""))
    name = name.lstrip(". ").encode()[:LONGEST].decode(errors="ignore").rstrip(". ")
    if name.partition(".")[0].lower() in DEVICES:
        name += "_"
    return name or otherwise


def _is_fit(character: str) -> bool:
    try:
        character.encode(sys.getfilesystemencoding())  # not all of Unicode in a locale without UTF-8
    except UnicodeEncodeError:
        return False
    return character != "\\" and unicodedata.category(character) not in FORBIDDEN


def safe_stem(file_name: str, otherwise: str = "picture") -> str:
    """`safe_name` of a file's name without its ending: ``a/x.png`` gives ``x``."""
    name = file_name.rpartition("/")[2]
    stem = name.rpartition(".")[0]
    return safe_name(stem if stem.strip(". ") else name, otherwise)


def readable(name: str | Path) -> str:
    """A name as text that can be stored and sent: bytes that are no UTF-8 become U+FFFD."""
    return "".join("\ufffd" if unicodedata.category(character) == "Cs" else character for character in str(name))
