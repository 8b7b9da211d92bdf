"""A live view of a link in the terminal, for both ends; a line a picture where there is no terminal."""

from __future__ import annotations

import collections
import json
import math
import time

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gr_jscc.host import log
from gr_jscc.host.console import shown, terminal

SHOWN = 10  # latest pictures
WINDOW_SECONDS = 10.0  # of the throughput


class LiveView:
    """Shows how a run goes.

    Use as a context manager; `update` and `picture` may be called at any rate.

    Args:
        title: what runs, and where to and from.
        columns: heads of the table of pictures.
        json_lines: print one JSON object a picture on standard output, and nothing else.
        quiet: show nothing.

    Example:
        >>> with LiveView("rx", columns=["picture", "PSNR"], json_lines=True) as view:
        ...     view.update(SNR="12.5 dB")
        ...     view.picture("a", cells=["a.png", "31.20"], record={"name": "a.png", "psnr_db": 31.2})
        {"name": "a.png", "psnr_db": 31.2}
    """

    def __init__(self, title: str, columns: list[str], json_lines: bool = False, quiet: bool = False) -> None:
        self._title, self._columns = shown(title), columns
        self._json, self._quiet = json_lines, quiet
        self._console = terminal(stderr=True)
        self._facts: dict[str, str] = {}
        self._rows: collections.OrderedDict[object, list[str]] = collections.OrderedDict()
        self._pace: collections.deque[tuple[float, float]] = collections.deque()
        self._paced = 0.0  # samples in it
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._console.is_terminal and not self._json and not self._quiet and not log.logs_json():
            self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._live is not None:
            self._live.__exit__(*failure)

    def update(self, **facts: object) -> None:
        """Changes facts that are shown on top; None takes one away."""
        for name, value in facts.items():
            if value is None:
                self._facts.pop(name, None)
            else:
                self._facts[name] = shown(value)

    def flow(self, samples: float) -> None:
        """So many samples went over the air."""
        now = time.monotonic()
        self._pace.append((now, samples))
        self._paced += samples
        while now - self._pace[0][0] > WINDOW_SECONDS:
            self._paced -= self._pace.popleft()[1]
        span = now - self._pace[0][0]
        if span > 0:
            self._facts["throughput"] = f"{self._paced / span / 1e6:.2f} Msps"

    def picture(self, key: object, cells: list[str], record: dict | None = None, final: bool = True) -> None:
        """Adds or replaces a picture's row; a final one is printed where there is no table.

        Args:
            key: what tells it from others.
            cells: as many as there are columns.
            record: for JSON.
            final: whether nothing more is expected of it.
        """
        cells = [shown(cell) for cell in cells]
        self._rows[key] = cells
        while len(self._rows) > SHOWN:
            self._rows.popitem(last=False)
        if final and self._json and record is not None:
            print(json.dumps(record), flush=True)
        if final and log.logs_json():
            log.tell("picture", "info", picture=record or dict(zip(self._columns, cells, strict=True)))
        elif final and self._live is None and not self._quiet and not self._json:
            print("  ".join(f"{name} {cell}" for name, cell in zip(self._columns, cells, strict=True)), flush=True)

    def note(self, line: str) -> None:
        """Something that a person should know, once."""
        if log.logs_json():
            log.tell(line)
        elif not self._quiet:
            self._console.print(shown(line), style="yellow", soft_wrap=True)

    def _render(self) -> Group:
        table = Table()
        for name in self._columns:
            table.add_column(name, justify="left" if name == self._columns[0] else "right", no_wrap=True)
        for cells in self._rows.values():
            table.add_row(*cells)
        facts = "   ".join(f"{name} {value}" for name, value in self._facts.items())
        return Group(Text(self._title, style="bold"), table, Text(facts))


def number(value: float | None, digits: int = 2) -> str:
    """A figure for people, a dash when it is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
