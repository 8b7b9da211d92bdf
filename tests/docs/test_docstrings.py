"""The examples in docstrings run, and what people build with has one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted((ROOT / "gr_jscc").rglob("*.py"))
}
WITH_EXAMPLES = [name for name, path in NAMES.items() if ">>> " in path.read_text()]
# Bases, which nobody makes one of, and what needs a window.
WITHOUT = {"Impairment", "ImageSink", "back_channel", "image_view_sink", "ImageView", "PicturePane", "Figure"}
WITHOUT |= {"ScenarioError", "HeaderError"}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name):
    if name.split(".")[1] in ("blocks", "flowgraphs", "scheduler"):
        pytest.importorskip("gnuradio")
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.attempted and not ran.failed


@pytest.mark.parametrize("package", ["blocks", "channel"])
def test_every_block_and_impairment_has_an_example(package):
    lacking = [
        f"{name}.{node.name}"
        for name, path in NAMES.items()
        if name.startswith(f"gr_jscc.{package}.")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and node.name not in WITHOUT
        and ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert lacking == []
