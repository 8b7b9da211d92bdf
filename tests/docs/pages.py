"""The repository's pages, and the blocks of code in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("gr_jscc", "host", "calibration", "flowgraphs", "scripts", "tests", "docs", "findings")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
FENCED = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    return [Block(name, text.count("\n", 0, found.start()) + 1, *found.groups()) for found in FENCED.finditer(text)]


def code(page: Path) -> str:
    """A page's blocks of Python, one after the other."""
    return "\n\n".join(block.text for block in blocks(page) if block.language == "python")


def without_blocks(page: Path) -> str:
    """A page's text, its blocks of code left out."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))
