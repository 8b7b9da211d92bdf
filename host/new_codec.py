"""``gr-jscc new-codec``: a folder with a codec to start from."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc import data
from gr_jscc.codecs.registry import CODECS
from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_folder

TEMPLATES = Path(data.__file__).parent / "new-codec"
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def new_codec(
    name: Annotated[str, typer.Argument(help="Small letters, digits, - and _, such as my-codec.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder to write; NAME unless given.", show_default=False)] = None,
) -> None:
    """Write a folder with a codec, its network, training task, recipe, tests and README, all of which work at once.

    Nothing is registered: the class is used where it lies, --codec NAME/NAME.py:Name.
    """
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise UserError(f"a codec's name is of small letters, digits, - and _, and no word of Python, not {name!r}")
    if name in CODECS:
        raise UserError(f"{name} is a codec that ships; choose another name")
    folder = out or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already; --out names another folder")
    writable_folder(folder)
    words = {"MODULE": module, "CLASS": "".join(part.capitalize() for part in module.split("_")), "NAME": name}
    for template in sorted(TEMPLATES.glob("*.template")):
        text = re.sub("|".join(words), lambda found: words[found[0]], template.read_text(encoding="utf-8"))
        (folder / _file_name(template.stem, module)).write_text(text, encoding="utf-8")
    codec = f"{folder / module}.py:{words['CLASS']}"
    typer.echo(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    typer.echo(f"next: pytest {folder}\n      gr-jscc loopback PHOTO --codec {codec} --ideal")


def _file_name(template: str, module: str) -> str:
    """Modules bear the codec's name: two codecs that are loaded side by side must not have a module in common."""
    if template == "codec.py":
        return f"{module}.py"
    return f"{module}_{template}" if template.endswith(".py") else template
