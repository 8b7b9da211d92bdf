"""Folders and files that a program will write to, checked before its work begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gr_jscc.errors import UserError


def writable_folder(folder: Path | str) -> Path:
    """A folder that files can be written to; made if it is missing.

    Raises:
        UserError: it cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        with tempfile.TemporaryFile(prefix=".gr-jscc-", dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to the folder {folder}: {error.strerror or error}") from error
    return folder


def writable_file(path: Path | str) -> Path:
    """A file that can be written or replaced; its folder is made if it is missing.

    Raises:
        UserError: it is a folder, or its folder cannot be made or written to.
    """
    path = Path(path)
    writable_folder(path.parent)
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    return path
