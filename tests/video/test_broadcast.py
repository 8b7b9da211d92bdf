"""One transmission, three receivers: qualities that follow each one's channel, or all and nothing."""

import numpy as np
import pytest
from PIL import Image

from gr_jscc.codecs.registry import load_codec
from gr_jscc.host.main import main
from gr_jscc.imaging import save_image
from gr_jscc.video.broadcast import broadcast
from gr_jscc.video.passage import FrameSender

pytestmark = pytest.mark.usefixtures("one_thread")
SNRS_DB = [3, 9, 18]


def qualities(codec, picture, snrs_db=SNRS_DB):
    return [heard.psnr_db for heard in broadcast(picture, FrameSender(codec, 1 / 12), snrs_db).heard]


def test_a_learned_codec_gives_each_what_its_channel_allows(codec, small_photo):
    worst, middle, best = qualities(codec, small_photo)
    assert worst + 1 < middle and middle + 1 < best


def test_a_digital_codec_gives_all_or_nothing(small_photo):
    digital = load_codec("separation", "jpeg:ldpc-1/2:16qam")
    worst, middle, best = qualities(digital, small_photo)
    assert worst is None
    assert middle == best > 20
    unheard = broadcast(small_photo, FrameSender(digital, 1 / 12), [-20.0]).heard[0]
    assert set(np.unique(unheard.image)) == {128}


def test_layers_are_all_sent_and_each_receiver_has_its_own_noise(small_photo):
    layered = load_codec("successive-single")
    sent = broadcast(small_photo, FrameSender(layered, 1 / 12), [9, 9])
    one, other = sent.heard
    assert abs(one.psnr_db - other.psnr_db) < 1
    assert not np.array_equal(one.image, other.image)
    assert sent.total > small_photo.size / 12 * 0.95  # of which one layer is a quarter


def test_the_program_draws_what_each_sees(tmp_path, capsys, small_photo):
    save_image(tmp_path / "photo.png", small_photo)
    with pytest.raises(SystemExit) as left:
        main([
            "broadcast-demo", str(tmp_path / "photo.png"), "--codec", "separation=jpeg:ldpc-1/2:qpsk",
            "--codec", "separation=jpeg:ldpc-1/2:16qam", "--snr", "3,18", "--out", str(tmp_path / "seen.png"),
        ])  # fmt: skip
    assert left.value.code == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "separation" in line]
    assert ["–" in line for line in lines] == [False, True]
    with Image.open(tmp_path / "seen.png") as drawn:
        assert min(drawn.size) > 300


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--out", "seen.pdf"], "seen.pdf: the picture's name ends in .png or .webp"),
        (["--snr", "3,,9"], "--snr must be one or more numbers"),
        (["--codec", "nothing"], "nothing"),
        (["nowhere.png"], "nowhere.png: no such file"),
    ],
)
def test_what_cannot_be_broadcast_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["broadcast-demo", *arguments])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []
