"""Training sees the very pixels that are sent, and says which images of a folder it cannot use."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from gr_jscc.datasets.cifar import HELD_OUT, read_cifar10
from gr_jscc.datasets.photos import DataError, image_files, read_photos
from gr_jscc.imaging import IMAGE_SUFFIXES, load_image
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import Recipe, RecipeError, load_recipe

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]

TINY = Recipe(
    model="tiny", codec="deepjscc", steps=2, batch=2, crop=32, warmup=1, precision="float32",
    network={
        "latents": 16, "fine": 8, "coarse": 8, "hidden": 8, "encoder_blocks": [1, 1], "decoder_blocks": [1, 1],
    },
    task={"rates": [8, 16]},
)  # fmt: skip


def noise(height=48, width=64, channels=3):
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


MADE = {
    "deep.tif": lambda path: Image.fromarray(np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)).save(
        path
    ),
    "half.webp": lambda path: Image.fromarray(noise(channels=4)).save(path, lossless=True),
    "left.jpeg": lambda path: Image.fromarray(noise()).save(path, exif=turned(8)),
    "mirrored.png": lambda path: Image.fromarray(noise()).save(path, exif=turned(5)),
    "palette.gif": lambda path: Image.fromarray(noise()).convert("P").save(path, transparency=3),
    "print.tiff": lambda path: Image.fromarray(noise(channels=4), "CMYK").save(path),
    "grey.pgm": lambda path: Image.fromarray(noise()[..., 0]).save(path),
    "camera.jfif": lambda path: Image.fromarray(noise()).save(path, format="JPEG"),
    "key.png": lambda path: Image.fromarray(noise()).save(path, transparency=tuple(noise()[0, 0].tolist())),
}


@pytest.mark.parametrize("name", MADE)
def test_training_sees_what_is_sent(tmp_path, name):
    MADE[name](tmp_path / name)
    (photo,) = read_photos([tmp_path])
    assert photo.dtype == torch.uint8 and torch.equal(
        photo, torch.from_numpy(load_image(tmp_path / name)).permute(2, 0, 1)
    )


def test_every_format_that_can_be_sent_is_trained_on(tmp_path):
    Image.init()
    known = [suffix for suffix in IMAGE_SUFFIXES if Image.registered_extensions().get(suffix) in Image.SAVE]
    assert len(known) >= 15
    for suffix in known:
        image = Image.fromarray(noise())
        image = image.convert({".pbm": "1", ".pgm": "L"}.get(suffix, "RGB"))
        image.save(tmp_path / f"a{suffix.upper()}", format=Image.registered_extensions()[suffix])
    assert len(read_photos([tmp_path])) == len(known)


def fill_with_rubbish(folder):
    """Two good photos among seven things that are none; their names."""
    Image.fromarray(noise()).save(folder / "good.png")
    (folder / "trip").mkdir()
    Image.fromarray(noise()).save(folder / "trip" / "fine.jpg")
    (folder / "folder.webp").mkdir()
    (folder / "trip" / "._fine.jpg").write_bytes(b"\0\5\26\7 Mac OS X")
    (folder / ".thumbnails").mkdir()
    Image.fromarray(noise(16, 16)).save(folder / ".thumbnails" / "thumb.png")
    whole = (folder / "trip" / "fine.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "page.png").write_text("<html>404 not found</html>")
    (folder / "empty.gif").touch()
    Image.fromarray(noise(24, 200)).save(folder / "strip.bmp")
    return "folder.webp", "._fine.jpg", "thumb.png", "cut.jpg", "page.png", "empty.gif", "strip.bmp"


def test_what_is_left_out_of_a_folder_is_counted_and_named_once(tmp_path):
    names = fill_with_rubbish(tmp_path)
    lines = []
    assert len(read_photos([tmp_path], 32, lines.append)) == 2
    (line,) = lines
    assert f"skipped {len(names)} of {len(names) + 2} training images" in line and "\n" not in line
    for name in names:
        assert line.count(f"{name} (") == 1, name
    assert "strip.bmp (200×24, below 32 pixels a side)" in line and "cut.jpg (damaged" in line


def test_a_run_goes_on_with_what_is_left_and_says_so(tmp_path):
    (tmp_path / "data").mkdir()
    fill_with_rubbish(tmp_path / "data")
    lines = []
    weights = train(TINY, [tmp_path / "data"], [tmp_path / "data"], tmp_path / "run", "cpu", say=lines.append)
    assert weights.is_file()
    assert [line.partition(":")[0] for line in lines] == [
        "skipped 7 of 9 training images",
        "skipped 6 of 9 validation images",  # the strip is no crop, but a picture
    ]


def test_many_are_counted_and_only_some_named(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "good.png")
    for i in range(40):
        (tmp_path / f"bad{i:02}.png").write_bytes(b"x")
    lines = []
    read_photos([tmp_path], 1, lines.append)
    assert "skipped 40 of 41" in lines[0] and "bad00.png" in lines[0] and lines[0].endswith("and 28 more")


@pytest.mark.parametrize("size", [(7, 200), (4, 4), (1, 1)])
def test_validation_pictures_below_the_stride_are_left_out_before_training(tmp_path, photos, size):
    (tmp_path / "small").mkdir()
    Image.fromarray(noise(*size)).save(tmp_path / "small" / "tiny.png")
    with pytest.raises(DataError, match=r"no usable validation images; skipped 1 of 1 .*tiny\.png") as told:
        train(TINY, [photos], [tmp_path / "small"], tmp_path / "run", "cpu")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run" / "log.jsonl").exists()  # nothing was begun
    Image.fromarray(noise()).save(tmp_path / "small" / "big.png")
    lines = []
    train(TINY, [photos], [tmp_path / "small"], tmp_path / "run", "cpu", say=lines.append)
    assert any("tiny.png" in line for line in lines)


def test_no_usable_training_image_is_one_line(tmp_path):
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(DataError, match="no usable training images; skipped 2 of 2"):
        train(TINY, [tmp_path], [], tmp_path / "run", "cpu")
    with pytest.raises(DataError, match="data folder not found"):
        image_files([tmp_path / "a.png"])


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("deepjscc-photo", {"crop": 30}, "crop of 30 pixels is not a multiple of deepjscc's 8"),
        ("ntscc-photo", {"crop": 24}, "not a multiple of ntscc's 16"),
        ("ntscc-photo", {"crop": 96, "task": {"distortion": "ms-ssim"}}, "MS-SSIM needs crops of at least 97"),
        ("ntscc-cifar", {"dataset": "photos", "task": {"distortion": "ms-ssim"}}, "MS-SSIM needs crops of at least 97"),
        ("successive-photo", {"crop": 100}, "not a multiple"),
    ],
)
def test_crops_that_suit_no_network_or_loss_are_told_before_training(tmp_path, photos, name, changed, message):
    recipe = dataclasses.replace(load_recipe(name), **changed)
    with pytest.raises(RecipeError, match=message):
        train(recipe, [photos], [], tmp_path / "run", "cpu")


# --- CIFAR-10 --------------------------------------------------------------------------------------------------------


def records(count):
    return np.random.default_rng(2).integers(0, 256, (count, 3073), np.uint8).tobytes()


def damaged_mask(folder):
    Image.fromarray(noise(800, 1280)).save(folder / "train_00.webp", lossless=True)
    file = io.BytesIO()
    np.savez(file, exact_train=np.ones(1000, bool))
    (folder / "labels_and_exact_mask.npz").write_bytes(file.getvalue()[:-40])


BROKEN = {
    "cut batch": (lambda folder: (folder / "data_batch_1.bin").write_bytes(records(2)[:-1]), "damaged"),
    "cut mosaic": (lambda folder: (folder / "train_00.webp").write_bytes(b"RIFF"), "damaged"),
    "mosaic of another size": (lambda folder: Image.new("RGB", (64, 64)).save(folder / "train_00.webp"), "damaged"),
    "cut mask": (damaged_mask, "damaged"),
    "too few": (
        lambda folder: (folder / "data_batch_1.bin").write_bytes(records(HELD_OUT)),
        "holds only 1000 pictures",
    ),
    "nothing": (lambda folder: (folder / "data_batch_1.bin").touch(), "CIFAR-10"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cifar_is_one_line(tmp_path, name):
    make, message = BROKEN[name]
    make(tmp_path)
    with pytest.raises(DataError, match=message) as told:
        read_cifar10([tmp_path], "train")
    assert "\n" not in str(told.value)
