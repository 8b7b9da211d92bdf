"""What a folder holds that cannot be sent is told in one line before anything is sent, and the others go."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from gr_jscc.host.main import main
from gr_jscc.imaging import load_image

pytestmark = [pytest.mark.timeout(120), pytest.mark.gnuradio]


@pytest.fixture
def folder(tmp_path, monkeypatch, small_photo):
    """Three good pictures among seven things that cannot be sent."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "in"
    made.mkdir()
    for i, name in enumerate(("a", "c", "e")):
        Image.fromarray(small_photo[: 128 + 8 * i]).save(made / f"{name}.png")
    Image.new("RGB", (1, 1)).save(made / "b.png")
    Image.new("RGB", (2, 1)).save(made / "f.png")
    (made / "cut.png").write_bytes((made / "a.png").read_bytes()[:999])
    (made / "page.jpg").write_text("<html>not found</html>")
    (made / "album.png").mkdir()
    (made / "gone.jpg").symlink_to("/nowhere/gone.jpg")
    os.mkfifo(made / "pipe.gif")
    return made


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return ended.value.code, output.out, output.err


def check(line):
    assert line.startswith("skipped 7 of 10 images: "), line
    for left_out in ("b.png", "f.png", "cut.png", "page.jpg", "album.png", "gone.jpg", "pipe.gif"):
        assert line.count(f"{left_out} (") == 1
    assert "b.png (a 1x1 picture" in line and "page.jpg (not an image" in line


@pytest.mark.parametrize(
    "options",
    [[], ["--ideal"], ["--ideal", "--codec", "ntscc"], ["--codec", "separation"], ["--cbr-max", "1/8"]],
    ids=" ".join,
)
def test_loopback(capsys, tmp_path, folder, options):
    code, out, err = run(capsys, "loopback", folder, "--cbr", "1/12", "--json", *options)
    assert code == 0
    lines = err.strip().splitlines()
    assert len(lines) == 1
    check(lines[0])
    assert [json.loads(line)["image"] for line in out.splitlines()] == ["a.png", "c.png", "e.png"]
    for name in "ace":
        assert (
            load_image(tmp_path / "received" / name / "received.png").shape == load_image(folder / f"{name}.png").shape
        )


def test_tx(capsys, tmp_path, folder):
    code, out, err = run(capsys, "tx", folder, "--radio", f"file:{tmp_path}/air.cf32", "--json")
    assert code == 0
    check(err.strip().splitlines()[0])
    sent = [event["name"] for event in map(json.loads, out.splitlines()) if event.get("event") == "sent"]
    assert sent == ["a.png", "c.png", "e.png"]
    assert np.fromfile(tmp_path / "air.cf32", np.complex64).any()


@pytest.mark.parametrize("program", ["loopback", "tx"])
def test_a_folder_of_which_nothing_can_be_sent(capsys, tmp_path, folder, program):
    for name in "ace":
        (folder / f"{name}.png").unlink()
    radio = ["--radio", f"file:{tmp_path}/air.cf32"] if program == "tx" else []
    code, out, err = run(capsys, program, folder, *radio)
    assert code == 2 and out == ""
    assert err.startswith("gr-jscc: nothing to send: skipped 7 of 7 images: ") and len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]  # nothing was begun
