"""What packaging/ says agrees with the project: dependencies, versions, what CMake puts where."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gr_jscc.files.toml import tomllib

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def requirements(texts):
    """(name, lowest version) of each."""
    return {re.match(r"([\w-]+)\s*>=\s*([\d.]+)", text).groups() for text in texts}


def test_the_conda_recipe_asks_for_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    recipe = yaml.safe_load((ROOT / "packaging/conda/recipe.yaml").read_text())
    wanted = requirements(project["project"]["dependencies"])
    wanted = {(CONDA_NAMES.get(name, name), version) for name, version in wanted}
    listed = requirements(text for text in recipe["requirements"]["run"] if ">=" in text)
    assert wanted <= listed
    assert {name for name, _ in listed - wanted} == {
        "python", "gnuradio-core", "gnuradio-grc", "gnuradio-qtgui", "gnuradio-zeromq", "gnuradio-soapy",
    }  # fmt: skip
    assert requirements(project["build-system"]["requires"]) <= requirements(
        text for text in recipe["requirements"]["host"] if ">=" in text
    )


@pytest.mark.parametrize(
    "prefix, folder", [("/usr/local", "dist-packages|site-packages"), ("/opt/jscc", "site-packages")]
)
def test_cmake_puts_modules_where_python_looks(prefix, folder):
    script = ROOT / "packaging/cmake/python_folder.py"
    run = subprocess.run([sys.executable, script, prefix], capture_output=True, text=True, timeout=20, check=True)
    assert re.fullmatch(rf"lib/python3(\.\d+)?/({folder})\n", run.stdout)


def test_cmake_installs_the_package_and_uninstalls_it(tmp_path):
    build, prefix = tmp_path / "build folder", tmp_path / "prefix"
    python = tmp_path / "a folder" / "python3"  # whose name no line "#!" can hold
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    options = [
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DENABLE_VIRTUAL_RADIO=OFF",
        f"-DPython3_EXECUTABLE={python}",
    ]
    for command in (["-S", str(ROOT), "-B", str(build), *options], ["--install", str(build)]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    blocks = {path.name for path in (prefix / "share/gnuradio/grc/blocks").glob("*.yml")}
    assert blocks == {path.name for path in (ROOT / "gr_jscc/grc").glob("*.yml")}
    (package,) = prefix.glob("lib/python3*/*-packages/gr_jscc")
    for part in ("host/main.py", "calibration/rig.py", "data/flowgraphs/examples/encoder.grc", "py.typed"):
        assert (package / part).is_file()
    environment = {"PYTHONPATH": str(package.parent), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = subprocess.run(
        [prefix / "bin/gr-jscc", "--help"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "loopback" in run.stdout, run.stderr
    subprocess.run(["cmake", "-P", str(build / "uninstall.cmake")], check=True, capture_output=True, timeout=60)
    assert not list(prefix.iterdir())
