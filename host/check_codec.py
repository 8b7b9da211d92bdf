"""``gr-jscc check-codec``: holds a codec to the contract, and says how to mend what fails."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal

STYLES = {"passed": "green", "failed": "red", "skipped": "yellow"}


def check_codec(
    name: Annotated[str, typer.Argument(help=options.CODEC_HELP, show_default=False)],
    weights: options.Weights = "",
    cbr: Annotated[
        str,
        typer.Option("--cbr", rich_help_panel="Codec", help="CBR of most checks. Unless given, a high one it serves."),
    ] = "",
    device: options.Device = "cpu",
    json_lines: options.Json = False,
) -> None:
    """Hold a codec to the contract, ours or your own: power, CBR, two processes, damage, losses, state, speed …

    A table says what failed and where, and below it how to mend that. The exit code is 1 when anything failed.
    """
    from gr_jscc.contract.apart import Apart
    from gr_jscc.contract.checks import CHECKS, run_checks
    from gr_jscc.contract.subject import Subject

    wanted = options.parse_cbr(cbr) if cbr else None
    options.check_device(device)
    with Apart() as apart:
        verdicts = run_checks(Subject(name, weights, device, wanted, apart))
        if json_lines:
            failed = 0
            for verdict in verdicts:
                print(json.dumps(verdict.line()), flush=True)
                failed += verdict.result == "failed"
        else:
            failed = _print(verdicts, f"{name} {weights}".strip(), [check.name for check in CHECKS])
    if failed:
        raise typer.Exit(1)


def _print(verdicts: Iterable, title: str, names: list[str]) -> int:
    """A table at the end, with what is looked at meanwhile; the number of those that failed."""
    table = Table(title=Text(shown(title)))
    for column in ("check", "result", "detail", "s"):
        table.add_column(column, overflow="fold", justify="right" if column == "s" else "left")
    failed = []
    counts = dict.fromkeys(STYLES, 0)
    with terminal(stderr=True).status(Text(names[0])) as status:
        for number, verdict in enumerate(verdicts, 1):
            counts[verdict.result] += 1
            if verdict.result == "failed":
                failed.append(verdict.check)
            result = Text(verdict.result, STYLES[verdict.result])
            table.add_row(verdict.check.name, result, shown(verdict.detail), f"{verdict.seconds:.1f}")
            status.update(Text(f"{number} of {len(names)}: {', '.join(names[number : number + 1])}"))
    console = terminal()
    console.print(table)
    for check in failed:  # outside the table, so that it can be copied
        console.print(f"{check.name}: must hold: {check.holds}. To mend it, {check.remedy}.", soft_wrap=True)
    console.print(", ".join(f"{count} {result}" for result, count in counts.items() if count))
    return len(failed)
