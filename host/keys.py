"""``gr-jscc keys …``: keys for the back-channel between two hosts, and for clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.link.back_channel import make_keys, read_keys
from gr_jscc.sweeps.cluster_key import make_cluster_key

app = typer.Typer(help="Make and show keys of back-channels and clusters.", no_args_is_help=True)


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="Where to write them.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing keys.")] = False,
) -> None:
    """Make keys for two hosts: FOLDER/transmitter.key and FOLDER/receiver.key.

    Copy each file to its host over a channel that nobody else can read, and keep no other copy: each file holds a
    secret key.
    """
    for path in make_keys(folder, force):
        typer.echo(f"{path}: for the {path.stem}'s host only")


@app.command()
def cluster(file: Annotated[Path, typer.Argument(help="Where to write it.", show_default=False)]) -> None:
    """Make the key of a Dask cluster on which sweeps run: one file for the scheduler, all workers and gr-jscc sweep.

    Copy it to all machines over a channel that nobody else can read: whoever has it can run programs on the workers.
    """
    make_cluster_key(file)
    typer.echo(f"{file}: for all machines of the cluster, and nobody else")


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A key file.", show_default=False)]) -> None:
    """Show whose key a file is and the public keys in it, which are no secret."""
    keys = read_keys(file)
    peer = "receiver" if keys.role == "transmitter" else "transmitter"
    typer.echo(f"{keys.role}, this end:  {keys.public}")
    typer.echo(f"{peer}, its peer: {keys.peer_public}")
