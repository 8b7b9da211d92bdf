"""The perceptual distortion of NTSCC: equation 29, a discriminator that learns, runs that resume, faults."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.metrics import picture as metrics
from gr_jscc.metrics.lpips import missing_for_lpips
from gr_jscc.training import ntscc_discriminator, ntscc_perceptual
from gr_jscc.training.checkpoint import checkpoints, load_checkpoint
from gr_jscc.training.loop import train
from gr_jscc.training.ntscc_perceptual import PerceptualDistortion
from gr_jscc.training.pictures import Photos
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.schedule import TimeAllowed
from gr_jscc.training.tasks import task_of

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]

ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
TINY = Recipe(
    model="tiny", codec="ntscc", steps=5, batch=2, crop=32, warmup=2, ema=0.5, checkpoint_every=3, validate_every=5,
    precision="float32", task={"distortion": "perceptual", "betas": [100.0, 1.0, 0.5], "compressed": 0.5},
    network={
        "latents": 16,
        "transforms": {"kind": "windows", "widths": [8, 8], "blocks": [1, 1], "heads": 2, "window": 4},
        "rates": [2, 4, 8, 16],
        "codec": {"blocks": 1, **ATTENTION},
        "hyper": {"width": 8, "channels": 2, "kernel": 3},
        "refine": 8,
    },
)  # fmt: skip


class RandomFeatures(nn.Module):
    """A distance of LPIPS's shape on features that nobody trained, for machines without it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 8, 5, stride=2)
        nn.init.normal_(self.features.weight, std=0.1, generator=torch.Generator().manual_seed(7))

    def forward(self, one, other):
        return (self.features(one) - self.features(other)).square().mean((1, 2, 3))


@pytest.fixture(autouse=True)
def _small_discriminator(monkeypatch):
    monkeypatch.setattr(ntscc_discriminator, "WIDTHS", ((8, 2), (12, 2), (16, 2), (24, 1)))


@pytest.fixture
def features(monkeypatch):
    monkeypatch.setattr(ntscc_perceptual, "missing_for_lpips", lambda: "")
    monkeypatch.setattr(ntscc_perceptual, "lpips_network", RandomFeatures)


@pytest.fixture
def batch(photos):
    """Source, decoded pictures of it that are blurred, and latents."""
    crops = Photos([photos], 32).crops(8, 1)
    images = torch.stack([crops[i] for i in range(8)])
    blurred = nn.functional.avg_pool2d(images, 5, 1, 2, count_include_pad=False)
    latents = nn.functional.avg_pool2d(images, 8).repeat(1, 6, 1, 1)[:, :16]
    return images, blurred, latents


def parameters(module):
    return {key: value.detach().clone() for key, value in module.named_parameters()}


def test_a_few_steps_change_both_networks_and_a_stopped_run_ends_as_if_it_had_not_been(tmp_path, photos, features):
    train(TINY, [photos], [], tmp_path / "parts", "cpu", allowed=TimeAllowed(0))  # one step, then a checkpoint
    first = load_checkpoint(checkpoints(tmp_path / "parts")[-1])[0]
    train(TINY, [photos], [], tmp_path / "parts", "cpu")
    whole = train(TINY, [photos], [photos], tmp_path / "whole", "cpu")
    (one, state), (other, _) = (load_checkpoint(checkpoints(tmp_path / run)[-1]) for run in ("whole", "parts"))
    assert state["step"] == 5 and one.keys() == other.keys()
    assert {"adversary", "adversary_exp_avg", "adversary_exp_avg_sq"} <= one.keys()
    for group, tensors in one.items():
        for key, value in tensors.items():
            assert torch.allclose(value, other[group][key], atol=1e-6), (group, key)
    for key, value in one["adversary"].items():
        if key.endswith(("original", "bias")):  # not what finds their norms
            assert not torch.equal(value, first["adversary"][key]), key
    for part in ("transforms", "encoder", "decoder", "hyperprior", "log_step"):
        changed = [
            not torch.equal(v, first["network"][key]) for key, v in one["network"].items() if key.startswith(part)
        ]
        assert sum(changed) > 0.9 * len(changed), part
    figures = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])
    assert 5 < figures["psnr_db_transmitted/quality0.5"] < 50
    codec = NTSCC(whole)
    payload = codec.transmitter(codec.cbr_range[1] / 2).start(np.full((40, 40, 3), 99, np.uint8))
    assert np.isfinite(payload.symbols).all()


def test_it_is_equation_29(batch, features):
    images, blurred, latents = batch
    torch.manual_seed(1)
    distortion = PerceptualDistortion(16, (100.0, 2.0, 0.5), "cpu")
    value = distortion(blurred, images, latents)
    distortion.network.eval()
    with torch.inference_mode():
        belief = torch.sigmoid(distortion.network(blurred, latents))
        error = (blurred - images).square().flatten(1).mean(1)
        distance = RandomFeatures()(2 * blurred - 1, 2 * images - 1).flatten()
    assert belief.shape == (8, 1, 4, 4)
    expected = 100 * error + 2 * distance - 0.5 * belief.log().flatten(1).mean(1)
    assert torch.allclose(100 * value, expected, rtol=1e-3)


def test_the_discriminator_learns_what_is_decoded_and_depends_on_the_latents(batch, features):
    images, blurred, latents = batch
    dark = 0.5 * blurred
    torch.manual_seed(1)
    distortion = PerceptualDistortion(16, (100.0, 1.0, 0.5), "cpu")
    for group in distortion.optimiser.param_groups:
        group["lr"] = 5e-3
    before = distortion(dark, images, latents)
    assert distortion.step()
    assert distortion.figures()["adversary_loss"] == pytest.approx(2 * np.log(2), abs=0.05)  # it knows nothing yet
    for _ in range(25):
        distortion(dark, images, latents)
        assert distortion.step()
    assert distortion.figures()["adversary_loss"] < 1.2 and distortion.figures() == {}
    after = distortion(dark, images, latents)
    assert (after > before).all()  # dearer, now that it is noticed
    with torch.inference_mode():
        assert not torch.allclose(distortion.network(images, latents), distortion.network(images, -latents))


def test_each_network_learns_at_its_own_turn(batch, features):
    images, blurred, latents = batch
    torch.manual_seed(1)
    distortion = PerceptualDistortion(16, (100.0, 1.0, 0.5), "cpu")
    decoded, given = blurred.clone().requires_grad_(), latents.clone().requires_grad_()
    distortion(decoded, images, given).log().sum().backward()
    assert decoded.grad.abs().sum() > 0 and given.grad is None
    assert all(p.grad is None for p in [*distortion.network.parameters(), *distortion.lpips.parameters()])
    gradient, before = decoded.grad.clone(), parameters(distortion.network)
    assert distortion.step()
    assert torch.equal(decoded.grad, gradient)
    for key, value in parameters(distortion.network).items():
        assert not torch.equal(value, before[key]), key


def test_the_adversary_keeps_still_where_a_step_is_not_finite(batch, features):
    images, blurred, latents = batch
    torch.manual_seed(1)
    distortion = PerceptualDistortion(16, (100.0, 1.0, 0.5), "cpu")
    broken = blurred.clone()
    broken[3, 1, 5, 5] = float("nan")
    before = parameters(distortion.network)
    distortion(broken, images, latents)
    assert not distortion.step() and distortion.figures() == {}
    assert all(torch.equal(value, before[key]) for key, value in parameters(distortion.network).items())
    distortion(blurred, images, latents)
    assert distortion.step() and np.isfinite(distortion.figures()["adversary_loss"])


def test_processes_average_what_their_adversaries_learn(batch, features, monkeypatch):
    """Two of them, the other one's gradient being twice as large and the other way round."""
    images, blurred, latents = batch

    def gradients():
        torch.manual_seed(1)
        distortion = PerceptualDistortion(16, (100.0, 1.0, 0.5), "cpu")
        distortion(blurred, images, latents)
        assert distortion.step()
        return [parameter.grad for parameter in distortion.network.parameters()]

    alone = gradients()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: tensor.sub_(2 * tensor.clone()))
    for one, shared in zip(alone, gradients()):
        assert torch.allclose(shared, -one / 2, rtol=1e-4)


def test_training_without_lpips_is_one_line(tmp_path, photos, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(RecipeError, match="^the perceptual distortion needs LPIPS: [^\n]*`gr-jscc lpips`[^\n]*$"):
        train(TINY, [photos], [], tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_the_stages_before_know_no_perceptual_distortion():
    for stage in ("entropy-model", "compressor"):
        with pytest.raises(RecipeError, match=f"joint stage, not '{stage}'"):
            task_of(dataclasses.replace(TINY, task={"distortion": "perceptual", "stage": stage}))


@pytest.mark.skipif(bool(missing_for_lpips()), reason=f"LPIPS: {missing_for_lpips()}")
def test_lpips_itself_is_what_reports_measure_and_its_gradient_lowers_it(photo):
    levels = photo[200:264, 160:224]  # feathers
    images = torch.from_numpy(levels.copy()).permute(2, 0, 1)[None].float() / 255
    dull = (nn.functional.avg_pool2d(images, 9, 1, 4, count_include_pad=False) * 255).round() / 255
    dull_levels = (dull[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    distortion = PerceptualDistortion(16, (1.0, 1e4, 0.0), "cpu")
    decoded, latents = dull.clone().requires_grad_(), torch.zeros(1, 16, 4, 4)
    value = distortion(decoded, images, latents)
    assert value.item() == pytest.approx(1e4 * metrics.lpips(levels, dull_levels), rel=1e-3) and value > 100
    value.backward()
    better = decoded.detach() - 3e-4 * decoded.grad / decoded.grad.square().mean().sqrt()
    assert distortion(better, images, latents) < value
