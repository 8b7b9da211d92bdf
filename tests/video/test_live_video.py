"""Frames as time passes, and the page that shows them."""

import io
import queue
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from gr_jscc.video.film import film
from gr_jscc.video.frames import FrameForm, VideoError
from gr_jscc.video.live import LiveFrames, age_ms, now_ms
from gr_jscc.video.page import FramePage
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

FORM = FrameForm(fps=20, width=160, height=120)


def handed_out(source, take=lambda frame: None, seconds=float("inf")):
    """Frames with the time at which each came, what ended them, and how many were late."""
    frames, ended = [], queue.Queue()

    def taken(frame):
        frames.append((time.monotonic(), frame))
        take(frame)

    live = LiveFrames(source, FORM, taken, ended.put, seconds)
    live.start()
    error = ended.get(timeout=30)
    live.stop()
    return frames, error, live.late


@pytest.fixture
def clip(tmp_path):
    with film(tmp_path / "clip.mp4", 20, (160, 120)) as write:
        for _, frame in zip(range(8), Source("pattern").frames(FORM)):
            write(frame.image)
    return Source("video", str(tmp_path / "clip.mp4"))


def test_a_file_takes_as_long_as_it_lasts(clip):
    began = time.monotonic()
    frames, error, late = handed_out(clip)
    assert error is None
    assert len(frames) + late == 8
    assert all(at - began >= frame.seconds for at, frame in frames)


def test_what_is_late_is_passed_over(clip):
    frames, error, late = handed_out(clip, take=lambda frame: time.sleep(0.12))
    assert error is None
    assert late >= 2 and len(frames) + late == 8
    numbers = [read_number(frame.image) for _, frame in frames]
    assert numbers == sorted(set(numbers))


def test_the_pattern_tells_its_age():
    frames, error, _ = handed_out(Source("pattern"), seconds=0.2)
    assert error is None and len(frames) >= 1
    assert 0 <= age_ms(read_number(frames[-1][1].image)) < 20_000
    assert age_ms((now_ms() + 5000) % 65536) is None  # from the future


def test_what_ends_a_source_is_told():
    frames, error, _ = handed_out(Source("video", "nowhere.mp4"))
    assert frames == [] and isinstance(error, VideoError)


def read_frame(answer):
    """The next JPEG file of a multipart answer, uint8[H, W, 3]."""
    size = 0
    while (line := answer.readline().strip()) or not size:
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    return np.asarray(Image.open(io.BytesIO(answer.read(size))))


def test_the_page_shows_each_new_frame():
    with FramePage() as page:
        assert page.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(page.address, timeout=10) as answer:
            text, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
        assert '<img src="frames"' in text and "http" not in text  # nothing from elsewhere
        assert policy.startswith("default-src 'none'")
        page.show(np.full((32, 48, 3), 50, np.uint8))
        with urllib.request.urlopen(page.address + "frames", timeout=10) as answer:
            assert read_frame(answer).mean() == pytest.approx(50, abs=2)
            threading.Timer(0.1, page.show, [np.full((32, 48, 3), 200, np.uint8)]).start()
            assert read_frame(answer).mean() == pytest.approx(200, abs=2)


@pytest.mark.parametrize("path", ["nothing", "../pyproject.toml", "frames/x"])
def test_the_page_has_nothing_else(path):
    with FramePage() as page, pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(page.address + path, timeout=10)


@pytest.mark.parametrize("path", ["", "frames"])
@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "192.168.1.7:{port}", "[::1]:{port}", ""]
)
def test_who_asks_by_another_name_is_refused(path, host):
    with FramePage() as page:
        page.show(np.zeros((16, 16, 3), np.uint8))
        port = page.address.rstrip("/").rpartition(":")[2]
        asked = urllib.request.Request(page.address + path, headers={"Host": host.format(port=port)})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(asked, timeout=10)
        mine = urllib.request.Request(page.address, headers={"Host": f"localhost:{port}"})
        with urllib.request.urlopen(mine, timeout=10) as answer:
            assert answer.status == 200


def test_a_page_for_all_addresses_is_asked_for_in_figures():
    with FramePage("0.0.0.0") as page:
        port = page.address.rstrip("/").rpartition(":")[2]
        for host, meant in (("192.168.1.7", True), ("localhost", True), ("evil.example", False), ("1.2.3", False)):
            assert page.is_meant(f"{host}:{port}") == meant
        assert not page.is_meant("192.168.1.7")


def test_a_page_that_was_told_a_name_is_asked_for_by_it():
    with FramePage("localhost") as page:
        port = page.address.rstrip("/").rpartition(":")[2]
        assert page.is_meant(f"LOCALHOST:{port}") and not page.is_meant(f"127.0.0.1:{port}")


def test_only_so_many_watch_at_a_time():
    with FramePage() as page:
        page.show(np.zeros((16, 16, 3), np.uint8))
        watching = [urllib.request.urlopen(page.address + "frames", timeout=10) for _ in range(8)]
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(page.address + "frames", timeout=10)
        for answer in watching:
            answer.close()


def test_a_page_that_cannot_be_served_is_said_in_a_line():
    with FramePage() as page, pytest.raises(VideoError, match="no page can be served at 127.0.0.1:"):
        FramePage("127.0.0.1", int(page.address.rstrip("/").rpartition(":")[2]))
