"""Classes from outside: where a user says that they are, or under a name that an installed package announces.

A place is ``package.module:Class`` or ``path/to/file.py:Class``. Packages announce names as entry points, see
`Group.announced`. Code runs only because the user of this machine named it: never pass on what a peer, a recording or
a model's file says.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from gr_jscc.errors import UserError


def is_place(text: str) -> bool:
    """Whether a text is a place rather than a name."""
    return ":" in text


def absolute_place(text: str, folder: str | os.PathLike = ".") -> str:
    """A place that means the same in any working directory; names and modules stay as they are.

    Args:
        text: a name or a place.
        folder: to which the path of a file is relative.

    Example:
        >>> absolute_place("toy.py:Toy", "/home/me/own"), absolute_place("deepjscc"), absolute_place("own.toy:Toy")
        ('/home/me/own/toy.py:Toy', 'deepjscc', 'own.toy:Toy')
    """
    where, _, attribute = text.rpartition(":")
    return f"{Path(folder).absolute() / Path(where).expanduser()}:{attribute}" if where.endswith(".py") else text


@dataclass(frozen=True)
class Group:
    """A kind of plug-in, such as codecs.

    Attributes:
        what: one of them, for messages.
        announced: the group of entry points by which packages announce names.
        own: name → module and class of those that ship.
        error: what is raised.

    Example:
        >>> from gr_jscc.errors import UserError
        >>> clocks = Group("clock", "example.clocks", {"delta": ("datetime", "timedelta")}, UserError)
        >>> clocks.find("delta"), clocks.find("datetime:date")
        (<class 'datetime.timedelta'>, <class 'datetime.date'>)
    """

    what: str
    announced: str
    own: Mapping[str, tuple[str, str]]
    error: type[UserError]

    def find(self, text: str) -> Callable:
        """The class of a name or a place.

        Raises:
            UserError: `error`: an unknown name, one that two packages announce, or a class that is not there or whose
                module cannot be imported; the message names the file.
        """
        if text in self.own:
            module, attribute = self.own[text]
            return getattr(importlib.import_module(module), attribute)
        if is_place(text):
            return self._at(text, text)
        found = self.others().get(text, [])
        if not found:
            known = ", ".join([*self.own, *self.others()])
            raise self.error(
                f"unknown {self.what} {text!r}; known: {known}; or a class: package.module:Class, path/to/file.py:Class"
            )
        if len(found) > 1:
            raise self.error(f"two packages have a {self.what} {text!r}: {' and '.join(map(origin, found))}")
        return self._at(found[0].value, f"{text} of {origin(found[0])}")

    def others(self) -> dict[str, list[EntryPoint]]:
        """What installed packages announce, by name, but for names that ship already; nothing is imported."""
        result: dict[str, list[EntryPoint]] = {}
        for entry in sorted(set(entry_points(group=self.announced))):
            if entry.name not in self.own:
                result.setdefault(entry.name, []).append(entry)
        return result

    def _at(self, place: str, called: str) -> Callable:
        where, _, attribute = place.rpartition(":")
        try:
            module = _file(Path(where).expanduser()) if where.endswith(".py") else _module(where)
        except (KeyboardInterrupt, UserError):
            raise
        except BaseException as error:  # also SystemExit: a script that was meant to be run
            raise self.error(f"{self.what} {called} cannot be imported: {blame(error)}") from error
        found: Any = module
        for part in attribute.split("."):
            found = getattr(found, part, None)
        if found is None:
            own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
            classes = ", ".join(name for name in own if isinstance(getattr(module, name), type)) or "none"
            raise self.error(f"{self.what} {called}: no class {attribute!r} there; its classes: {classes}")
        return found


def origin(entry: EntryPoint) -> str:
    """The package that announces it, and the class."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return f"{package} ({entry.value})"


def _module(name: str) -> ModuleType:
    if not name:
        raise ImportError("a module must come before the colon")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # as `python -m` has it; last, so that nothing installed is hidden
    return importlib.import_module(name)


def _file(path: Path) -> ModuleType:
    """The module of a file, imported once. Its folder is searched for what it imports, after all else."""
    path = path.resolve()
    name = f"gr_jscc_plugin_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # of any file that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def blame(error: BaseException, home: Path | None = None) -> str:
    """One line that says what was raised, and in which line of which file.

    Args:
        error: that was caught.
        home: the folder of the code to blame: a line in there is told rather than one of a library that it called.

    Example:
        >>> try:
        ...     exec(compile("1 / 0", "toy.py", "exec"))
        ... except ZeroDivisionError as error:
        ...     print(blame(error))
        toy.py, line 1: ZeroDivisionError: division by zero
    """
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    with contextlib.suppress(AttributeError):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
        outside = [f for f in frames if f.filename != __file__ and "importlib" not in f.filename]
        within = [f for f in outside if home is not None and Path(f.filename).is_relative_to(home)]
        if outside := within or outside:
            return f"{outside[-1].filename}, line {outside[-1].lineno}: {said}"
    return said
