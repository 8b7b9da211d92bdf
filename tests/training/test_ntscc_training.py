"""Training NTSCC: every stage and loss learns, resumes, and makes weights that the codec loads."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.training.loop import train
from gr_jscc.training.pictures import Photos
from gr_jscc.training.recipe import FOLDER, Recipe, RecipeError, load_recipe
from gr_jscc.training.schedule import TimeAllowed, optimiser_of
from gr_jscc.training.tasks import task_of

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]

ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
NETWORK = {
    "latents": 16,
    "transforms": {"kind": "windows", "widths": [8, 8], "blocks": [1, 1], "heads": 2, "window": 4},
    "rates": [2, 4, 8, 16],
    "codec": {"blocks": 1, **ATTENTION},
    "hyper": {"width": 8, "channels": 2, "kernel": 3},
    "refine": 8,
}
TINY = Recipe(
    model="tiny", codec="ntscc", steps=5, batch=4, crop=32, warmup=2, ema=0.5, checkpoint_every=3, validate_every=5,
    precision="float32", network=NETWORK,
)  # fmt: skip


def changed(network=None, **options):
    return dataclasses.replace(TINY, network={**NETWORK, **(network or {})}, **options)


RUNS = {
    "entropy model": changed(task={"stage": "entropy-model"}),
    "compressor": changed(task={"stage": "compressor"}),
    "joint": changed(task={"compressed": 0.5, "uneven": 0.5}),
    "joint, MS-SSIM": changed(task={"distortion": "ms-ssim"}, crop=128, batch=2),
    "comparison-i": changed({"refine": 0}),
    "comparison-ii": changed({"refine": 0, "adaptive": False}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, photos, name):
    recipe = RUNS[name]
    whole = train(recipe, [photos], [], tmp_path / "whole", "cpu")
    train(recipe, [photos], [], tmp_path / "parts", "cpu", allowed=TimeAllowed(0))  # one step, then a checkpoint
    parts = train(recipe, [photos], [], tmp_path / "parts", "cpu")
    one, other = load_file(str(whole)), load_file(str(parts))
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.allclose(value.float(), other[key].float(), atol=1e-3), key
    codec = NTSCC(whole)
    payload = codec.transmitter(codec.cbr_range[1] / 2).start(np.full((40, 40, 3), 99, np.uint8))
    assert np.isfinite(payload.symbols).all()


@pytest.mark.parametrize("name", RUNS)
def test_a_few_steps_lower_the_loss(photos, name):
    """Of the same batch, from the same noise."""
    recipe = RUNS[name]
    task = task_of(recipe)
    torch.manual_seed(1)
    network = task.build(recipe.network)
    crops = Photos([photos], recipe.crop).crops(32, 1)
    images = torch.stack([crops[i] for i in range(32)])
    task.prepare(network, images)
    optimiser = optimiser_of(dataclasses.replace(recipe, learning_rate=1e-3), network)
    losses = []
    for _ in range(10):
        loss = task.loss(network, images[: 2 * recipe.batch], torch.Generator().manual_seed(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < losses[0] - 1e-3 and max(losses[-3:]) < losses[0], losses


def test_each_stage_leaves_alone_what_it_does_not_train(photos):
    fixed = {
        "entropy model": ("transforms", "encoder", "decoder", "log_power", "log_step"),
        "compressor": ("encoder", "decoder"),
        "joint": (),
        "comparison-ii": ("hyperprior", "log_step"),
    }
    for name, parts in fixed.items():
        network = task_of(RUNS[name]).build(RUNS[name].network)
        for key, parameter in network.named_parameters():
            assert parameter.requires_grad != key.startswith(parts), (name, key)


def test_compression_weighs_rate_and_compressed_picture_together(photos):
    """Between weights 0 and 1 the loss goes straight, and the received picture's part stays."""
    torch.manual_seed(1)
    network = task_of(TINY).build(NETWORK)
    images = torch.stack([Photos([photos], 32).crops(4, 1)[i] for i in range(4)])

    def loss(weight):
        task = task_of(changed(task={"compression": weight}))
        return task.loss(network, images, torch.Generator().manual_seed(3)).item()

    none, half, all_of_it = loss(0.0), loss(0.5), loss(1.0)
    assert all_of_it > none + 0.1 and half == pytest.approx((none + all_of_it) / 2, rel=1e-4)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("ntscc*.toml")))
def test_recipes_build_what_they_start_from(name):
    """Each stage has the tensors of the one before it, as they were or grown, and maybe more."""
    recipe = load_recipe(name)
    network = task_of(recipe).build(recipe.network)
    if recipe.start_from and recipe.start_from.startswith("ntscc"):
        before = load_recipe(recipe.start_from)
        tensors = task_of(before).build(before.network).state_dict()
        if before.codec == "deepjscc":
            tensors = network.translated(tensors)
            del tensors["transforms.log_power"]  # has gone into the gains
        shapes = {key: value.shape for key, value in tensors.items()}
        grown = {key: value.shape for key, value in network.state_dict().items()}
        assert shapes.keys() <= grown.keys()
        for key, shape in shapes.items():
            assert len(shape) == len(grown[key]) and all(o <= n for o, n in zip(shape, grown[key])), key


def test_training_the_entropy_model_lowers_bits_and_touches_no_picture(photos):
    recipe = RUNS["entropy model"]
    task = task_of(recipe)
    torch.manual_seed(1)
    network = task.build(recipe.network)
    images = torch.stack([Photos([photos], 32).crops(32, 1)[i] for i in range(32)])
    task.prepare(network, images)
    optimiser = optimiser_of(dataclasses.replace(recipe, learning_rate=1e-2), network)

    def state():
        with torch.inference_mode():
            result = network(images, torch.full((32,), 0.5), torch.full((32,), 0.5), None)
        return result["bits"].mean().item() + result["hyper_bits"].mean().item() / 64, result["compressed"]

    bits, pictures = state()
    for _ in range(40):
        optimiser.zero_grad()
        task.loss(network, images, torch.Generator().manual_seed(3)).backward()
        optimiser.step()
    less, same = state()
    assert less < 0.93 * bits and torch.equal(pictures, same)


def test_validation_tells_rate_and_quality(tmp_path, photos):
    train(TINY, [photos], [photos], tmp_path / "run", "cpu")
    figures = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    for quality in ("0.25", "0.75"):
        assert 5 < figures[f"psnr_db_transmitted/quality{quality}"] < 50
        assert 0 < figures[f"cbr/quality{quality}"] < 1
    assert figures["bits_per_pixel/quality0.75"] > figures["bits_per_pixel/quality0.25"]


def test_what_a_recipe_says_wrong_is_told():
    for option, value in (("stage", "third"), ("distortion", "psnr")):
        with pytest.raises(RecipeError, match=f"unknown {option} '{value}'; known: "):
            task_of(changed(task={option: value}))


def test_the_papers_size_is_the_papers():
    """32.94 million parameters in the paper, with a matrix for every rate, which the gains replace here."""
    network = NTSCCNetwork(NTSCCConfig(**load_recipe("ntscc-paper").network))
    assert 20e6 < sum(p.numel() for p in network.parameters()) < 33e6
