"""Training HJSCC: it learns, resumes, and makes weights that the codec loads; every recipe runs."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gr_jscc.codecs.hjscc.codec import HJSCC, HJSCCFeedback
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.training.loop import train
from gr_jscc.training.pictures import Photos
from gr_jscc.training.recipe import Recipe, load_recipe
from gr_jscc.training.schedule import TimeAllowed, optimiser_of
from gr_jscc.training.tasks import task_of
from gr_jscc.weights import write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]

NETWORK = {
    "transforms": {"kind": "windows", "latents": 16, "widths": [8, 8], "blocks": [0, 0], "heads": 2, "window": 4},
    "levels": [
        {"channels": 8, "kept": 4, "shares": [1.0], "rates": [0, 4, 8], "group": 1},
        {"channels": 16, "shares": [0.6, 1.0], "rates": [0, 2, 4, 8, 16], "group": 2},
    ],
    "width": 8,
    "hidden": 8,
    "condition": 8,
}
TINY = Recipe(
    model="tiny", codec="hjscc", steps=5, batch=4, crop=32, warmup=2, ema=0.5, checkpoint_every=3, validate_every=5,
    precision="float32", network=NETWORK,
)  # fmt: skip
RUNS = {
    "hjscc": dataclasses.replace(TINY, task={"feedback": 0.0}),
    "hjscc-feedback": dataclasses.replace(
        TINY, network={**NETWORK, "expected": True}, task={"feedback": 1.0, "deaf": 0.5, "uneven": 0.5, "cut": 0.5}
    ),
    "convnext": dataclasses.replace(
        TINY,
        network={
            **NETWORK,
            "transforms": {"kind": "convnext", "latents": 16, "widths": [8, 8], "blocks": [1, 1]},
            "attention": False,
        },
    ),
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
    for codec in (HJSCC(whole), HJSCCFeedback(whole)):
        payload = codec.transmitter(codec.cbr_range[1] / 2).start(np.full((40, 40, 3), 99, np.uint8))
        assert np.isfinite(payload.symbols).all()


@pytest.mark.parametrize("name", ["hjscc", "hjscc-feedback"])
def test_training_mends_a_network_that_was_disturbed(photos, name):
    """A prepared one is the best linear code of its photos already: a few steps on so few would tell nothing."""
    torch.manual_seed(1)
    recipe = RUNS[name]
    task = task_of(dataclasses.replace(recipe, task=recipe.task | {"uneven": 0.0, "cut": 0.0, "deaf": 0.0}))
    network = task.build(recipe.network)
    crops = Photos([photos], 32).crops(64, 1)
    images = torch.stack([crops[i] for i in range(64)])
    task.prepare(network, images)

    def loss():
        with torch.no_grad():
            return float(task.loss(network, images, torch.Generator().manual_seed(1)))

    best = loss()
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    before = loss()
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(24):
        optimiser.zero_grad()
        task.loss(network, images[(step % 8) * 8 :][:8], torch.Generator().manual_seed(100 + step)).backward()
        optimiser.step()
    assert before > best + 0.2
    assert loss() < before - 0.5 * (before - best)


def test_a_start_from_deepjscc_keeps_its_transforms(tmp_path, photos):
    torch.manual_seed(1)
    deepjscc = DeepJSCCNetwork(latents=16, fine=8, coarse=16, hidden=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
    for parameter in deepjscc.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.02)
    path = tmp_path / "small.safetensors"
    write_model(path, "deepjscc", deepjscc.config, deepjscc.state_dict(), {})
    transforms = {
        "kind": "mixed", "latents": 64, "fine": 8, "coarse": 16, "hidden": 8, "analysis_blocks": [1, 1, 0],
        "synthesis_blocks": [1, 1, 0], "attention": {"inner": 8, "heads": 2, "window": 4, "hidden": 8},
    }  # fmt: skip
    levels = [NETWORK["levels"][0], {"channels": 64, "shares": [1.0], "rates": [0, 64], "group": 1}]
    recipe = dataclasses.replace(
        TINY, network={**NETWORK, "transforms": transforms, "levels": levels}, task={"transforms": str(path)}
    )
    task = task_of(recipe)
    network = task.build(recipe.network)
    crops = Photos([photos], 64).crops(32, 1)
    images = torch.stack([crops[i] for i in range(32)])
    task.prepare(network, images)
    kernel = deepjscc.state_dict()["encoder_stem.weight"]
    assert torch.allclose(network.transforms.state_dict()["encoder_stem.weight"], kernel, atol=1e-3)
    # All of the finest coefficients, as good as without noise: the hierarchy gives the latents back.
    with torch.no_grad():
        latents = network.transforms.analyse(images[:4])
        levels = network.pyramid.analyse(latents)
        back = network.pyramid.synthesise(levels[-1])
    assert torch.allclose(back, latents, atol=1e-2 * float(latents.std()))


@pytest.mark.parametrize("name", ["hjscc-photo", "hjscc-cifar"])
def test_recipes_build_and_take_a_step(name):
    recipe = load_recipe(name)
    task, torch_seed = task_of(recipe), torch.manual_seed(1)
    network = task.build(recipe.network)
    side = network.multiple
    images = torch.rand(2, 3, side, side, generator=torch_seed)
    with torch.autocast("cpu", torch.bfloat16):
        loss = task.loss(network, images, torch.Generator().manual_seed(1))
    loss.backward()
    optimiser_of(recipe, network).step()
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert sum(p.numel() for p in network.parameters()) < 6e6


def test_the_papers_nine_latents_build():
    network = task_of(load_recipe("hjscc-paper")).build(load_recipe("hjscc-paper").network)
    assert len(network.latents) == 9 and network.multiple == 64
