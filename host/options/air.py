"""A simulated channel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.channel import profiles
from gr_jscc.channel.profiles import PROFILES
from gr_jscc.errors import UserError
from gr_jscc.host.options import panels
from gr_jscc.host.options.common import completed

HIGHEST_HZ = 1e12  # of rates and frequencies, as SigMF has them; bounds keep "inf" and "nan" out as well


def check_snr(snr_db: float) -> float:
    """What ``--snr`` may be.

    Raises:
        UserError: it is something else.
    """
    return profiles.check_snr(snr_db, "--snr")


def parse_snrs(text: str) -> list[float]:
    """Several of what ``--snr`` may be, separated by commas.

    Raises:
        UserError: something else.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--snr must be one or more numbers, such as 20,0,20, not {text!r}") from None
    return [check_snr(value) for value in values]


Snr = Annotated[float, typer.Option("--snr", rich_help_panel=panels.CHANNEL, help="Es/N0 per data subcarrier, dB.")]
Channel = Annotated[
    str,
    typer.Option(
        "--channel",
        rich_help_panel=panels.CHANNEL,
        help=f"Simulated channel: {', '.join(PROFILES)}.",
        autocompletion=completed(lambda: PROFILES),
    ),
]
Cfo = Annotated[
    float,
    typer.Option(
        "--cfo", rich_help_panel=panels.CHANNEL, min=-2, max=2, help="Carrier frequency offset, subcarrier spacings."
    ),
]
Loss = Annotated[
    float,
    typer.Option(
        "--loss",
        rich_help_panel=panels.CHANNEL,
        min=0,
        max=1,
        help="Share of bursts that are erased at random on the air.",
    ),
]
Scenario = Annotated[
    Path | None,
    typer.Option(
        "--scenario",
        rich_help_panel=panels.CHANNEL,
        help="TOML file of a channel with more faults, which may vary with time; see docs/reference/channel.md. "
        "The other options apply to whatever it does not set.",
        show_default=False,
    ),
]
SampleRate = Annotated[
    float,
    typer.Option(
        "--sample-rate",
        rich_help_panel=panels.CHANNEL,
        min=1.0,
        max=HIGHEST_HZ,
        help="Samples per second, for Hz and seconds.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", rich_help_panel=panels.CHANNEL, min=0, max=2**31 - 1, help="Random seed of the simulated noise."
    ),
]
