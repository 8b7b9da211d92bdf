"""gr-jscc new-codec: what it writes works as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gr_jscc.codecs.registry import load_codec
from gr_jscc.host.main import main

pytestmark = pytest.mark.timeout(240)


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def test_the_folder_passes_its_own_tests(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("new-codec", "my-codec") == 0
    names = {"my_codec.py", "my_codec_network.py", "my_codec_task.py", "my_codec_test.py", "recipe.toml", "README.md"}
    assert {path.name for path in Path("my-codec").iterdir()} == names
    text = "".join(path.read_text() for path in Path("my-codec").iterdir())
    assert not any(word in text for word in ("MODULE", "CLASS", "NAME"))
    assert "my-codec/my_codec.py:MyCodec" in capsys.readouterr().out
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "my_codec_test.py"]
    done = subprocess.run(command, cwd="my-codec", env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,W", "--line-length", "120", "my-codec"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0 or "No module named ruff" in checked.stderr, checked.stdout


def test_two_of_them_stand_side_by_side(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("first", "second2"):
        assert run("new-codec", name, "--out", f"codecs/{name}") == 0
    one, other = load_codec("codecs/first/first.py:First"), load_codec("codecs/second2/second2.py:Second2")
    assert (one.name, other.name) == ("first", "second2")
    assert type(one.network["encoder"]) is not None and one.training_task is not other.training_task


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("My-Codec", "small letters, digits, - and _, and no word of Python, not 'My-Codec'"),
        ("../up", "small letters"),
        ("", "small letters"),
        ("a--b", "small letters"),
        ("class", "no word of Python"),
        ("random", "no word of Python"),
        ("ntscc", "ntscc is a codec that ships; choose another name"),
        ("there", "there is there already; --out names another folder"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, name, told):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("there", "something").touch()
    assert run("new-codec", name) == 2
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [tmp_path / "there"]
