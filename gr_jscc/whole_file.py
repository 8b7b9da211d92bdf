"""Files and folders that are whole or not there, whenever the program ends or the power fails."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gr_jscc.errors import UserError


def write_whole(path: Path, text: str) -> None:
    """Writes text to a file beside it, and then puts that in its place."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    put_in_place(part, path)


def put_in_place(part: Path, target: Path) -> None:
    """Lets a complete file or folder take the place of another, or of none.

    Its content reaches the disk before its name does: a file system may otherwise keep the name alone when the power
    fails. A folder that is replaced is missing for a moment; a file never is.

    Raises:
        OSError: the disk is full, or fails.
    """
    for path in [*part.rglob("*"), part] if part.is_dir() else [part]:
        _sync(path)
    if part.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    os.replace(part, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some network file systems cannot sync folders
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Around what writes to a place: a disk that is full or read-only becomes one line.

    Raises:
        UserError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{place} cannot be written: {error.strerror or error}") from error
