"""``gr-jscc grc``: GNU Radio Companion with the JSCC blocks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.environment.check import APT
from gr_jscc.environment.windows import blocks_folder, folder_with_blocks
from gr_jscc.errors import UserError
from gr_jscc.files.installation import flowgraphs


def grc(
    flowgraph: Annotated[
        Path | None, typer.Argument(help="A .grc file; the loopback unless given.", show_default=False)
    ] = None,
) -> None:
    """Open GNU Radio Companion with the JSCC blocks.

    Flowgraphs run with the Python of this program, whatever Python Companion is installed for.
    """
    if flowgraph is not None and not flowgraph.is_file():
        raise UserError(f"no such flowgraph: {flowgraph}")
    companion = shutil.which("gnuradio-companion")
    if companion is None:
        raise UserError(f"gnuradio-companion is not installed: {APT}gnuradio")
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    if folder_with_blocks() is None:
        listed = [str(blocks_folder()), *filter(None, [os.environ.get("GRC_BLOCKS_PATH")])]
        environment["GRC_BLOCKS_PATH"] = os.pathsep.join(listed)
    environment.setdefault("GR_CONF_GRC_XTERM_EXECUTABLE", shutil.which("xterm") or "")
    # It runs flowgraphs with the Python that it runs in itself, and only this one is sure to have gr_jscc.
    opened = flowgraph or flowgraphs() / "loopback.grc"
    os.execve(sys.executable, [sys.executable, companion, str(opened)], environment)
