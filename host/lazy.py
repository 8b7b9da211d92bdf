"""Groups of subcommands whose files are imported when they are run: help and completion read only their source."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from gr_jscc.host.loading import loading


def lazy_group(prefix: str, names: Sequence[str]) -> type[TyperGroup]:
    """The class of a `typer.Typer` whose subcommands are modules: ``typer.Typer(cls=lazy_group(…))``.

    The module of ``check-codec`` is ``check_codec``; it has a function ``check_codec``, or a `typer.Typer` called
    ``app``, which becomes a group of subcommands.

    Args:
        prefix: of the modules, such as ``gr_jscc.host.``.
        names: of the subcommands, in the order of the help.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes) -> None:
            super().__init__(**attributes)
            self.commands = Outlines(prefix, names)

        def resolve_command(self, ctx, args):
            name, command, rest = super().resolve_command(ctx, args)
            return name, command and self.commands.whole(name), rest

    return LazyGroup


class Outlines(Mapping):
    """Subcommands by name, as much of them as help and completion show.

    Args:
        prefix, names: as `lazy_group`.

    Example:
        >>> Outlines("gr_jscc.host.", ["keys", "models"])["keys"].help
        'Make and show keys of back-channels and clusters.'
    """

    def __init__(self, prefix: str, names: Sequence[str]) -> None:
        self._modules = {name: prefix + name.replace("-", "_") for name in names}
        self._whole: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand:
        return TyperCommand(name, help=summary(self._modules[name], _function(name)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def whole(self, name: str) -> TyperCommand | TyperGroup:
        """A subcommand that can be run; its module is imported."""
        if name not in self._whole:
            with loading(name):
                module = importlib.import_module(self._modules[name])
            one = typer.Typer()
            if hasattr(module, "app"):
                one.add_typer(module.app, name=name)
            else:
                one.command(name)(getattr(module, _function(name)))
            self._whole[name] = get_group(one).commands[name]
        return self._whole[name]


def summary(module: str, function: str) -> str:
    """The first paragraph of a subcommand's help, from the source of its module.

    Args:
        module: with the function; or with ``app = typer.Typer(help=…)``, whose help it is then.
        function: whose docstring it is otherwise.

    Raises:
        LookupError: the module has neither.
    """
    for node in ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["app"]:
            (text,) = (ast.literal_eval(word.value) for word in node.value.keywords if word.arg == "help")
            return text
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return inspect.cleandoc(ast.get_docstring(node)).partition("\n\n")[0]
    raise LookupError(f"{module} has neither {function}() nor app")


def _function(name: str) -> str:
    return name.replace("-", "_")
