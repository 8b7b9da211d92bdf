"""``gr-jscc bench ldpc``: the LDPC codes of the separation codec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.benchmarks.ldpc import ldpc_figures, write_table
from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_file
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def ldpc(
    blocks: Annotated[int, typer.Option(min=10, help="Code blocks at each point.")] = 3000,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to time the decoder, for each code.")] = 5.0,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Instead measure the SNR that each code needs, which takes minutes, and write it as CSV; the codec "
            "chooses its code from gr_jscc/codecs/separation/table.csv."
        ),
    ] = None,
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Decode LDPC codes on one core: Mbit/s, and blocks lost in white noise beside a published curve."""
    if table is None:
        print_figures(ldpc_figures(blocks, seconds, seed), "LDPC", json_lines)
        return
    if not table.resolve().parent.is_dir():
        raise UserError(f"--table: folder not found: {table.resolve().parent}")
    writable_file(table)  # told before minutes are spent
    print_figures(write_table(table, blocks, seed), "LDPC", json_lines)
