"""Experiments: what they may say, and the cells that follow from it."""

import dataclasses
import json

import numpy as np
import pytest

from gr_jscc.codecs.base import CodecError
from gr_jscc.errors import UserError
from gr_jscc.imaging import save_image
from gr_jscc.modem import numerology
from gr_jscc.sweeps.cells import make_plan
from gr_jscc.sweeps.experiment import ExperimentError, load_experiment, parse_experiment, shipped_experiments

pytestmark = pytest.mark.timeout(30)

SMALL = {
    "name": "small",
    "title": "Small",
    "snr_db": [0, 10],
    "cbr": ["1/24", "1/12"],
    "images": [{"name": "demo", "kind": "demo", "crop": 64}],
    "schemes": [{"label": "A", "codec": "one", "weights": "w{snr_db}dB"}],
}


class StubCodec:
    """Known by its weights."""

    ideal_only = False

    def __init__(self, weights):
        self.weights_hash = f"{weights}......".encode()[:4]

    def use_map(self, image, cbr):
        return None

    def check_size(self, height, width, cbr):
        if cbr * height * width < 20:
            raise CodecError(f"a {width}x{height} picture is too small")


def load(codec, weights=None, device="cpu"):
    if codec == "absent":
        raise CodecError("unknown codec 'absent'")
    return StubCodec(weights)


def plan_of(changes=(), data=None):
    return make_plan(parse_experiment({**SMALL, **dict(changes)}, "here"), data, load)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"speed": 1}, "unknown key speed"),
        ({"cbr": []}, "cbr: "),
        ({"cbr": ["1/0"]}, "cbr.0: "),
        ({"cbr": ["3/2"]}, "cbr.0: "),
        ({"snr_db": ["loud"]}, "snr_db.0: "),
        ({"channels": ["moon"]}, "channels.0: must be one of awgn, multipath"),
        ({"modes": ["telepathy"]}, "modes.0: "),
        ({"numerology": "65"}, "numerology: numerology not found: 65 (shipped: 64, 64-cp8, "),
        ({"numerology": {"fft_size": 64, "pilots": [1]}}, "unknown key numerology.pilots"),
        ({"numerology": {"fft_size": 64, "used": 51}}, "numerology: numerology: used must be an even number"),
        ({"burst_symbols": 0}, "burst_symbols: "),
        ({"anchor": "B"}, "anchor 'B' is not one of the schemes: A"),
        ({"schemes": SMALL["schemes"] * 2}, "two schemes of the same name"),
        ({"schemes": [{"label": "A"}]}, "schemes.0.codec is missing"),
        *(
            ({"schemes": [{"label": "A", "codec": "one", "weights": text}]}, "schemes.0.weights: may contain {snr_db}")
            for text in ("{cbr}", "{snr_db:g}", "{snr_db:999999999999}", "{snr_db.real}", "{", "{0}")
        ),
        (
            {"schemes": [{"label": "A", "codec": "one", "images": ["moon"]}]},
            "'moon' is not one of the image sets: demo",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_the_place(changes, told):
    with pytest.raises(ExperimentError) as caught:
        parse_experiment({**SMALL, **changes}, "here")
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_experiments(tmp_path):
    with pytest.raises(ExperimentError, match="not found: moon .shipped: .*quick"):
        load_experiment("moon")
    (tmp_path / "a.toml").write_text("title = ")
    with pytest.raises(ExperimentError, match="not a TOML file"):
        load_experiment(tmp_path / "a.toml")


@pytest.mark.parametrize("name", list(shipped_experiments()))
def test_what_ships_can_be_read(name):
    assert load_experiment(name).name == name


def test_cells_are_every_combination():
    plan = plan_of({"seeds": [1, 2], "modes": ["ideal", "flowgraph"]})
    cells = [planned.cell for planned in plan.cells]
    assert len(cells) == len({cell.key for cell in cells}) == 2 * 2 * 2 * 2
    assert {(cell.snr_db, cell.weights) for cell in cells} == {(0.0, "w0dB"), (10.0, "w10dB")}
    assert {cell.cbr for cell in cells} == {1 / 24, 1 / 12}


def test_pictures_that_cannot_be_sent_are_left_out_and_named_once(tmp_path, rng):
    for name, size in (("large", (40, 40)), ("small", (16, 24)), ("tiny", (4, 4))):
        save_image(tmp_path / "mine" / f"{name}.png", rng.integers(0, 256, (*size, 3), np.uint8))
    plan = plan_of({"images": [{"name": "mine"}], "seeds": [1, 2, 3]}, tmp_path)
    sent = {(p.cell.image, p.cell.cbr) for p in plan.cells}
    assert sent == {("large.png", 1 / 24), ("large.png", 1 / 12), ("small.png", 1 / 12)}
    assert plan.remarks == [
        "A at CBR 0.04167: skipped 2 of 3 images: "
        "small.png (a 24x16 picture is too small), tiny.png (a 4x4 picture is too small)",
        "A at CBR 0.08333: skipped 1 of 3 images: tiny.png (a 4x4 picture is too small)",
    ]  # fmt: skip


def test_pictures_that_cannot_be_read_or_cropped_are_left_out_and_named(tmp_path, rng):
    for name, size in (("good", (70, 90)), ("narrow", (300, 60))):
        save_image(tmp_path / "mine" / f"{name}.png", rng.integers(0, 256, (*size, 3), np.uint8))
    (tmp_path / "mine" / "cut.png").write_bytes((tmp_path / "mine" / "good.png").read_bytes()[:200])
    (tmp_path / "mine" / "page.jpg").write_text("<html>")
    plan = plan_of({"images": [{"name": "mine", "crop": 64}]}, tmp_path)
    assert {p.cell.image for p in plan.cells} == {"good.png"}
    (line,) = plan.remarks
    assert line.startswith("image set 'mine': skipped 3 of 4 images: cut.png (damaged")
    assert "narrow.png (60x300 is too small for crops of 64 pixels)" in line and "page.jpg (not an image" in line
    (tmp_path / "mine" / "good.png").unlink()
    with pytest.raises(UserError, match="image set 'mine': skipped 3 of 3"):
        plan_of({"images": [{"name": "mine", "crop": 64}]}, tmp_path)


def test_a_scheme_may_have_conditions_of_its_own():
    schemes = [*SMALL["schemes"], {"label": "B", "codec": "two", "cbr": ["1/6"], "snr_db": [5]}]
    plan = plan_of({"schemes": schemes})
    assert [(p.cell.snr_db, p.cell.cbr) for p in plan.cells if p.scheme == "B"] == [(5, 1 / 6)]
    assert sum(p.scheme == "A" for p in plan.cells) == 4


def test_a_numerology_is_in_the_experiment_with_all_its_carriers(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("fft_size = 128\ncp_len = 12\nused = 100\n")
    schemes = [*SMALL["schemes"], {"label": "B", "codec": "one", "numerology": "256", "burst_symbols": 500}]
    values = {**SMALL, "numerology": "mine.toml", "burst_symbols": 600, "schemes": schemes}
    experiment = parse_experiment(values, "here", tmp_path)
    path.unlink()
    stored = json.loads(json.dumps(experiment.model_dump(mode="json")))  # as a store keeps it
    cells = [planned.cell for planned in make_plan(parse_experiment(stored, "store"), None, load).cells]
    assert {(cell.weights[:1], cell.numerology, cell.burst_symbols) for cell in cells} == {
        ("w", numerology(128, 12, 100), 600),
        ("", numerology(256), 500),
    }
    usual = plan_of().cells[0].cell
    others = [
        dataclasses.replace(usual, **change)
        for change in ({"numerology": numerology(256)}, {"burst_symbols": 500}, {"numerology": numerology(64, 8)})
    ]
    assert len({cell.key for cell in (usual, *others)}) == 4
    named = plan_of({"numerology": "64", "burst_symbols": 2400}.items()).cells[0].cell
    assert named.key == usual.key  # which it had before there was a choice


def test_a_cell_is_known_by_its_content_and_not_by_names(tmp_path, rng):
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    for name in ("a", "b"):
        save_image(tmp_path / "demo" / f"{name}.png", picture)
    one, other = plan_of({"images": [{"name": "demo"}], "snr_db": [10], "cbr": [0.1]}, tmp_path).cells
    assert one.cell.image != other.cell.image and one.cell.key == other.cell.key
    for change in (
        {"weights_hash": "ff"}, {"image_hash": "ff"}, {"snr_db": 9.0}, {"cbr": 0.2}, {"channel": "multipath"},
        {"mode": "flowgraph"}, {"seed": 2}, {"codec": "two"},
    ):  # fmt: skip
        changed = dataclasses.replace(one.cell, **change)
        assert changed.key != one.cell.key and changed.noise_seed != one.cell.noise_seed
    assert dataclasses.replace(one.cell, weights="renamed").key == one.cell.key


def test_the_same_pictures_are_chosen_every_time(tmp_path, rng):
    for number in range(7):
        save_image(tmp_path / "demo" / f"{number}.png", rng.integers(0, 256, (40, 50, 3), np.uint8))
    images = [{"name": "demo", "count": 3, "crop": 32}]
    plan = plan_of({"images": images, "snr_db": [10], "cbr": [0.1]}, tmp_path)
    assert [p.cell.image for p in plan.cells] == ["0.png", "2.png", "4.png"]
    assert plan.cells[0].picture.read().shape == (32, 32, 3)


def test_pictures_can_be_named(tmp_path, rng):
    for name in ("a/0.png", "a/1.png", "b/0.png"):
        save_image(tmp_path / "demo" / name, rng.integers(0, 256, (40, 50, 3), np.uint8))
    images = [{"name": "demo", "pictures": ["b/0.png", "a/1.png"], "crop": 32}]
    plan = plan_of({"images": images, "snr_db": [10], "cbr": [0.1]}, tmp_path)
    assert [p.cell.image for p in plan.cells] == ["0.png", "1.png"]
    with pytest.raises(UserError, match="demo/b/2.png"):
        plan_of({"images": [{"name": "demo", "pictures": ["b/2.png"]}]}, tmp_path)
    with pytest.raises(ExperimentError, match="pictures can be named for photos only, and this is cifar10"):
        plan_of({"images": [{"name": "demo", "kind": "cifar10", "pictures": ["b/0.png"]}]}, tmp_path)
    with pytest.raises(ExperimentError, match="two pictures of the same name"):
        plan_of({"images": [{"name": "demo", "pictures": ["b/0.png", "a/0.png"]}]}, tmp_path)


def test_what_is_optional_is_left_out_with_a_line_and_what_is_not_is_an_error(tmp_path):
    schemes = [*SMALL["schemes"], {"label": "B", "codec": "absent", "optional": True}]
    images = [*SMALL["images"], {"name": "moon", "optional": True}]
    plan = plan_of({"schemes": schemes, "images": images}, tmp_path)
    assert {p.scheme for p in plan.cells} == {"A"} and {p.images for p in plan.cells} == {"demo"}
    assert len(plan.remarks) == 2 and "B" in plan.remarks[1] and "moon" in plan.remarks[0]
    with pytest.raises(CodecError):
        plan_of({"schemes": [{"label": "B", "codec": "absent"}]})
    with pytest.raises(ExperimentError, match="folder not found"):
        plan_of({"images": [{"name": "moon"}]}, tmp_path)
    with pytest.raises(ExperimentError, match="nothing to measure"):
        plan_of({"schemes": schemes[1:]})


def test_a_bound_is_not_sent(monkeypatch):
    monkeypatch.setattr(StubCodec, "ideal_only", True)
    assert plan_of().cells
    with pytest.raises(ExperimentError, match="'A' cannot be sent"):
        plan_of({"modes": ["flowgraph"]})


def test_strips_say_which_pictures_are_kept():
    plan = plan_of({"strips": [{"images": "demo", "image": "demo.png", "cbr": "1/12"}], "seeds": [1, 2]})
    assert [(p.cell.snr_db, p.cell.cbr, p.cell.seed) for p in plan.cells if p.shown] == [(0.0, 1 / 12, 1)]
    assert plan.remarks == []


@pytest.mark.parametrize("change", [{"image": "nosuch.png"}, {"snr_db": 3}, {"cbr": "1/6"}])
def test_a_strip_of_what_is_not_measured_is_told(change):
    strip = {"images": "demo", "image": "demo.png"} | change
    (line,) = plan_of({"strips": [strip]}).remarks
    assert line.startswith(f"no strip of {strip['image']}: not measured in 'demo' at ")


def test_pictures_too_small_for_ms_ssim_are_counted_where_it_is_asked_for(tmp_path, rng):
    for name, size in (("large", (161, 170)), ("low", (160, 300)), ("narrow", (300, 48))):
        save_image(tmp_path / "mine" / f"{name}.png", rng.integers(0, 256, (*size, 3), np.uint8))
    changes = {"images": [{"name": "mine"}, *SMALL["images"]], "metrics": ["psnr_db", "ms_ssim_db"]}
    assert plan_of(changes, tmp_path).remarks == [
        "image set 'mine': no MS-SSIM for 2 of 3 pictures: it needs sides over 160 pixels",
        "image set 'demo': no MS-SSIM for 1 of 1 pictures: it needs sides over 160 pixels",
    ]
    assert plan_of(changes | {"metrics": ["psnr_db"]}, tmp_path).remarks == []
