"""What the site's hooks make of the pages, without the site's tools; `make docs` refuses what they lead to nowhere."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site)

PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_every_public_module_has_a_page():
    names = site.modules()
    assert {"gr_jscc", "gr_jscc.codecs", "gr_jscc.codecs.base", "calibration"} <= set(names)
    assert len(names) == len(set(names)) > 100
    assert not [name for name in names if "._" in name or "__" in name]


def test_a_package_is_the_index_of_its_folder():
    assert site.api_page("gr_jscc.codecs") == "api/gr_jscc/codecs/index.md"
    assert site.api_page("gr_jscc.codecs.base") == "api/gr_jscc/codecs/base.md"
    tree = site.api_tree(["a", "a.b", "a.c", "a.c.d"])
    assert tree == [{"a": ["api/a.md", {"b": "api/a/b.md"}, {"c": ["api/a/c.md", {"d": "api/a/c/d.md"}]}]}]


def test_the_navigation_has_every_page_once():
    sections = site.sections((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    listed = [path for pages in sections.values() for page in pages for path in page.values()]
    inside = [path for path in listed if not path.startswith("repository/")]
    pages = [page for page in PAGES if page.name != "index.md"]
    pages += [page.with_suffix(".md") for page in (ROOT / "docs").rglob("*.ipynb")]
    assert sorted(inside) == sorted(str(page.relative_to(ROOT / "docs")) for page in pages)


@pytest.mark.parametrize(
    ("link", "led"),
    [
        ("../reference/link.md#what-is-charged", "../reference/link.md#what-is-charged"),
        ("../images/loopback.webp", "../images/loopback.webp"),
        ("../../README.md#start", "../repository/readme.md#start"),
        ("../../gr_jscc/weights/ntscc-photo.md", "../repository/gr_jscc/weights/ntscc-photo.md"),
        ("../../gr_jscc/codecs/base.py", "../api/gr_jscc/codecs/base.md"),
        ("../../gr_jscc/radio/profiles", "../repository/gr_jscc/radio/profiles.md"),
        ("../notebooks/compare-codecs.ipynb", "../notebooks/compare-codecs.md"),
        ("https://example.org/a.md", "https://example.org/a.md"),
        ("#here", "#here"),
    ],
)
def test_links_lead_to_the_sites_pages(link, led):
    assert site.relink(f"see [this]({link}).", "docs/guide/two-hosts.md") == f"see [this]({led})."


def test_links_between_pages_of_the_repository_stay_among_them():
    card = site.relink(
        "[a](../codecs/base.py), [b](hjscc-photo.md), [c](../../docs/design/ntscc.md)", "gr_jscc/weights/x.md"
    )
    assert card == "[a](../../../api/gr_jscc/codecs/base.md), [b](hjscc-photo.md), [c](../../../design/ntscc.md)"


def test_files_are_shown_as_they_are_and_folders_as_lists():
    recipe = site.shown(ROOT / "gr_jscc" / "training" / "recipes" / "deepjscc-photo.toml")
    assert recipe.startswith("# gr_jscc/training/recipes/deepjscc-photo.toml\n\n```toml\n")
    assert "- [deepjscc-photo.toml](recipes/deepjscc-photo.toml)" in site.shown(
        ROOT / "gr_jscc" / "training" / "recipes"
    )


def test_a_notebook_is_a_page_with_what_it_printed_and_drew():
    drawn = {"data": {"image/png": "QUJD\n", "text/plain": ["<Figure>"]}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
        {"cell_type": "code", "source": ["print(1)\n", "draw()"], "outputs": [{"text": ["1\n"]}, drawn]},
    ]
    page = site.notebook_page({"cells": cells})
    assert page.startswith("# Title\nText.\n\n```python\nprint(1)\ndraw()\n```\n\n```text\n1\n```\n")
    assert page.endswith("![<Figure>](data:image/png;base64,QUJD)\n")
