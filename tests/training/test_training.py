"""Training: recipes are checked, data are drawn reproducibly, a stopped run goes on where it was."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gr_jscc.codecs.registry import load_codec
from gr_jscc.datasets.photos import DataError, RandomCrops, read_photos
from gr_jscc.training.checkpoint import CheckpointError, checkpoints, load_checkpoint, save_checkpoint
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import FOLDER, Recipe, RecipeError, load_recipe
from gr_jscc.training.schedule import TimeAllowed, learning_rate
from gr_jscc.training.tasks import task_of

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]
ROOT = Path(__file__).parents[2]

TINY = Recipe(
    model="tiny", codec="deepjscc", steps=6, batch=4, crop=32, warmup=2, checkpoint_every=3, validate_every=3,
    precision="float32", network={"latents": 16, "fine": 8, "coarse": 8, "hidden": 8},
    task={"rates": [4, 8, 16]},
)  # fmt: skip


@pytest.fixture
def photos(tmp_path, photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(photo[i * 100 : i * 100 + 90, :120]).save(folder / f"{i}.png")
    return folder


def test_shipped_recipes_are_sound():
    names = [path.stem for path in FOLDER.glob("*.toml")]
    assert "deepjscc-photo" in names
    for name in names:
        recipe = load_recipe(name)
        task_of(recipe).build(recipe.network)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("codec = 'deepjscc'", "model is missing"),
        ("model = 'a'\ncodec = 'deepjscc'\nstepz = 3", "unknown key 'stepz'"),
        ("model = 'a'\ncodec = 'deepjscc'\nsteps = 'many'", "steps must be int"),
        ("model = ", "not a TOML file"),
    ],
)
def test_a_bad_recipe_is_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_unknown_recipe_codec_and_option():
    with pytest.raises(RecipeError, match="recipe not found"):
        load_recipe("nosuch")
    with pytest.raises(RecipeError, match="cannot be trained"):
        task_of(dataclasses.replace(TINY, codec="nosuch"))
    with pytest.raises(RecipeError, match="task"):
        task_of(dataclasses.replace(TINY, task={"nosuch": 1}))


def test_crops_are_the_same_wherever_they_are_drawn(photos):
    pictures = read_photos([photos])
    first, again = (RandomCrops(pictures, 32, 100, 7) for _ in range(2))
    other = RandomCrops(pictures, 32, 100, 8)
    for i in (0, 5, 99):
        assert first[i].shape == (3, 32, 32) and 0 <= first[i].min() and first[i].max() <= 1
        assert torch.equal(first[i], again[i]) and not torch.equal(first[i], other[i])


def test_enlarged_crops_are_smoother(photos):
    pictures = read_photos([photos])

    def roughness(enlarged):
        crops = RandomCrops(pictures, 32, 100, 7, enlarged)
        return torch.stack([(crops[i][:, 1:] - crops[i][:, :-1]).square().mean() for i in range(100)]).median()

    never, always = roughness(0.0), roughness(1.0)
    assert always < 0.6 * never
    some = RandomCrops(pictures, 32, 100, 7, 0.3)
    assert all(some[i].shape == (3, 32, 32) and 0 <= some[i].min() and some[i].max() <= 1 for i in range(20))
    with pytest.raises(RecipeError, match="enlarged must be from 0 to 1, with photos, not 0.3"):
        dataclasses.replace(TINY, dataset="cifar10", enlarged=0.3)


def test_unusable_data_is_told(tmp_path, photos):
    (tmp_path / "empty").mkdir()
    for folder, smallest, message in (("none", 0, "not found"), ("empty", 0, "no images"), ("photos", 500, "500 pix")):
        with pytest.raises(DataError, match=message):
            read_photos([tmp_path / folder], smallest)


def test_the_learning_rate_warms_up_and_falls():
    recipe = dataclasses.replace(TINY, steps=100, warmup=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(0.1)
    assert (np.diff(rates[10:]) <= 0).all()


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, photos):
    whole = train(TINY, [photos], [photos], tmp_path / "whole", "cpu")
    train(TINY, [photos], [photos], tmp_path / "parts", "cpu", allowed=TimeAllowed(0))  # one step, then a checkpoint
    parts = train(TINY, [photos], [photos], tmp_path / "parts", "cpu")
    one, other = load_file(str(whole)), load_file(str(parts))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.allclose(value.float(), other[name].float(), atol=1e-3), name
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert any("psnr_db/snr10_rate8" in line for line in lines)
    assert (tmp_path / "whole" / "tensorboard").is_dir()
    codec = load_codec("deepjscc", whole)
    payload = codec.transmitter(1 / 24).start(np.full((40, 40, 3), 99, np.uint8))
    assert np.isfinite(payload.symbols).all()


def test_training_improves_on_the_linear_code(tmp_path, photos):
    network = {"latents": 16, "fine": 16, "coarse": 32, "hidden": 16}
    recipe = dataclasses.replace(
        TINY, network=network, steps=300, batch=8, learning_rate=2e-3, validate_every=300, checkpoint_every=300
    )
    task = task_of(recipe)
    held_out = read_photos([photos])
    network = task.build(recipe.network)
    crops = RandomCrops(held_out, 32, 256, 2)
    task.prepare(network, torch.stack([crops[i] for i in range(256)]))
    before = task.validate(network, held_out)["psnr_db/snr10_rate8"]
    train(recipe, [photos], [photos], tmp_path / "run", "cpu")
    after = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert max(line.get("psnr_db/snr10_rate8", 0) for line in after) > before + 0.3


def test_two_processes_train_one_model(tmp_path, photos):
    """``torchrun``, from a plain checkout, on the CPU."""
    recipe = tmp_path / "two.toml"
    recipe.write_text(
        "model = 'two'\ncodec = 'deepjscc'\nsteps = 2\nbatch = 4\ncrop = 32\nprecision = 'float32'\n"
        "[network]\nlatents = 16\nfine = 8\ncoarse = 8\nhidden = 8\n[task]\nrates = [4, 8, 16]\n"
    )
    arguments = ["train", str(recipe), "--data", str(photos), "--out", str(tmp_path / "run"), "--device", "cpu"]
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "gr_jscc.host",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launcher + arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    assert load_codec("deepjscc", tmp_path / "run" / "two.safetensors").weights_name == "two"


def test_checkpoints_are_whole_sharded_and_few(tmp_path):
    tensors = {"network": {f"t{i}": torch.full((1024, 1024), float(i)) for i in range(5)}}
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, tensors, {"model": "x"})
    found = checkpoints(tmp_path)
    assert [path.name for path in found] == ["step-0000002", "step-0000003"]
    (tmp_path / "step-0000009").mkdir()  # its state is lost: a damaged one
    with pytest.raises(CheckpointError):
        load_checkpoint(checkpoints(tmp_path)[-1])
    assert all(file.stat().st_size <= 16 * 2**20 for file in found[-1].iterdir())
    groups, state = load_checkpoint(found[-1])
    assert state == {"step": 3, "model": "x"}
    assert all(torch.equal(groups["network"][key], value) for key, value in tensors["network"].items())
