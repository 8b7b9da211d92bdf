"""Tables of a report, as Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import dataclass, field

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Text in rows and columns.

    Attributes:
        name: for file names.
        title: in a line.
        columns: heads; the first column is flush left, the others right.
        rows: of as many texts.
        notes: lines below.

    Example:
        >>> print(Table("psnr", "PSNR", ["Scheme", "10 dB"], [["NTSCC", "28.9"]]).markdown())
        | Scheme | 10 dB |
        |---|---:|
        | NTSCC | 28.9 |
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """With its notes, without its title."""

        def line(texts: list[str]) -> str:
            return "| " + " | ".join(map(markdown_text, texts)) + " |"

        marks = "|---|" + "---:|" * (len(self.columns) - 1)
        lines = [line(self.columns), marks, *map(line, self.rows)]
        return "\n".join(lines + ([""] + self.notes if self.notes else []))

    def latex(self) -> str:
        r"""A ``table`` float; needs ``\usepackage{booktabs}``."""

        def line(texts: list[str]) -> str:
            return "  " + " & ".join(map(_latex, texts)) + r" \\"

        caption = " ".join([self.title + ".", *self.notes])
        return "\n".join(
            [
                r"\begin{table}", r"  \centering", rf"  \caption{{{_latex(caption)}}}",
                rf"  \begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}", r"  \toprule", line(self.columns),
                r"  \midrule", *map(line, self.rows), r"  \bottomrule", r"  \end{tabular}", r"\end{table}", "",
            ]
        )  # fmt: skip

    def csv(self) -> str:
        """With the heads as the first line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def html(self) -> str:
        """A ``<table>`` with its title, and its notes below."""

        def line(texts: list[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

        body = "\n".join(line(row, "td") for row in self.rows)
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        return (
            f"<table><caption>{html.escape(self.title)}</caption><thead>{line(self.columns, 'th')}</thead>"
            f"<tbody>\n{body}\n</tbody></table>{notes}"
        )


def markdown_text(text: str) -> str:
    """A text of others that Markdown shows letter by letter, on one line."""
    return re.sub(r"([\\`*\[\]<|])", r"\\\1", " ".join(text.split()))


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
