"""Frames: their form, their rate, the pattern and its number, films that are whole or not there."""

import itertools

import numpy as np
import pytest
from PIL import Image

from gr_jscc.errors import UserError
from gr_jscc.video.film import film
from gr_jscc.video.frames import Crop, FrameForm, VideoError, at_most, at_rate, parse_crop, parse_size
from gr_jscc.video.pattern import WanderingCamera, read_number
from gr_jscc.video.sources import Source


def gradient(width, height):
    """uint8[height, width, 3] whose red is the column and whose green is the row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    return image


def test_the_middle_is_taken_unless_a_crop_is_given():
    middle = FrameForm(width=80, height=60).fit(gradient(200, 60))
    assert middle.shape == (60, 80, 3)
    assert np.array_equal(middle, gradient(200, 60)[:, 60:140])
    cropped = FrameForm(width=80, height=60, crop=Crop(80, 60, 7, 9)).fit(gradient(200, 100))
    assert np.array_equal(cropped, gradient(200, 100)[9:69, 7:87])
    assert FrameForm(width=64, height=48).fit(gradient(200, 100)).shape == (48, 64, 3)


def test_a_crop_outside_of_the_picture_is_refused():
    with pytest.raises(VideoError, match=r"80x60\+150\+0 lies outside of a 200x100 picture"):
        FrameForm(crop=Crop(80, 60, 150, 0)).fit(gradient(200, 100))


@pytest.mark.parametrize("text", ["320", "320x", "x240", "320x240+1", "-320x240", "320.5x240"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(VideoError, match="WIDTHxHEIGHT"):
        parse_size(text)


@pytest.mark.parametrize("text", ["640x480", "640x480+1", "0x480+1+1", "640x480-1+1"])
def test_what_is_no_crop_is_refused(text):
    with pytest.raises(VideoError, match=r"WIDTHxHEIGHT\+LEFT\+TOP"):
        parse_crop(text)


@pytest.mark.parametrize("values", [{"fps": 0}, {"fps": float("nan")}, {"width": 8}, {"height": 9000}])
def test_a_form_that_cannot_be_is_refused(values):
    with pytest.raises(VideoError):
        FrameForm(**values)


def test_frames_are_repeated_and_left_out_to_keep_the_rate():
    slow = [(5.0, "a"), (5.25, "b"), (5.5, "c")]
    assert list(at_rate(slow, 8)) == [(0, "a"), (0.125, "a"), (0.25, "b"), (0.375, "b"), (0.5, "c")]
    fast = [(number / 30, number) for number in range(31)]
    assert [item for _, item in at_rate(fast, 10)] == list(range(0, 31, 3))
    assert list(at_rate([], 10)) == []
    assert list(at_rate([(3.0, "only")], 10)) == [(0, "only")]


def test_live_frames_are_never_repeated():
    assert [item for _, item in at_most(((number / 30, number) for number in range(31)), 10)] == list(range(0, 31, 3))
    late = [(0, "a"), (0.4, "b"), (0.41, "c"), (0.55, "d")]
    assert [item for _, item in at_most(late, 10)] == ["a", "b", "c", "d"][:2] + ["c", "d"]


def test_the_pattern_moves_and_begins_where_its_seed_says():
    first, later, other = (
        WanderingCamera(160, 120, seed).frame(seconds, 0) for seed, seconds in ((1, 0.0), (1, 0.5), (2, 0.0))
    )
    assert np.array_equal(first, WanderingCamera(160, 120, 1).frame(0.0, 0))
    assert np.abs(first.astype(int) - later).mean() > 2
    assert np.abs(first.astype(int) - other).mean() > 2


@pytest.mark.parametrize("width, height", [(160, 120), (320, 240), (641, 480)])
def test_the_number_is_read_where_it_is_and_only_there(width, height):
    camera = WanderingCamera(width, height)
    for number in (0, 1, 255, 4711, 65535):
        image = camera.frame(0.0, number)
        assert read_number(image) == number
        rng = np.random.default_rng(number)
        noisy = np.clip(image + rng.normal(0, 60, image.shape), 0, 255).astype(np.uint8)
        assert read_number(noisy) == number
    assert read_number(camera.frame(0.0, 3)[::-1]) is None
    assert read_number(np.full((height, width, 3), 128, np.uint8)) is None
    assert read_number(np.zeros((4, 4, 3), np.uint8)) is None


def frames(count, form):
    return [frame.image for frame in itertools.islice(Source("pattern").frames(form), count)]


def test_a_film_shows_its_frames_in_time(tmp_path):
    form = FrameForm(fps=5, width=160, height=120)
    with film(tmp_path / "film.mp4", 5, (160, 120)) as write:
        for image in frames(6, form):
            write(image)
    with film(tmp_path / "film.webp", 5, (160, 120)) as write:
        for image in frames(6, form):
            write(image)
    shown = list(Source("video", str(tmp_path / "film.mp4")).frames(form))
    assert [read_number(frame.image) for frame in shown] == list(range(6))
    assert [frame.seconds for frame in shown] == pytest.approx([number / 5 for number in range(6)])
    with Image.open(tmp_path / "film.webp") as animation:
        assert (animation.n_frames, animation.size, animation.info["loop"]) == (6, (160, 120), 0)
        animation.seek(4)
        assert read_number(np.asarray(animation.convert("RGB"))) == 4
        assert animation.info["duration"] == 200


@pytest.mark.parametrize("name", ["film.mp4", "film.webp"])
def test_a_film_that_is_interrupted_leaves_nothing(tmp_path, name):
    with pytest.raises(KeyboardInterrupt), film(tmp_path / name, 5, (160, 120)) as write:
        write(frames(1, FrameForm(width=160, height=120))[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, quality", [("film.avi", 75), ("film", 75), ("film.mp4", 101), (".", 75)])
def test_a_film_that_cannot_be_is_refused_at_once(tmp_path, name, quality):
    with pytest.raises(UserError), film(tmp_path / name, 5, (160, 120), quality):
        pass
    assert list(tmp_path.iterdir()) == []
