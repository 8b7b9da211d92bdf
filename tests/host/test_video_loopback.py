"""gr-jscc loopback with frames: each through modem, channel and link, and a film of what is seen."""

import json

import pytest

from gr_jscc.host.main import main
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

CODEC = ["--codec", "separation", "--weights", "jpeg:ldpc-1/2:qpsk", "--cbr", "1/6"]


def loopback(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["loopback", *arguments])
    return left.value.code


def test_frames_are_told_and_filmed_as_they_are_seen(tmp_path, capsys):
    pattern = ["--test-pattern", "--size", "160x120", "--fps", "5", "--seconds", "1.2"]
    film = str(tmp_path / "seen.mp4")
    assert loopback(*pattern, *CODEC, "--snr", "8", "--loss", "0.05", "--film", film, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["seconds"] for row in rows] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    whole = [number for number, row in enumerate(rows) if not row["frozen"]]
    assert whole and all(rows[number]["psnr_db"] > 20 for number in whole)
    seen = list(Source("video", film).frames(FrameForm(5, 160, 120)))
    assert len(seen) == 6
    for number, frame in enumerate(seen):
        shown = max((one for one in whole if one <= number), default=None)
        assert read_number(frame.image) == shown


def test_a_scenario_keeps_its_noise(tmp_path, capsys):
    (tmp_path / "air.toml").write_text("[awgn]\nsnr_db = -15\n")
    pattern = ["--test-pattern", "--size", "160x120", "--seconds", "0.2"]
    assert loopback(*pattern, *CODEC, "--scenario", str(tmp_path / "air.toml"), "--snr", "20") == 0
    assert "2 frames, 2 of which could not be shown" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "give images to send, or one source of frames"),
        (["photo.png", "--test-pattern"], "give images to send, or one source of frames"),
        (["--test-pattern", "--ideal"], "--ideal, --plot and --figures are for images"),
        (["--test-pattern", "--fps", "60"], "send fewer frames a second"),
        (["--video", "nowhere.mp4"], "nowhere.mp4 cannot be read as video"),
        (["--test-pattern", "--film", "seen.gif"], "seen.gif: a film's name ends in .mp4 or .webp"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert loopback(*arguments, *CODEC) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []
