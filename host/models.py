"""``gr-jscc models``: the codecs and the trained models that ship."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from gr_jscc.codecs.registry import CODECS
from gr_jscc.weights import FOLDER, describe_model, shipped_models

from . import options


def models(json_lines: options.Json = False) -> None:
    """List the codecs and the trained models that ship, with their measured figures."""
    rows = [describe_model(name) for name in shipped_models()]
    if json_lines:
        for row in rows:
            print(json.dumps(row))
        return
    console = Console()
    console.print(f"codecs: {', '.join(CODECS)}")
    table = Table()
    for name in ("model", "codec", "MB", "steps", "card"):
        table.add_column(name)
    for row in rows:
        card = FOLDER / f"{row['model']}.md"
        table.add_row(
            row["model"], row["codec"], f"{row['bytes'] / 1e6:.1f}", row["steps"], str(card) if card.is_file() else "–"
        )
    console.print(table)
