"""``gr-jscc virtual-radio …``: the SoapySDR driver of a radio without hardware."""

from __future__ import annotations

import typer

from gr_jscc.host import options

app = typer.Typer(help="Build the virtual radio, a SoapySDR driver without hardware.", no_args_is_help=True)


@app.command()
def build(quiet: options.Quiet = False) -> None:
    """Build the driver with CMake, unless it is there: in a checkout's build/, otherwise with the user's data.

    All programs of gr-jscc find it there. For others, set SOAPY_SDR_PLUGIN_PATH to the folder that is printed.
    """
    from gr_jscc.radio.virtual.building import build as build_driver

    folder = build_driver(typer.echo)
    if not quiet:
        typer.echo(f"virtual radio: {folder}")


@app.callback()
def _virtual_radio() -> None:
    """One command is a group as well."""
