"""What an installation brings besides the library: flowgraphs, blocks in Companion, the virtual radio's sources."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from gr_jscc.files import installation
from gr_jscc.host import main
from gr_jscc.radio import virtual
from gr_jscc.radio.virtual.building import STAMP, build


def run(*words):
    with pytest.raises(SystemExit) as ended:
        main.main(list(words))
    return ended.value.code


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A copy of the package beside no Makefile, with the flowgraphs where a wheel has them."""
    package = tmp_path / "site-packages" / "gr_jscc"
    shutil.copytree(installation.flowgraphs(), package / "data" / "flowgraphs")
    monkeypatch.setattr(installation, "PACKAGE", package)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return package


@pytest.mark.parametrize("from_wheel", [True, False])
def test_examples_are_copied_and_replace_nothing(request, tmp_path, capsys, from_wheel):
    if from_wheel:
        request.getfixturevalue("installed")
    mine = tmp_path / "mine"
    assert run("examples", str(mine)) == 0
    copied = {path.relative_to(mine) for path in mine.rglob("*.grc")}
    assert copied == {path.relative_to(installation.flowgraphs()) for path in installation.flowgraphs().rglob("*.grc")}
    assert len(copied) > 15
    (mine / "loopback.grc").write_text("mine")
    capsys.readouterr()
    assert run("examples", str(mine)) == 2 and "is there already" in capsys.readouterr().err
    assert (mine / "loopback.grc").read_text() == "mine"


def test_the_virtual_radio_is_built_once(installed, tmp_path, capsys, monkeypatch):
    """With compilers that note how they were called; the real ones take half a minute, and the driver has its tests."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "cmake"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tools}/log\n[ "$1" = --build ] && touch "$2/{virtual.MODULE_NAME}"\nexit 0\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    shutil.copy(script, tools / "g++")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    said = []
    folder = build(said.append)
    assert folder == virtual.module_folder() and folder.is_relative_to(tmp_path / "data" / "gr-jscc")
    assert len(said) == 1 and len((tools / "log").read_text().splitlines()) == 2
    assert build(said.append) == folder and len(said) == 1
    (folder / STAMP).write_text("of other sources")
    assert run("virtual-radio", "build") == 0 and str(folder) in capsys.readouterr().out
    assert len((tools / "log").read_text().splitlines()) == 4


def test_what_building_lacks_is_one_line(installed, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("virtual-radio", "build") == 2
    assert "needs cmake: sudo apt-get install" in capsys.readouterr().err


def test_a_compiler_that_fails_is_one_line(installed, capsys, monkeypatch, tmp_path):
    for name in ("cmake", "g++"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'CMake Error: no moon' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert run("virtual-radio", "build") == 2
    assert "could not be built: CMake Error: no moon (full log: " in capsys.readouterr().err


def test_companion_starts_with_our_blocks(monkeypatch, tmp_path, capsys):
    """The program that is replaced by Companion; what Companion does then is in tests/grc."""
    (tmp_path / "gnuradio-companion").write_text(
        "import os, sys\nprint(os.environ['GRC_BLOCKS_PATH'], sys.argv[1:], sys.executable)\n"
    )
    (tmp_path / "gnuradio-companion").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GRC_BLOCKS_PATH", raising=False)
    done = subprocess.run(
        [sys.executable, "-m", "gr_jscc.host", "grc"], capture_output=True, text=True, timeout=60, env=os.environ
    )
    blocks = installation.PACKAGE / "grc"
    opened = installation.flowgraphs() / "loopback.grc"
    assert done.stdout == f"{blocks} {[str(opened)]!r} {sys.executable}\n", done.stderr
    assert run("grc", str(tmp_path / "none.grc")) == 2 and "no such flowgraph" in capsys.readouterr().err
    (tmp_path / "gnuradio-companion").unlink()
    assert run("grc") == 2 and "gnuradio-companion is not installed" in capsys.readouterr().err
