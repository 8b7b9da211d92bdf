"""The examples in docstrings run, and what people build with has one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    ".".join([*package, *path.relative_to(ROOT).with_suffix("").parts]): path
    for folder, package in (("gr_jscc", ()), ("host", ("gr_jscc",)), ("calibration", ("gr_jscc",)))
    for path in sorted((ROOT / folder).rglob("*.py"))
}
WITH_EXAMPLES = [name for name, path in NAMES.items() if ">>> " in path.read_text()]
# Bases, which nobody makes one of, and what needs a window.
WITHOUT = {"Impairment", "ImageSink", "back_channel", "image_view_sink", "ImageView", "PicturePane", "Figure"}
WITHOUT |= {"ScenarioError", "HeaderError"}
# What a machine may lack, and the modules that cannot do without.
NEEDED = {
    "gnuradio": (
        "blocks", "flowgraphs", "scheduler", "recordings.live", "calibration.rig", "calibration.virtual_trial",
        "radio.file_radio", "radio.pace", "radio.recorder", "radio.soapy_", "radio.uhd_", "radio.zmq_radio",
    ),
    "gnuradio.uhd": ("radio.uhd_radio",),
    "SoapySDR": ("radio.soapy_",),
    "PyQt5": ("blocks.image_view_sink",),
}  # fmt: skip
LINK_AND_RADIO = (
    "blocks", "calibration", "channel", "environment", "flowgraphs", "grc", "host", "link", "modem", "radio",
    "recordings", "scheduler",
)  # fmt: skip


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name):
    for module, names in NEEDED.items():
        if name.removeprefix("gr_jscc.").startswith(names):
            pytest.importorskip(module)
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


@pytest.mark.parametrize("package", LINK_AND_RADIO)
def test_every_public_class_of_the_link_and_the_radios_has_an_example(package):
    modules = {name: path for name, path in NAMES.items() if name.startswith(f"gr_jscc.{package}.")}
    lacking = [
        f"{name}.{node.name}"
        for name, path in modules.items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert modules and not lacking
