"""The ``gr-jscc`` command: lists the subcommands, and turns expected errors into one line and exit code 2."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys

import typer

from gr_jscc import HOME_REMARK, telling
from gr_jscc.errors import UserError
from gr_jscc.host import log
from gr_jscc.host.console import print_anything
from gr_jscc.host.lazy import lazy_group

# What a place can have against being written, and no fault of ours.
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG)

GNU_RADIO = ("gnuradio", "pmt")  # missing on machines that only train

# In the order of the help. Each is a file beside this one; what a file must have is said in lazy.py.
COMMANDS = (
    "loopback",
    "tx",
    "rx",
    "channel",
    "replay",
    "calibrate",
    "devices",
    "demo",
    "duel",
    "broadcast-demo",
    "check-codec",
    "models",
    "new-codec",
    "lpips",
    "train",
    "reproduce",
    "sweep",
    "report",
    "doctor",
    "grc",
    "examples",
    "virtual-radio",
    "keys",
    "bench",
)

app = typer.Typer(
    name="gr-jscc",
    cls=lazy_group("gr_jscc.host.", COMMANDS),
    help="Learned joint source-channel coding of images, over the air with GNU Radio.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        from gr_jscc import __version__

        typer.echo(f"gr-jscc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Runs one subcommand and leaves the process with its exit code."""
    print_anything()
    atexit.register(gc.freeze)  # the last search for garbage would go through all that PyTorch made, 0.4 s
    # Standard output is what a program prints, for a pipe to read; GNU Radio logs there unless told, even where nothing
    # has failed.
    os.environ.setdefault("GR_CONF_LOG_LOG_FILE", "stderr")
    log.log_as("text")
    if HOME_REMARK:
        log.tell(HOME_REMARK)
    try:
        with telling.told_by_program(log.tell):
            code = app(arguments, prog_name="gr-jscc", standalone_mode=False)
    except UserError as error:
        log.tell(error, "error")
        code = 2
    except ModuleNotFoundError as error:
        if error.name not in GNU_RADIO:
            raise
        log.tell("this needs GNU Radio, which this Python does not find; gr-jscc doctor says how to get it", "error")
        code = 2
    except BrokenPipeError:  # whoever read our output has left, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries, and fails, once more
        code = 1
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        log.tell(f"{error.filename or 'a file'}: {error.strerror}", "error")
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        log.tell("interrupted", "info")
        code = 130
    except Exception as error:
        # Usage errors are click's or, in newer typers, of a copy of click inside: known by what they offer.
        if not hasattr(error, "format_message"):
            raise
        if message := " ".join(error.format_message().split()):
            log.tell(message, "error")
        code = 2
    sys.exit(code or 0)
