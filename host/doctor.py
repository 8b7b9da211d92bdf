"""``gr-jscc doctor``: what is installed, what is missing, and the command that fixes it."""

from __future__ import annotations

import json

import typer
from rich.table import Table
from rich.text import Text

from gr_jscc.environment import run_checks
from gr_jscc.host import options
from gr_jscc.host.console import terminal
from gr_jscc.host.loading import loading


def doctor(json_lines: options.Json = False) -> None:
    """Check this machine: what is installed, what is missing, and the command that fixes it.

    The exit code is 1 when something that the programs need is missing.
    """
    with loading("GNU Radio, PyTorch and drivers of radios, one by one"):
        checks = run_checks()
    if json_lines:
        for check in checks:
            print(json.dumps(check.as_dict()))
    else:
        table = Table()
        for name in ("", "check", "found", "needed for"):
            table.add_column(name, overflow="fold")
        for check in checks:
            mark = Text("missing", "red") if check.required else Text("optional", "yellow")
            table.add_row(Text("ok", "green") if check.ok else mark, check.name, check.found, check.needed_for)
        console = terminal()
        console.print(table)
        for check in checks:
            if not check.ok:  # outside the table, so that it can be copied
                console.print(f"{check.name}: {check.remedy}", soft_wrap=True)
    if any(check.required and not check.ok for check in checks):
        raise typer.Exit(1)
