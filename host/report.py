"""``gr-jscc report``: tables, plots and a page of what sweeps have measured."""

from __future__ import annotations

import datetime
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host.console import shown


def report(
    store: Annotated[Path, typer.Argument(help="The store of a sweep.", show_default=False)],
    experiment: Annotated[
        list[str] | None,
        typer.Option(help="Only this experiment of the store; may be given more than once.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; default: STORE/report.")] = None,
    docs: Annotated[
        Path | None, typer.Option(help="Write a Markdown page here instead, with its pictures in images/ beside it.")
    ] = None,
) -> None:
    """Make tables (Markdown, LaTeX, CSV), plots (PNG, PDF) and one page from a store of results.

    The page index.html is self-contained. The sweep may still be running.
    """
    from gr_jscc import __version__
    from gr_jscc.sweeps.page.content import sections
    from gr_jscc.sweeps.page.page import write_docs, write_report
    from gr_jscc.sweeps.store import Store, strays_line

    kept = Store(store)
    if strays := kept.strays():
        print(shown(strays_line(strays)), file=sys.stderr)
    found = {section.name: section for section in sections(kept)}
    unknown = [name for name in experiment or [] if name not in found]
    if unknown:
        raise UserError(f"no experiment {unknown[0]!r} in {store}; there are: {', '.join(found)}")
    chosen = [found[name] for name in experiment or found]
    if docs is not None:
        options = [f"--experiment {shlex.quote(name)}" for name in experiment or []]
        write_docs(chosen, docs, "Results", " ".join(["gr-jscc report STORE", *options, "--docs", docs.name]))
        print(f"written: {docs}")
        return
    title = chosen[0].title if len(chosen) == 1 else f"Sweeps in {store.resolve().name}"
    named = [part for name in experiment or [] for part in ("--experiment", name)]
    command = shlex.join(["gr-jscc", "report", str(store), *named, *(["--out", str(out)] if out else [])])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    written = f"Written {now} UTC by gr-jscc {__version__}: {command}"
    print(f"written: {write_report(chosen, out or store / 'report', title, written)}")
