"""Images in: every kind is sent right or refused with one line. Images out: whole or not at all."""

import os
import stat
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from gr_jscc.imaging import MAX_SIDE, ImageError, expand_inputs, load_image, save_image

pytestmark = pytest.mark.timeout(60)


def picture(height=24, width=40):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x * 7 + y * 13) % 256], axis=-1).astype(np.uint8)


def refused(path, *words):
    with pytest.raises(ImageError) as caught:
        load_image(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    for word in words:
        assert word in message
    return message


def png(width, height, bits=8, colour=2, rows=b"", key=b""):
    """A PNG written by hand, for headers that Pillow would not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + (chunk(b"tRNS", key) if key else b"")
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_lossless_formats_arrive_exactly(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture()).save(path)
    loaded = load_image(path)
    assert loaded.dtype == np.uint8 and loaded.flags.c_contiguous and loaded.flags.writeable
    np.testing.assert_array_equal(loaded, picture())


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    flat = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    Image.fromarray(flat).save(path, quality=95)
    assert np.abs(load_image(path).astype(int) - flat).max() <= 4


def test_the_name_does_not_decide_the_format(tmp_path):
    path = tmp_path / "really-a-bmp.png"
    Image.fromarray(picture()).save(path, format="BMP")
    np.testing.assert_array_equal(load_image(str(path)), picture())


def test_missing_folder_empty_text(tmp_path):
    refused(tmp_path / "missing.png", "no such file")
    refused(tmp_path, "folder")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "empty")
    (tmp_path / "text.png").write_text("this is not a picture\n" * 20)
    refused(tmp_path / "text.png", "not an image")


def test_name_with_a_null_byte():
    with pytest.raises(ImageError, match="null (byte|character)"):
        load_image("a\0b.png")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path):
    path = tmp_path / "secret.png"
    Image.fromarray(picture()).save(path)
    path.chmod(0)
    refused(path, "cannot be read")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "gif", "ppm"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9])
def test_truncated(tmp_path, suffix, keep):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * keep))])
    refused(path)


def test_a_flipped_byte_is_refused_or_survived_but_never_crashes(tmp_path):
    rng = np.random.default_rng(2)
    for suffix in ("png", "jpg", "tif", "gif"):
        whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"hurt.{suffix}"
        Image.fromarray(picture()).save(whole)
        for _ in range(40):
            data = bytearray(whole.read_bytes())
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            try:
                loaded = load_image(path)
            except ImageError as error:
                assert "\n" not in str(error) and path.name in str(error)
            else:
                assert loaded.dtype == np.uint8 and loaded.ndim == 3 and loaded.shape[2] == 3


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "dot.png")
    np.testing.assert_array_equal(load_image(tmp_path / "dot.png"), [[[10, 20, 30]]])


@pytest.mark.parametrize(("width", "height"), [(30000, 30000), (10000, 10000), (8001, 8000), (MAX_SIDE + 1, 1)])
def test_too_large_is_refused_from_the_header(tmp_path, width, height):
    path = tmp_path / "huge.png"
    path.write_bytes(png(width, height))  # no pixels follow: decoding would fail otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, "too large", "64 megapixels")


def test_longest_side_works(tmp_path):
    Image.new("RGB", (MAX_SIDE, 1)).save(tmp_path / "long.png")
    assert load_image(tmp_path / "long.png").shape == (1, MAX_SIDE, 3)


def test_grey_and_black_and_white(tmp_path):
    grey = picture()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(load_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=-1))
    Image.fromarray(grey).convert("1").save(tmp_path / "bw.png")
    assert set(np.unique(load_image(tmp_path / "bw.png"))) == {0, 255}


def test_palette(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(load_image(tmp_path / "palette.png"), [[[255, 0, 0], [0, 0, 255]]])
    image.save(tmp_path / "clear.png", transparency=1)  # the second colour is transparent: white shows
    np.testing.assert_array_equal(load_image(tmp_path / "clear.png"), [[[255, 0, 0], [255, 255, 255]]])


def test_transparency_is_laid_on_white(tmp_path):
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 128)]):
        image.putpixel((x, 0), colour)
    image.save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(load_image(tmp_path / "rgba.png"), [[[200, 0, 0], [255] * 3, [127] * 3]])
    image = Image.new("LA", (2, 1))
    image.putpixel((0, 0), (80, 255))
    image.save(tmp_path / "la.png")
    np.testing.assert_array_equal(load_image(tmp_path / "la.png"), [[[80] * 3, [255] * 3]])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("key", [0, 1, -1])
def test_a_transparent_grey_is_white_at_every_depth(tmp_path, bits, key):
    """Of all values, or 256 of them, the key alone is white; in 16 bits its neighbours are not."""
    values = np.arange(2 ** min(bits, 8)) if bits < 16 else 40_000 + np.arange(256)
    key = int(values[key])
    packed = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, -bits:].reshape(-1)
    rows = b"\0" + np.packbits(packed).tobytes()
    path = tmp_path / "key.png"
    path.write_bytes(png(len(values), 1, bits, 0, rows, struct.pack(">H", key)))
    expected = np.where(values == key, 255, (values * 255 / (2**bits - 1)).round())
    assert np.abs(load_image(path)[0, :, 0] - expected).max() <= 0
    path.write_bytes(png(len(values), 1, bits, 0, rows))
    assert np.abs(load_image(path)[0, :, 0] - (values * 255 / (2**bits - 1)).round()).max() <= 0


def test_a_transparent_colour_of_sixteen_bits_is_no_other_than_it(tmp_path):
    colours = np.array([[1000, 2000, 3000], [1000, 2000, 3001], [1001, 2000, 3000], [60_000, 50_000, 40_000]], ">u2")
    path = tmp_path / "key.png"
    path.write_bytes(png(4, 1, 16, 2, b"\0" + colours.tobytes(), colours[0].tobytes()))
    loaded = load_image(path)[0]
    assert (loaded[0] == 255).all()
    assert np.abs(loaded[1:] - colours[1:].astype(float) / 257).max() <= 1


def test_a_transparent_colour_turns_with_its_picture(tmp_path):
    """Two readings of one file must lie on each other: 16 bits, a colour key and EXIF."""
    deep = np.random.default_rng(3).integers(0, 2, (2, 3, 3)).astype(">u2") * 257 + 5
    deep[0, 0] = (700, 800, 900)
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    path = tmp_path / "turned.png"
    data = png(3, 2, 16, 2, rows, deep[0, 0].tobytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    place = data.index(b"IDAT") - 4
    path.write_bytes(data[:place] + chunk + data[place:])
    loaded = load_image(path)
    assert loaded.shape == (3, 2, 3) and (loaded[0, 1] == 255).all() and (loaded.max(axis=2) == 255).sum() == 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled(tmp_path, suffix):
    path = tmp_path / f"deep.{suffix}"
    grey = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    Image.fromarray(grey).save(path)
    expected = np.array([[0, 0, 1, 1, 128, 255]], np.uint8)
    np.testing.assert_array_equal(load_image(path), np.repeat(expected[..., None], 3, axis=-1))


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_png_of_every_colour_type(tmp_path, colour, channels):
    opaque = [65535] if colour in (4, 6) else []
    grey = channels - len(opaque) == 1
    values = [40000] if grey else [0, 40000, 65535]
    rows = b"\0" + struct.pack(f">{channels}H", *values, *opaque)
    path = tmp_path / "deep.png"
    path.write_bytes(png(1, 1, bits=16, colour=colour, rows=rows))
    expected = np.array(values * (3 if grey else 1)) / 257
    assert np.abs(load_image(path)[0, 0] - expected).max() <= 1


def test_floating_point_and_32_bit_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    refused(tmp_path / "float.tif", "floating-point")
    Image.fromarray(np.full((4, 4), 1_000_000, np.int32)).save(tmp_path / "deep.tif")
    refused(tmp_path / "deep.tif", "32-bit")


def test_cmyk(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(load_image(tmp_path / "cmyk.tif")[0, 0], [255, 0, 0])
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(load_image(tmp_path / "cmyk.jpg")[8, 8].astype(int) - [255, 0, 0]).max() <= 8


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_exif_rotation(tmp_path, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(load_image(tmp_path / "turned.png"), turned(picture()))


def test_unreadable_exif_does_not_cost_the_image(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "odd.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff rubbish")
    assert load_image(tmp_path / "odd.jpg").shape == (24, 40, 3)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "anim.gif", save_all=True, append_images=frames[1:], duration=50)
    np.testing.assert_array_equal(load_image(tmp_path / "anim.gif")[0, 0], [255, 0, 0])


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "tif", "ppm"])
def test_saved_images_come_back(tmp_path, suffix):
    path = tmp_path / "new" / "folder" / f"a.{suffix}"
    save_image(path, picture()[:, ::-1])  # not contiguous
    np.testing.assert_array_equal(load_image(path), picture()[:, ::-1])
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    save_image(path, picture())

    def broken(self, file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(ImageError, match="No space left") as caught:
        save_image(path, picture() // 2)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(load_image(path), picture())


def test_an_interrupted_save_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(self, file, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_image(tmp_path / "a.png", picture())
    assert os.listdir(tmp_path) == []


def test_save_refuses_what_it_cannot_write(tmp_path):
    for path in (tmp_path / "a.xyz", tmp_path / "a", tmp_path / "a.pdf"):
        with pytest.raises(ImageError, match="unknown image format"):
            save_image(path, picture())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match="folder"):
        save_image(tmp_path / "folder.png", picture())
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot be written"):
        save_image(tmp_path / "file" / "a.png", picture())
    for array in (picture().astype(float), picture()[..., 0], picture()[:0]):
        with pytest.raises(ImageError, match="can only save"):
            save_image(tmp_path / "a.png", array)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_expand_inputs(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "c.webp", "notes.txt", ".hidden.png"):
        (folder / name).write_bytes(b"x")
    (folder / "inner.png").mkdir()  # for whoever reads it to name
    single = tmp_path / "picture.dat"
    single.write_bytes(b"x")
    inside = ["a.JPG", "b.png", "c.webp", "inner.png"]
    assert expand_inputs([single, str(folder)]) == [single, *(folder / name for name in inside)]


def test_expand_inputs_refuses(tmp_path):
    with pytest.raises(ImageError, match="no image given"):
        expand_inputs([])
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        expand_inputs([tmp_path / "gone.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="empty: no images in this folder"):
        expand_inputs([tmp_path / "empty"])
