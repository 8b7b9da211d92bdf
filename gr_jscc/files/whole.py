"""Files and folders that are whole or not there, whenever the program ends or the power fails."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from gr_jscc.errors import UserError

PARTS = ".gr-jscc-*.part"  # what a killed process may leave of files that were not whole yet


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The file to write in place of ``path``; it takes that name when it is complete, and goes when it is not.

    No two writers get the same one: of two that write one file at a time the later leaves its own, whole.

    Raises:
        OSError: the disk is full, or fails.
    """
    part = path.with_name(PARTS.replace("*", secrets.token_hex(6)))
    try:
        yield part
        put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Writes text to a file that is whole or not there.

    Raises:
        OSError: the disk is full, or fails.
    """
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def put_in_place(part: Path, target: Path) -> None:
    """Lets a complete file or folder take the place of another, or of none.

    Its content reaches the disk before its name does: a file system may otherwise keep the name alone when the power
    fails. A folder that is replaced is missing for a moment; a file never is.

    Raises:
        OSError: the disk is full, or fails.
    """
    for path in [*part.rglob("*"), part] if part.is_dir() else [part]:
        sync(path)
    if part.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    os.replace(part, target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Has a file's content, or a folder's names, reach the disk before this returns.

    Raises:
        OSError: the disk is full, or fails.
    """
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
