"""Training HJSCC over hyperlatents: it learns, fixes what it is told to, and its weights send and receive."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.nn.noise import awgn
from gr_jscc.training.loop import train
from gr_jscc.training.pictures import Photos
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.tasks import task_of

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

WINDOWS = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
HYPER = {"width": 8, "channels": 4, "kernel": 3}
TINY = Recipe(
    model="tiny", codec="hjscc-feedback", steps=5, batch=4, crop=32, warmup=2, ema=0.5, checkpoint_every=3,
    validate_every=5, precision="float32",
    network={"latents": 16, "rounds": 3, "transforms": WINDOWS, "hyper": HYPER},
)  # fmt: skip


def test_a_run_ends_in_weights_that_send_and_receive(tmp_path, photos):
    path = train(TINY, [photos], [photos], tmp_path / "run", "cpu")
    codec = load_codec("hjscc-feedback", path)
    image = np.full((40, 56, 3), 99, np.uint8)
    transmitter, receiver = codec.transmitter(codec.cbr_range[1] / 2), codec.receiver(40, 56)
    payload = transmitter.start(image)
    while payload is not None:
        came = Reception(payload.symbols, np.full(len(payload.symbols), 0.01, np.float32), payload.side_info)
        receiver.hear(came)
        payload = transmitter.next(came)
    assert receiver.insight.drifted == 0 and psnr_db(image, receiver.show()) > 20


@pytest.mark.parametrize(
    "stage, learns, stays",
    [
        (
            "receiver",
            ["exponent", "hyper_log_gain", "transforms.synthesis.weight"],
            ["transforms.analysis", "log_step"],
        ),
        ("joint", ["exponent", "transforms.analysis.weight", "hyperprior.analysis.0.weight", "log_step"], []),
    ],
)
def test_a_stage_learns_what_it_is_for(tmp_path, photos, stage, learns, stays):
    start = load_file(str(train(dataclasses.replace(TINY, steps=1), [photos], [], tmp_path / "first", "cpu")))
    before = str(tmp_path / "first" / "tiny.safetensors")
    recipe = dataclasses.replace(TINY, start_from=before, learning_rate=1e-2, task={"stage": stage})
    after = load_file(str(train(recipe, [photos], [], tmp_path / "second", "cpu")))
    changed = {name for name in start if not torch.equal(start[name], after[name])}
    assert set(learns) <= changed
    assert not any(name.startswith(tuple(stays)) for name in changed if stays)


def test_there_are_no_other_stages():
    with pytest.raises(RecipeError, match="unknown stage 'both'; known: receiver, joint"):
        task_of(dataclasses.replace(TINY, task={"stage": "both"}))


def test_what_is_sent_has_the_gradient_of_what_it_costs_and_brings(photos):
    """Around the threshold more variance is more uses, and less error."""
    torch.manual_seed(1)
    task = task_of(TINY)
    network = task.build(TINY.network)
    crops = Photos([photos], 32).crops(8, 1)
    images = torch.stack([crops[i] for i in range(8)])
    task.prepare(network, images)

    def slope(result):
        (slope,) = torch.autograd.grad(result, network.log_step, retain_graph=True)
        return float(slope.sum())

    usual = float(network.log_power.detach().exp().median())
    result = network(
        images, torch.full((8,), 0.5), torch.full((1, 8), usual, dtype=torch.float64),
        lambda s: awgn(s, torch.full((8,), 10.0), torch.Generator().manual_seed(1)),
    )  # fmt: skip
    assert slope(result["uses"].sum()) < 0 < slope((result["pictures"] - images).square().mean())  # wider steps


def test_hyperlatents_start_as_principal_components_that_say_the_same(rng):
    torch.manual_seed(2)
    network = task_of(TINY).build(TINY.network)
    for parameter in network.hyperprior.parameters():
        parameter.data.normal_(std=0.3)
    images, quality = torch.rand(8, 3, 160, 160), torch.full((8,), 0.5)

    def said():
        hyper = network.hyper(network.transforms.analyse(images), quality)
        told = torch.cat([hyper, torch.zeros_like(hyper[:, :1])], dim=1)
        return hyper, network.hyperprior.describe(told, 40, 40)[0][:, :, 12:-12, 12:-12]  # edges see zeros beyond them

    before = said()[1]
    network.start_hyper(images)
    hyper, after = said()
    spread = torch.cov(hyper.detach().transpose(0, 1).flatten(1))
    assert torch.allclose(spread, spread.diag().diag(), atol=1e-3 * float(spread.max()))
    assert torch.allclose(after, before, atol=1e-3)
    between = network.hyper_log_variance.detach().mean(0).exp()
    assert torch.allclose(between, spread.diag().clamp(min=2e-3), rtol=0.3)


@pytest.mark.parametrize("options", [{}, {"deaf": 1.0, "cut": 0.0}, {"cut": 1.0, "deaf": 0.0}, {"uneven": 1.0}])
def test_training_mends_gains_that_were_disturbed(photos, options):
    torch.manual_seed(1)
    recipe = dataclasses.replace(TINY, task={"snr_db": [10.0, 10.0], "stage": "receiver"} | options)
    task = task_of(recipe)
    network = task.build(recipe.network)
    crops = Photos([photos], 32).crops(16, 1)
    images = torch.stack([crops[i] for i in range(16)])
    task.prepare(network, images)
    network.exponent.data += 0.4
    optimiser = torch.optim.Adam([network.exponent, network.log_gain], 2e-2)

    def loss(seed):
        return task.loss(network, images, torch.Generator().manual_seed(seed))

    with torch.no_grad():
        before = float(np.mean([float(loss(seed)) for seed in range(4)]))
    for step in range(24):
        optimiser.zero_grad()
        loss(100 + step).backward()
        optimiser.step()
    with torch.no_grad():
        after = float(np.mean([float(loss(seed)) for seed in range(4)]))
    assert after < before - 0.01
