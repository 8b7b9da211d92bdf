"""Places that cannot be written are told in one line before anything is done; a missing home does no harm."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from gr_jscc import home
from gr_jscc.errors import UserError
from gr_jscc.files.places import writable_file, writable_folder
from gr_jscc.imaging import save_image

pytestmark = pytest.mark.timeout(60)


def test_a_folder_is_made_and_nothing_stays_in_it(tmp_path):
    assert writable_folder(tmp_path / "a" / "b").is_dir() and not list((tmp_path / "a" / "b").iterdir())
    assert writable_file(tmp_path / "c" / "x.png").parent.is_dir()


@pytest.mark.parametrize("place", ["file", "file/sub", "/proc/none", "/proc", "x" * 300])
def test_what_cannot_be_written_is_one_line(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(UserError, match="cannot") as told:
        writable_folder(place)
    assert "\n" not in str(told.value) and place in str(told.value)
    with pytest.raises(UserError):
        writable_file(f"{place}/x")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match="it is a folder"):
        writable_file(tmp_path)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(home.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize("place", ["/proc/none", "missing/below", "a file"])
def test_a_home_that_cannot_be_written_is_replaced_and_told(temporary, monkeypatch, place):
    monkeypatch.chdir(temporary)
    Path("a file").write_text("")
    monkeypatch.setenv("HOME", place)
    told = home.ensure_home()
    made = Path(os.environ["HOME"])
    assert place in told and str(made) in told and "\n" not in told
    assert made.parent == temporary and made.stat().st_mode & 0o777 == 0o700
    assert home.ensure_home() == ""  # all is well now
    monkeypatch.setenv("HOME", place)
    home.ensure_home()
    assert Path(os.environ["HOME"]) == made  # the next run finds what this one kept


def test_a_temporary_home_that_others_could_fill_is_not_used(temporary, monkeypatch):
    planted = temporary / f"gr-jscc-home-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    monkeypatch.setenv("HOME", "/proc/none")
    home.ensure_home()
    assert Path(os.environ["HOME"]) != planted


def test_a_home_that_can_be_written_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.ensure_home() == "" and os.environ["HOME"] == str(tmp_path) and not list(tmp_path.iterdir())


@pytest.mark.gnuradio
@pytest.mark.parametrize("set_to", [{"HOME": "/proc/none"}, {"HOME": ""}])
def test_a_run_without_a_home_leaves_its_picture(tmp_path, set_to):
    save_image(tmp_path / "p.png", np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8))
    command = [sys.executable, "-m", "gr_jscc.host", "loopback", "p.png", "--out", "o"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"} | set_to
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50)
    assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr
    assert (tmp_path / "o" / "p" / "received.png").is_file()
    if set_to["HOME"]:
        assert run.stderr.count("cannot write to the home folder /proc/none: settings") == 1


@pytest.mark.gnuradio
def test_a_home_that_is_only_read_is_read_and_what_is_compiled_goes_elsewhere():
    """As another user where this one may write everything: numba has neither the package nor the home to write to."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "home" / ".local" / "share" / "gr-jscc").mkdir(parents=True)
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o777)
        for folder in (place, place / "home"):
            folder.chmod(0o555)
        script = "import gr_jscc.blocks, os; print(gr_jscc.HOME_REMARK, os.environ['XDG_DATA_HOME'], sep='|')"
        environment = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PATH": os.environ["PATH"]}
        try:
            run = subprocess.run(
                [sys.executable, "-c", script],
                env=environment,
                cwd="/",
                capture_output=True,
                text=True,
                timeout=55,
                **nobody,
            )
        except PermissionError:
            pytest.skip("another user cannot run this Python")
        finally:
            place.chmod(0o755)
        if "No module named" in run.stderr:
            pytest.skip("another user cannot read this checkout")
        assert run.returncode == 0, run.stderr
        remark, data = run.stdout.strip().split("|")
        assert f"cannot write to the home folder {place / 'home'}: settings" in remark
        assert data == str(place / "home" / ".local" / "share")
