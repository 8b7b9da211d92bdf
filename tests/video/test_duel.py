"""The duel: the same air for both, a freeze where nothing can be decoded, and the film of it."""

import itertools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from gr_jscc.channel import Scenario
from gr_jscc.host.main import main
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.video.duel import fight, ramp, score
from gr_jscc.video.frames import FrameForm, VideoError
from gr_jscc.video.passage import FrameSender
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

FORM = FrameForm(fps=10, width=192, height=144)
SETTINGS = LinkSettings(burst_symbols=4800)
DIGITAL = "jpeg:ldpc-1/2:qpsk"
SNRS_DB = [15, 15, -1, -1, -1, 15]


def sender(codec, weights=""):
    return FrameSender(load_sending_codec(Encoding(codec, 1 / 12, weights), SETTINGS), 1 / 12, SETTINGS)


def fought(senders, snrs_db, scenario=None, fps=10):
    frames = itertools.islice(Source("pattern").frames(FORM), len(snrs_db))
    return list(fight(frames, snrs_db, senders, scenario or Scenario(seed=1), fps, SETTINGS))


@pytest.fixture(scope="module")
def rounds(codec, one_thread):
    return fought([sender(codec), sender("separation", DIGITAL)], SNRS_DB)


def test_the_digital_picture_freezes_where_the_learned_one_gets_soft(rounds):
    learned, digital = ([round_.sides[side] for round_ in rounds] for side in (0, 1))
    assert not any(shown.frozen for shown in learned)
    assert [shown.frozen for shown in digital] == [False, False, True, True, True, False]
    assert all(np.array_equal(shown.image, digital[1].image) for shown in digital[2:5])
    assert [read_number(shown.image) for shown in learned] == list(range(6))
    assert learned[0].psnr_db > learned[3].psnr_db > digital[4].psnr_db


def test_the_score_counts_what_was_seen(rounds):
    learned, digital = score(rounds, 0, 10), score(rounds, 1, 10)
    assert (learned.frozen, learned.longest) == (0, 0)
    assert (digital.frozen, digital.longest) == (3, pytest.approx(0.3))
    assert digital.lowest_db == min(round_.sides[1].psnr_db for round_ in rounds)
    for each in (learned, digital):
        assert 1 / 12 < each.cbr < 1.5 / 12  # the payload's, and headers and manifests beside it


def test_both_sides_meet_the_same_noise_and_the_same_fades(rounds, codec, one_thread):
    """Learned pictures show every bit of it: those of one codec on both sides are equal, whoever is beside it."""
    learned = sender(codec)
    twice = fought([learned, learned], SNRS_DB[:3])
    for round_, before in zip(twice, rounds):
        assert np.array_equal(round_.sides[0].image, round_.sides[1].image)
        assert np.array_equal(round_.sides[0].image, before.sides[0].image)
    fading = Scenario({"doppler_fading": {"doppler_hz": 3.0}}, seed=2)
    (faded,) = fought([learned, learned], [15], fading)
    assert np.array_equal(faded.sides[0].image, faded.sides[1].image)
    assert not np.array_equal(faded.sides[0].image, twice[0].sides[0].image)


def test_a_frame_that_takes_longer_than_it_has_is_refused():
    with pytest.raises(VideoError, match=r"by separation takes [0-9]+ samples of air and has 10000: send fewer"):
        fought([sender("separation", DIGITAL)], [10], fps=100)


def test_before_the_first_frame_the_picture_is_grey():
    (lost,) = fought([sender("separation", DIGITAL)], [-10])
    assert lost.sides[0].frozen
    assert set(np.unique(lost.sides[0].image)) == {128}


def test_the_snr_goes_through_its_points():
    assert ramp([20, 0, 20], 5) == [20, 10, 0, 10, 20]
    assert ramp([7], 3) == [7, 7, 7]


SMALL = ["--size", "192x144", "--burst-symbols", "4800", "--cbr", "1/8", "--codec", "separation", "--weights", DIGITAL]
SMALL += ["--against-weights", "jpeg:ldpc-2/3:64qam"]


def test_the_program_leaves_a_film_and_a_row_a_frame(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["duel", *SMALL, "--seconds", "0.4", "--snr", "20,6", "--json", "--out", str(tmp_path / "duel.mp4")])
    assert left.value.code == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["snr_db"] for row in rows] == pytest.approx(ramp([20, 6], 4))
    assert [row["codec_frozen"] for row in rows] == [False, False, False, False]
    assert [row["against_frozen"] for row in rows] == [False, False, True, True]
    totals = [row[f"{side}_total"] / (3 * 192 * 144) for row in rows for side in ("codec", "against")]
    assert 0.85 / 8 < min(totals) <= max(totals) <= 1 / 8
    film = list(Source("video", str(tmp_path / "duel.mp4")).frames(FrameForm(10, 392, 302)))
    assert len(film) == 4
    left_side = film[3].image[26 : 26 + 144, :192]
    assert read_number(left_side) == 3
    right_side = film[3].image[26 : 26 + 144, 200:]
    assert read_number(right_side) == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--snr", "high"], "--snr must be one or more numbers, such as 20,0,20, not 'high'"),
        (["--snr", "20,nan"], "--snr must be from "),
        (["--size", "321x240"], "a film's sides are even numbers of pixels, not 321x240"),
        (["--camera", "0", "--screen"], "--camera and --screen are two sources: give one"),
        (["--out", "duel.gif"], "duel.gif: a film's name ends in .mp4 or .webp"),
        (["--seconds", "600", "--fps", "200"], "more than can be kept"),
        (["--video", "nowhere.mp4"], "nowhere.mp4 cannot be read as video: No such file or directory"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["duel", *SMALL, *arguments])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_duel_leaves_nothing(tmp_path):
    command = [
        sys.executable,
        "-m",
        "gr_jscc.host",
        "duel",
        *SMALL,
        "--seconds",
        "60",
        "--json",
        "--out",
        str(tmp_path / "duel.mp4"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as program:
        first = program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert json.loads(first)["seconds"] == 0
    assert program.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
