"""TOML files that a person names or writes: found, read, and what is wrong with them in one line."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

from gr_jscc.errors import UserError

if TYPE_CHECKING:
    from pydantic import ValidationError


def read_named(kind: str, name_or_path: str | Path, shipped: dict[str, Path], failure: type[UserError]) -> tuple:
    """A shipped file by its name, or any other by its path.

    Args:
        kind: what it holds, for messages: ``profile``.
        name_or_path: as the person gave it.
        shipped: files by name.
        failure: raised where it is not found, cannot be read or is not TOML.

    Returns:
        its path, and its content as a dictionary.
    """
    path = shipped.get(str(name_or_path), Path(name_or_path))
    with contextlib.suppress(OSError):
        if not path.exists():
            raise failure(f"{kind} not found: {name_or_path} (shipped: {', '.join(shipped)})")
    return path, read_toml(kind, path, failure)


def read_toml(kind: str, path: Path, failure: type[UserError]) -> dict:
    """A file's content; a byte-order mark, which some editors put first, does no harm.

    Args:
        kind: what it holds, for messages.
        path: of the file.
        failure: raised where it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise failure(f"cannot read the {kind} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise failure(f"not a TOML file: {path}: {error}") from error


def first_fault(error: ValidationError) -> str:
    """The first of what pydantic found, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {place}"
    if first["type"] == "missing":
        return f"{place} is missing"
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return f"{place}: {reason}, not {first['input']!r}" if place else reason
