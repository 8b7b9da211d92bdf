"""Packages that import their parts when these are asked for, so that naming one costs nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
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
        file = Path(sys.modules[package].__path__[0], "__init__.py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        lines = [(node.module or "", node.names) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        return {part.name: module for module, parts in lines if module.startswith(package) for part in parts}

    def find(name: str) -> object:
        if name.startswith("__") or name not in places():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places()[name]), name)

    return find
