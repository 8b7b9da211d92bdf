"""Sources of frames: files with and without a turn, folders, the screen, and what is none of them."""

import itertools
import struct
import threading
import time

import numpy as np
import pytest

from gr_jscc.imaging import save_image
from gr_jscc.video.film import film
from gr_jscc.video.frames import FrameForm, VideoError
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

FORM = FrameForm(fps=10, width=160, height=120)
QUARTER_TURN = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)  # clockwise: a telephone held upright


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """12 frames, 10 a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with film(path, 10, (160, 120)) as write:
        for frame in itertools.islice(Source("pattern").frames(FORM), 12):
            write(frame.image)
    return path


def test_a_file_gives_the_rate_that_is_wanted(clip):
    def numbers(fps):
        return [read_number(frame.image) for frame in Source("video", str(clip)).frames(FrameForm(fps, 160, 120))]

    assert numbers(10) == list(range(12))
    assert numbers(5) == list(range(0, 12, 2))
    assert numbers(20) == [number // 2 for number in range(23)]


def test_a_turned_recording_is_seen_upright(clip, tmp_path):
    content = bytearray(clip.read_bytes())
    matrix = content.index(b"tkhd") + 40
    content[matrix : matrix + 36] = struct.pack(">9i", *QUARTER_TURN)
    (tmp_path / "turned.mp4").write_bytes(content)
    turned = next(Source("video", str(tmp_path / "turned.mp4")).frames(FrameForm(10, 120, 160)))
    plain = next(Source("video", str(clip)).frames(FORM))
    assert np.array_equal(turned.image, np.rot90(plain.image, -1))


def test_the_same_seed_gives_the_same_pattern():
    one, other = (next(Source("pattern", seed=4).frames(FORM)).image for _ in range(2))
    assert np.array_equal(one, other)


def test_a_folder_gives_each_picture_that_is_written(tmp_path):
    seen = []

    def look():
        for frame in itertools.islice(Source("folder", str(tmp_path)).frames(FrameForm(50, 16, 16)), 3):
            seen.append(int(frame.image.mean()))

    (tmp_path / "notes.txt").write_text("no picture")
    save_image(tmp_path / "a.png", np.full((16, 16, 3), 10, np.uint8))
    looking = threading.Thread(target=look)
    looking.start()
    for number, (name, value) in enumerate([("b.png", 20), ("a.png", 30)], start=2):
        (tmp_path / "z.png").write_bytes(b"\x89PNG half a picture")
        deadline = time.monotonic() + 10
        while len(seen) < number - 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.02)
        (tmp_path / "z.png").unlink()
        save_image(tmp_path / name, np.full((16, 16, 3), value, np.uint8))
    looking.join(10)
    assert seen == [10, 20, 30]


@pytest.mark.parametrize(
    "kind, place, words",
    [
        ("video", "nowhere.mp4", "nowhere.mp4 cannot be read as video: No such file"),
        ("video", __file__, "cannot be read as video: Invalid data"),
        ("camera", "99", "no camera at /dev/video99: No such file"),
        ("camera", "/dev/null", "no camera at /dev/null"),
        ("folder", "nowhere", "nowhere is not a folder"),
        ("screen", ":987", "the screen cannot be read"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line(kind, place, words):
    with pytest.raises(VideoError, match=words) as raised:
        next(Source(kind, place).frames(FORM))
    assert "\n" not in str(raised.value)


def test_a_file_without_pictures_is_refused(tmp_path):
    import av

    with av.open(str(tmp_path / "tone.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound) + stream.encode(None))
    with pytest.raises(VideoError, match="there is no picture in it"):
        next(Source("video", str(tmp_path / "tone.wav")).frames(FORM))
