"""For programs that run as services."""

from __future__ import annotations

from typing import Annotated

import typer

from gr_jscc.host import log
from gr_jscc.host.options import panels
from gr_jscc.host.options.common import check_choice, completed


def _log_format(name: str) -> str:
    log.log_as(check_choice("--log-format", name, log.FORMATS))
    return name


LogFormat = Annotated[
    str,
    typer.Option(
        "--log-format",
        rich_help_panel=panels.OUTPUT,
        callback=_log_format,
        autocompletion=completed(lambda: log.FORMATS),
        help="Of lines on standard error: text, or json for programs that collect logs.",
    ),
]
Metrics = Annotated[
    str,
    typer.Option(
        "--metrics",
        rich_help_panel=panels.OUTPUT,
        help="Serve figures to Prometheus at HOST:PORT, such as 127.0.0.1:9464; see docs/guide/services.md.",
        show_default=False,
    ),
]
