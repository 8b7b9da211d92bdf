"""``gr-jscc examples``: the flowgraphs, as files of one's own."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.files.installation import flowgraphs
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import writing


def examples(
    folder: Annotated[Path, typer.Argument(help="Where to write them; files that are there stay.", show_default=False)],
) -> None:
    """Copy the flowgraphs for GNU Radio Companion, and a README that lists them, into a folder."""
    source = flowgraphs()
    files = [file.relative_to(source) for pattern in ("*.grc", "*.md") for file in sorted(source.rglob(pattern))]
    if there := [file for file in files if (folder / file).exists()]:
        raise UserError(f"{folder / there[0]} is there already; name another folder")
    with writing(folder):
        for file in files:
            writable_folder((folder / file).parent)
            shutil.copyfile(source / file, folder / file)
    typer.echo(f"{len(files)} files: {folder}")
    typer.echo(f"next: gr-jscc grc {shlex.quote(str(folder / 'loopback.grc'))}")
