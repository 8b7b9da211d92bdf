"""Packages that import their parts when these are asked for, so that naming one costs nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def on_demand(package: str) -> Callable[[str], object]:
    """The ``__getattr__`` of a package.

    The package says what there is in the usual way, ``from gr_jscc.modem.modulator import modulate``, but below
    ``if TYPE_CHECKING:``; so that editors and type checkers know it, too. A part that is called like its module must be
    imported as usual, as the module would hide it.

    Args:
        package: its ``__name__``.

    Example:
        >>> on_demand("gr_jscc.modem")("map_bits").__module__
        'gr_jscc.modem.constellation'
    """

    @cache
    def places() -> dict[str, str]:
        tree = ast.parse(Path(find_spec(package).origin).read_text(encoding="utf-8"))
        lines = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        return {part.name: line.module for line in lines if line.module.startswith(package) for part in line.names}

    def find(name: str) -> object:
        if name.startswith("__") or name not in places():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places()[name]), name)

    return find
