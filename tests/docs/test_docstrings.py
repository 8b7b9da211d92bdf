"""The examples in docstrings run, and every public class has one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    ".".join([*package, *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
    for folder, package in (("gr_jscc", ()), ("host", ("gr_jscc",)), ("calibration", ("gr_jscc",)))
    for path in sorted((ROOT / folder).rglob("*.py"))
}
WITH_EXAMPLES = [name for name, path in NAMES.items() if ">>> " in path.read_text()]
# What a machine may lack, and the modules that cannot do without.
NEEDED = {
    "gnuradio": (
        "benchmarks.air", "blocks", "flowgraphs", "scheduler", "recordings.live", "calibration.rig",
        "calibration.virtual_trial", "interface.flowgraph", "interface.radio", "radio.file_radio", "radio.pace",
        "radio.recorder", "radio.soapy_", "radio.uhd_", "radio.zmq_radio",
    ),
    "gnuradio.uhd": ("radio.uhd_radio",),
    "SoapySDR": ("radio.soapy_",),
    "PyQt5": ("blocks.image_view_sink", "blocks.strip_chart", "blocks.trouble_lines", "blocks.video_view_sink"),
}  # fmt: skip


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name):
    for module, names in NEEDED.items():
        if name.removeprefix("gr_jscc.").startswith(names):
            pytest.importorskip(module)
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.attempted and not ran.failed


def test_every_public_class_has_an_example():
    lacking = [
        f"{name}.{node.name}"
        for name, path in NAMES.items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert lacking == []
