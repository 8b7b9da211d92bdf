"""Links of the pages, and pages that the code names, lead somewhere: without a network, without the site's tools."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import FOLDERS, PAGES, ROOT, without_blocks

TEXTS = {".py", ".toml", ".yml", ".grc", ".sh", ".cpp", ".hpp", ".txt", ".cff", ""}
LINK = re.compile(r"!?\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\(([^()\s]+)\)")


def prose(page: Path) -> str:
    """A page without its blocks of code and its inline code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "`code`", without_blocks(page))


@cache
def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them: lower case, words joined by hyphens, repeats numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        name = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        repeats = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other) is not None for other in found)
        found.append(f"{name}-{repeats}" if repeats else name)
    return set(found)


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere: no such file, no such heading."""
    wrong = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_a_page_names_are_there(page):
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", without_blocks(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_a_link_to_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `b`, two\n\n[a](no.md) [b](#one-b-two) [c](page.md#two) [`d`](https://x) `[e](f)`\n")
    assert broken(page) == ["no.md", "page.md#two"]


def test_pages_that_code_and_messages_name_are_there():
    named = {}
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*")]
    for file in [*files, *ROOT.iterdir()]:
        if file.suffix in TEXTS and file.is_file():
            for page in re.findall(r"\bdocs/[\w/.-]*\.md\b", file.read_text(encoding="utf-8", errors="replace")):
                named.setdefault(page, []).append(str(file.relative_to(ROOT)))
    assert {page: files for page, files in named.items() if not (ROOT / page).is_file()} == {}
    assert len(named) > 5


def test_every_page_is_reached_from_the_index():
    reached, left = set(), [ROOT / "docs" / "index.md"]
    while left:
        page = left.pop().resolve()
        if page not in reached:
            reached.add(page)
            links = (unquote(link).partition("#")[0] for link in LINK.findall(prose(page)))
            left += [page.parent / link for link in links if link.endswith(".md") and ":" not in link]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached
