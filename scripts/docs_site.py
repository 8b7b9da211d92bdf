"""The hooks of mkdocs.yml: pages made while the site is built, and links that lead there.

The pages of docs/ link to files of the repository as one reads them there: cards, recipes, flowgraphs, modules. On the
site those are pages, too. The navigation is what docs/index.md lists, and after it every module of the packages.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gr_jscc", "calibration")
LINK = re.compile(r"(\]\()([^()\s#]+)(#[^()\s]*)?(?=\))")
LANGUAGES = {".grc": "yaml", ".yml": "yaml", ".toml": "toml", ".sh": "sh", ".py": "python", ".cpp": "cpp"}
NOTEBOOK = ".ipynb"
_repository_paths: dict[str, str] = {}  # of the pages that the hooks made: where their text lies


def modules(root: Path = ROOT) -> list[str]:
    """Dotted names of all public modules and packages, each package before what is in it."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    names = (".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for file in files)
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def api_page(name: str) -> str:
    """Where on the site a module is; a package's page is the index of a folder."""
    path = name.replace(".", "/")
    return f"api/{path}/index.md" if (ROOT / path).is_dir() else f"api/{path}.md"


def site_path(path: str) -> str:
    """Where on the site a file or folder of the repository is.

    Args:
        path: relative to the repository, with slashes.

    Returns:
        The Markdown page that shows it, or the file itself for pictures of docs/; relative to the site's sources.
    """
    if path.startswith("docs/"):
        page = path.removeprefix("docs/")
        return page.removesuffix(NOTEBOOK) + ".md" if page.endswith(NOTEBOOK) else page
    if path.endswith(".md"):
        return "repository/" + path.lower()
    if path.split("/")[0] in PACKAGES and path.endswith(".py"):
        return api_page(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    return f"repository/{path}.md"


def relink(text: str, page: str) -> str:
    """A page's text with its links to the repository led to the site's pages.

    Args:
        text: Markdown.
        page: its path in the repository.
    """
    here = posixpath.dirname(site_path(page)) or "."

    def led(match: re.Match[str]) -> str:
        start, link, anchor = match[1], match[2], match[3] or ""
        if ":" in link:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        return f"{start}{posixpath.relpath(site_path(target), here)}{anchor}"

    return LINK.sub(led, text)


def linked(text: str, page: str) -> set[str]:
    """Paths in the repository that a page links to, outside of docs/."""
    links = (match[2] for match in LINK.finditer(text) if ":" not in match[2])
    targets = (posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) for link in links)
    return {target for target in targets if not target.startswith("docs/")}


def shown(path: Path) -> str:
    """Markdown that shows a file of the repository as it is, or lists a folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    if path.suffix == NOTEBOOK:
        return notebook_page(json.loads(path.read_text(encoding="utf-8")))
    if path.is_dir():
        files = sorted(file.name for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        return f"# {name}\n\n" + "\n".join(f"- [{file}]({path.name}/{file})" for file in files)
    return f"# {name}\n\n```{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}\n```\n"


def notebook_page(notebook: dict) -> str:
    """A notebook, as in its file, as Markdown: its text, its code, and what that printed and drew."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = "".join(output.get("text", data.get("text/plain", [])))
            if image := next((kind for kind in data if kind.startswith("image/")), None):
                parts.append(f"![{text}](data:{image};base64,{''.join(data[image]).strip()})")
            else:
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def sections(index: str) -> dict[str, list[dict[str, str]]]:
    """The navigation of docs/index.md: headings up to a colon, and the pages in the first column of their tables."""
    found: dict[str, list[dict[str, str]]] = {}
    for part in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\)", part, re.MULTILINE)
        pages = [{title: site_path(posixpath.normpath(posixpath.join("docs", link)))} for title, link in rows]
        found[re.split(r"[:\n]", part)[0]] = pages
    return found


def api_tree(names: list[str]) -> list:
    """The navigation of the API: a package's own page first, then its modules and packages."""
    tree: dict = {}
    for name in names:
        node = tree
        for part in name.split("."):
            node = node.setdefault(part, {})

    def branch(node: dict, prefix: str) -> list:
        entries: list = []
        for part, inner in node.items():
            name = prefix + part
            own = [api_page(name)] if name in names else []
            entries.append({part: [*own, *branch(inner, name + ".")]} if inner else {part: own[0]})
        return entries

    return branch(tree, "")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    titled = [{title: pages} for title, pages in sections(index).items()]
    config["nav"] = [{"Home": "index.md"}, *titled, {"API": api_tree(modules())}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    from mkdocs.structure.files import File

    for name in modules():
        files.append(File.generated(config, api_page(name), content=f"::: {name}\n"))
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages() if not file.src_uri.startswith("api/")]
    pages += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob(f"*{NOTEBOOK}"))]
    seen = set(pages)
    while pages:
        page = pages.pop()
        path = ROOT / page
        text = shown(path)
        if not page.startswith("docs/") or path.suffix == NOTEBOOK:
            _repository_paths[site_path(page)] = page
            files.append(File.generated(config, site_path(page), content=text))
        if path.is_dir() or path.suffix in (".md", NOTEBOOK):
            new = {target for target in linked(text, page) if not site_path(target).startswith("api/")} - seen
            seen |= new
            pages += sorted(new)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    source = page.file.src_uri
    return markdown if source.startswith("api/") else relink(markdown, _repository_paths.get(source, f"docs/{source}"))
