"""The back-channel, the modem, and how the link codes what must arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from gr_jscc.channel.profiles import SNR_RANGE_DB
from gr_jscc.durations import parse_duration
from gr_jscc.errors import UserError
from gr_jscc.host.options import panels
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem.header import MAX_SYMBOLS
from gr_jscc.modem.numerology import NUMEROLOGIES

BURST_SYMBOLS = LinkSettings().burst_symbols
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
NUMEROLOGY_HELP = (
    f"OFDM numerology, the same at both ends: {', '.join(NUMEROLOGIES)}; or a TOML file of your own, see "
    "docs/reference/link.md."
)
Numerology = Annotated[str, typer.Option("--numerology", rich_help_panel=panels.LINK, help=NUMEROLOGY_HELP)]
BURSTS_HELP = "Shorter bursts follow a changing channel better, but need more preambles and headers."
BurstSymbols = Annotated[
    int,
    typer.Option(
        "--burst-symbols",
        rich_help_panel=panels.LINK,
        min=1,
        max=MAX_SYMBOLS,
        help=f"Analog symbols of a burst at most. {BURSTS_HELP}",
    ),
]
SentBurstSymbols = Annotated[
    str,
    typer.Option(
        "--burst-symbols",
        rich_help_panel=panels.LINK,
        help=f"Analog symbols of a burst at most, 1 to {MAX_SYMBOLS}. {BURSTS_HELP} auto: the longer the fewer "
        "are lost, by what the receiver says over the back-channel.",
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
Latency = Annotated[
    str,
    typer.Option(
        "--latency",
        rich_help_panel=panels.LINK,
        help="How long received samples may wait for others to be worked on together, in s, ms or us, such as 20ms: "
        "less takes more of the processor.",
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


def parse_latency(text: str) -> float:
    """Seconds.

    Raises:
        UserError: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UserError(f"--latency: {error}") from error


def parse_burst_symbols(text: str) -> int | None:
    """A number of symbols, or None for ``auto``.

    Raises:
        UserError: neither, or out of range.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SYMBOLS:
        raise UserError(f"--burst-symbols must be auto, or a whole number from 1 to {MAX_SYMBOLS}, not {text!r}")
    return int(text)
