"""The notebooks run, within a minute of one core each, and give the figures that are stored in them."""

import importlib.util
import json
import re
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
MOST_SECONDS = 60  # of one core
MOST_BYTES = 300 << 10
# Processors, and versions of libraries, round differently, and training carries that on.
TOLERANCE = 0.5

SPEC = importlib.util.spec_from_file_location("notebooks", ROOT / "scripts" / "notebooks.py")
notebooks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(notebooks)


def figures(text):
    """The numbers in a text: whole ones, which are to be the same, and others."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    return [n for n in numbers if "." not in n], [float(n) for n in numbers if "." in n]


def check(text, stored):
    """Whether numbers are those that are stored; shares and ratios, below 1, to the hundredth."""
    whole, parts = figures(text)
    stored_whole, stored_parts = figures(stored)
    assert whole == stored_whole
    assert len(parts) == len(stored_parts) > 5
    for number, other in zip(parts, stored_parts):
        assert abs(number - other) <= (0.01 if abs(other) < 1 else TOLERANCE), (number, other)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["bring-your-own", "compare-codecs"]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_gives_what_is_stored(path, one_thread):
    notebook = read(path)
    stored = [cell["outputs"] for cell in notebooks.code_cells(notebook)]
    before = time.process_time()
    outputs = notebooks.run(notebook)
    assert time.process_time() - before < MOST_SECONDS
    check(notebooks.text_of(outputs), notebooks.text_of(stored))
    kinds = [[(one["output_type"], *one.get("data", {})) for one in cell] for cell in (outputs + stored)]
    assert kinds[: len(outputs)] == kinds[len(outputs) :]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_was_run_in_order(path):
    notebook = read(path)
    cells = notebooks.code_cells(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert all(len(line.rstrip("\n")) <= 120 for line in cell["source"])
        for link in re.findall(r"\]\(([^)#:]+)\)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else ():
            assert (path.parent / link).exists(), link


@pytest.mark.parametrize("text", ["PSNR 30.6 of 1 1.5 1.5 1.5 1.5 0.1", "PSNR 30.0 of 2 1.5 1.5 1.5 1.5 0.1"])
def test_other_figures_are_found(text):
    stored = "PSNR 30.0 of 1 1.5 1.5 1.5 1.5 0.1"
    check(stored, stored)
    with pytest.raises(AssertionError):
        check(text, stored)
