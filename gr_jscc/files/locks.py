"""Locks between processes, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_held: set[int] = set()


def lock(path: Path) -> int:
    """Locks a file or folder that exists, without waiting.

    Returns:
        What `release` takes.

    Raises:
        BlockingIOError: another holds it.
        OSError: it cannot be opened, or its file system knows no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    _held.add(descriptor)
    return descriptor


def release(descriptor: int) -> None:
    """Ends a lock."""
    _held.discard(descriptor)
    os.close(descriptor)


def _leave_to_parent() -> None:
    """In a forked process: the lock is to end with the one that took it."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """While this lasts, a file or folder that exists is locked, if its file system knows locks.

    Raises:
        BlockingIOError: another holds it.
    """
    try:
        descriptor = lock(path)
    except BlockingIOError:
        raise
    except OSError:
        yield
        return
    try:
        yield
    finally:
        release(descriptor)


def open_alone(path: Path) -> IO[bytes]:
    """Opens a file to be written from its beginning, unbuffered; no other process that uses this can do so meanwhile.

    The file is locked until it is closed, and is to be given its final name before that. Where the file system knows no
    locks there is none.

    Raises:
        BlockingIOError: another process is writing it.
        OSError: it cannot be written.
    """
    while True:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 ("wb" would empty another's)
        try:
            _lock_if_possible(file)
            if _is_at(path, file):
                file.truncate(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # another finished it, and gave it its final name, just after it was opened here


def _lock_if_possible(file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _is_at(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
