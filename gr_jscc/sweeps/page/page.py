"""Writes reports of sweeps: a folder with a page, tables and plots; or Markdown for a folder of documents."""

from __future__ import annotations

import base64
import csv
import html
import io
import re
from collections.abc import Iterable
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.files.names import safe_name
from gr_jscc.files.whole import whole
from gr_jscc.sweeps.page.content import Section
from gr_jscc.sweeps.page.plots import Plot
from gr_jscc.sweeps.page.strip import PictureStrip
from gr_jscc.sweeps.page.tables import Table, markdown_text
from gr_jscc.sweeps.page.words import METRICS

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; }
img { max-width: 100%; height: auto; display: block; margin: 1.5rem 0 .3rem; }
table { border-collapse: collapse; margin: 1rem 0 .3rem; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-bottom: 2px solid #888; }
figure { margin: 0; overflow-x: auto; }
.note, figcaption { color: #444; font-size: .88rem; margin: .1rem 0; }
"""
POINT_COLUMNS = (
    "experiment", "scheme", "images", "mode", "channel", "snr_db", "cbr_asked", "cbr_counted", "pictures_lost", "cells",
)  # fmt: skip


KINDS = ("tables", "plots", "pictures")
ENDINGS = (".md", ".tex", ".csv", ".png", ".pdf", ".webp")


def write_report(sections: list[Section], out: Path, title: str, written: str) -> Path:
    """Writes ``index.html``, which holds everything, and beside it each table and plot for a paper, and the points.

    Args:
        sections: what to say.
        out: folder, made if it is not there; files are whole or not there. Tables, plots and pictures that an earlier
            report left for these experiments go.
        title: of the page.
        written: when, by which version and with which command, a line.

    Returns:
        The page.

    Raises:
        UserError: it cannot be written.
    """
    images: dict[tuple[str, str], bytes] = {}  # WebP by section and part: for the files and for the page
    try:
        for section in sections:
            for kind in KINDS:
                (out / section.folder / kind).mkdir(parents=True, exist_ok=True)
                _remove_reports_files(out / section.folder / kind)
            for part in section.parts:
                if isinstance(part, Table):
                    _write_table(part, out / section.folder / "tables")
                else:
                    images[section.name, part.name] = _write_image(part, out / section.folder)
        _write(out / "points.csv", _points(sections).encode())
        page = out / "index.html"
        _write(page, _html(sections, title, images, written).encode())
    except OSError as error:
        raise UserError(f"cannot write the report {out}: {error.strerror}") from error
    return page


def write_docs(sections: list[Section], page: Path, title: str, command: str) -> None:
    """Writes a Markdown page, and its pictures into ``images/`` beside it.

    Args:
        sections: what to say.
        page: the file.
        title: of the page.
        command: that writes it, for those who want to do so again.

    Raises:
        UserError: it cannot be written.
    """
    folder = page.parent / "images"
    lines = [f"# {title}", "", f"<!-- written by: {command} -->", ""]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in sections:
            lines += [f"## {section.title}", "", section.about, ""]
            for part in section.parts:
                if isinstance(part, Table):
                    lines += [f"**{markdown_text(part.title)}**", "", part.markdown(), ""]
                    continue
                words = f"{page.stem}-{section.folder}-{part.name}"
                words = re.sub(r"[^\w.-]+", "-", words)  # a link takes no spaces
                name = f"{safe_name(words)}.webp"
                _write(folder / name, part.image())
                lines += [f"![{markdown_text(part.title)}](images/{name})", ""]
            lines += [f"- {remark}" for remark in [*section.remarks, section.measured] if remark] + [""]
        _write(page, ("\n".join(lines).rstrip() + "\n").encode())
    except OSError as error:
        raise UserError(f"cannot write {page}: {error.strerror}") from error


def _write_table(table: Table, folder: Path) -> None:
    for suffix, text in (("md", table.markdown() + "\n"), ("tex", table.latex()), ("csv", table.csv())):
        _write(folder / f"{table.name}.{suffix}", text.encode())


def _remove_reports_files(folder: Path) -> None:
    """What an earlier report wrote there may show what is no more."""
    for path in folder.iterdir():
        if path.suffix in ENDINGS:
            path.unlink()


def _write_image(part: Plot | PictureStrip, folder: Path) -> bytes:
    """Writes its files and returns what the page shows."""
    image = part.image()
    if isinstance(part, Plot):
        for kind in ("pdf", "png"):
            _write(folder / "plots" / f"{part.name}.{kind}", part.image(kind))
    else:
        _write(folder / "pictures" / f"{part.name}.webp", image)
    return image


def _write(path: Path, content: bytes) -> None:
    with whole(path) as part:
        part.write_bytes(content)


def _points(sections: Iterable[Section]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    writer.writerow([*POINT_COLUMNS, *metrics])
    for section in sections:
        for conditions, points in section.points.items():
            for point in points:
                place = [section.name, point.scheme, conditions.images, conditions.mode, conditions.channel]
                row = [*place, point.snr_db, f"{point.asked:.6f}", f"{point.mean_cbr:.6f}", point.lost, point.cells]
                for value in map(point.estimate, METRICS):
                    ends = (None, None, None) if value is None else (value.mean, value.low, value.high)
                    row += ["" if end is None else f"{end:.4f}" for end in ends]
                writer.writerow(row)
    return text.getvalue()


def _html(sections: Iterable[Section], title: str, images: dict[tuple[str, str], bytes], written: str) -> str:
    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        if section.title != title:
            body.append(f'<h2 id="{html.escape(section.name)}">{html.escape(section.title)}</h2>')
        body += [f"<p>{html.escape(section.about)}</p>"] if section.about else []
        for part in section.parts:
            is_table = isinstance(part, Table)
            body.append(part.html() if is_table else _figure(part, images[section.name, part.name]))
        body += [f'<p class="note">{html.escape(remark)}</p>' for remark in section.remarks]
        body += [f'<p class="note">{html.escape(section.measured)}{_by(section.command)}</p>'] * bool(section.measured)
        body += [f"<p>Nothing has been measured yet; run gr-jscc sweep {html.escape(section.name)}</p>"] * (
            not section.points
        )
    body.append(f'<p class="note">{html.escape(written)}</p>')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n'
        "</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _by(command: str) -> str:
    return f" Command: <code>{html.escape(command)}</code>" if command else ""


def _figure(part: Plot | PictureStrip, image: bytes) -> str:
    notes = part.notes if isinstance(part, Plot) else [part.title]
    source = "data:image/webp;base64," + base64.b64encode(image).decode()
    caption = html.escape(" ".join(notes))
    return f'<figure><img alt="{html.escape(part.title)}" src="{source}"><figcaption>{caption}</figcaption></figure>'
