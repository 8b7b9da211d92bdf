"""Which pictures a codec can send is known before any is sent; of a folder the others go on."""

import numpy as np
import pytest
from PIL import Image

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.sendable import sendable
from gr_jscc.imaging import ImageError
from gr_jscc.link.loading import Encoding, load_sending_codec

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

SIZES = [(1, 1), (3, 3), (8, 8), (9, 17), (17, 33), (64, 64)]
TINY = [(1, 1), (9, 17)]  # what takes long
WITH_HEADERS = [(40, 70), (240, 320)]


def save(folder, rng, **sizes):
    for name, size in sizes.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{name}.png")


def noise(rng, size):
    return rng.integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "cbr", "total"),
    [
        ("deepjscc", 1 / 48, False), ("deepjscc", 1 / 24, False), ("deepjscc", 1 / 16, True), ("hjscc", 1 / 24, False),
        ("hjscc-feedback", 1 / 24, False), ("ntscc", 1 / 96, False), ("ntscc", 1 / 12, True),
        ("successive-multiple", 1 / 12, False), ("successive-single", 1 / 24, False), ("separation", 1 / 24, False),
    ],
)  # fmt: skip
def test_the_check_says_what_sending_would(rng, name, cbr, total):
    """Nothing is passed that fails, and nothing refused that could be sent."""
    codec = load_sending_codec(Encoding(name, total=total))
    outcomes = set()
    for size in WITH_HEADERS if total else TINY if name.startswith("hjscc") else SIZES:
        image = noise(rng, size)
        try:
            codec.transmitter(cbr).start(image)
            expected = ""
        except CodecError as error:
            expected = str(error)
        try:
            codec.check_picture(image, cbr)
            found = ""
        except CodecError as error:
            found = str(error)
        assert found == expected, size
        outcomes.add(bool(found))
    assert outcomes == {True, False}  # both were met


def test_a_picture_of_much_detail_is_refused_where_a_plain_one_of_its_size_is_not(rng):
    codec = load_codec("separation")
    codec.check_picture(np.full((64, 64, 3), 90, np.uint8), 1 / 120)
    with pytest.raises(CodecError, match="a 64x64 picture needs more than CBR 0.008333"):
        codec.check_picture(np.kron(noise(rng, (16, 16)) // 128 * 255, np.ones((4, 4, 1), np.uint8)), 1 / 120)


@pytest.mark.parametrize("name", ["deepjscc", "ntscc", "hjscc", "successive-single", "separation"])
def test_what_cannot_be_sent_of_a_folder_is_left_out_and_named_once(tmp_path, rng, name):
    save(tmp_path, rng, a=(64, 96), b=(1, 1), c=(80, 64), d=(1, 200))
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    lines = []
    files = sendable([tmp_path], load_codec(name), 1 / 12, lines.append)
    (line,) = lines
    left_out = {"b.png", "cut.png"} | ({"d.png"} if "d.png" in line else set())  # HEVC can send a line of 200 pixels
    assert {path.name for path in files} == {"a.png", "b.png", "c.png", "d.png", "cut.png"} - left_out
    assert line.startswith(f"skipped {len(left_out)} of 5 images: ")
    assert all(line.count(f"{left} (") == 1 for left in left_out)
    assert "b.png (a 1x1 picture" in line and "cut.png (damaged" in line


def test_what_was_named_is_refused_before_anything_is_sent(tmp_path, rng):
    save(tmp_path, rng, a=(64, 96), b=(3, 3))
    (tmp_path / "bad.png").write_text("nothing")
    codec = load_codec("deepjscc")
    with pytest.raises(CodecError, match=r"^b\.png: a 3x3 picture is too small"):
        sendable([tmp_path / "a.png", tmp_path / "b.png"], codec, 1 / 12, print)
    with pytest.raises(ImageError, match="not an image"):
        sendable([tmp_path / "bad.png"], codec, 1 / 12, print)
    with pytest.raises(CodecError, match="supports a CBR from"):
        sendable([tmp_path], codec, 1 / 2, print)
    (tmp_path / "a.png").unlink()
    with pytest.raises(CodecError, match=r"nothing to send: skipped 2 of 2 images: b\.png .*, bad\.png") as told:
        sendable([tmp_path], codec, 1 / 12, print)
    assert "\n" not in str(told.value)
