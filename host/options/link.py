"""The back-channel, and how the link codes what must arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from gr_jscc.channel.profiles import SNR_RANGE_DB
from gr_jscc.host.options import panels

ControlSnr = Annotated[
    float | None,
    typer.Option(
        "--control-snr",
        rich_help_panel=panels.LINK,
        min=SNR_RANGE_DB[0],
        max=SNR_RANGE_DB[1],
        help="Es/N0 in dB for which manifests and side information are coded: one copy, at the highest rate that it "
        "allows. Default: robust coding until the receiver reports its SNR over the back-channel.",
        show_default=False,
    ),
]
BackChannel = Annotated[
    str,
    typer.Option(
        "--back-channel",
        rich_help_panel=panels.LINK,
        help="Address of the receiving host, tcp://HOST:PORT: the receiver listens there, the transmitter connects.",
        show_default=False,
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience",
        rich_help_panel=panels.LINK,
        min=0,
        help="Seconds to wait for a lost back-channel before continuing without it.",
    ),
]
Keys = Annotated[
    str,
    typer.Option(
        "--keys",
        rich_help_panel=panels.SECURITY,
        help="This host's key file, from gr-jscc keys make; needed between machines.",
        show_default=False,
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        rich_help_panel=panels.SECURITY,
        help="Use a back-channel between machines without encryption or authentication.",
    ),
]
