"""Training successive refinement: data, starts, and that each scheme learns and goes on where it stopped."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gr_jscc.codecs.registry import load_codec
from gr_jscc.datasets.cifar import HELD_OUT, ShiftedPictures, read_cifar10
from gr_jscc.datasets.photos import DataError
from gr_jscc.training.loop import train
from gr_jscc.training.muon import orthogonalised
from gr_jscc.training.pictures import Cifar10, open_dataset
from gr_jscc.training.recipe import Recipe, RecipeError, load_recipe
from gr_jscc.training.schedule import TimeAllowed, optimiser_of
from gr_jscc.training.start import start_from
from gr_jscc.training.tasks import task_of
from gr_jscc.weights import WeightsError, write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

HALF = {"width": 8, "blocks": 1, "passes": 2}
TINY = Recipe(
    model="tiny", codec="successive-multiple", dataset="cifar10", steps=6, batch=4, crop=32, warmup=2, ema=0.5,
    checkpoint_every=3, validate_every=3, precision="float32", optimiser="muon",
    network={"layers": 2, "latents": 4, "kind": "recursive", "encoder": HALF, "decoder": HALF},
    task={"snr_db": [10.0, 16.0], "uneven": 0.3},
)  # fmt: skip
PHOTO = {"fine": 8, "coarse": 16, "hidden": 8, "encoder_blocks": [1, 1], "decoder_blocks": [1, 1]}


@pytest.fixture(autouse=True)
def _short_preparation(monkeypatch):
    monkeypatch.setattr(Cifar10, "sample", 200)


@pytest.fixture(scope="module")
def pictures(photo):
    """uint8[1320, 3, 32, 32] cut from the photo."""
    cut = torch.from_numpy(photo.copy()).permute(2, 0, 1).unfold(1, 32, 16).unfold(2, 32, 16)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)[:1320]


@pytest.fixture(scope="module")
def cifar(pictures, tmp_path_factory):
    """A folder like CIFAR-10's binary version, with few pictures."""
    folder = tmp_path_factory.mktemp("cifar")
    records = np.concatenate([np.zeros((1320, 1), np.uint8), pictures.reshape(1320, -1).numpy()], axis=1)
    (folder / "data_batch_1.bin").write_bytes(records[:700].tobytes())
    (folder / "data_batch_2.bin").write_bytes(records[700:].tobytes())
    (folder / "test_batch.bin").write_bytes(records[:5].tobytes())
    return folder


def test_the_binary_version_is_read_in_order(cifar, pictures):
    assert torch.equal(read_cifar10([cifar], "train"), pictures[:-HELD_OUT])
    assert torch.equal(read_cifar10([cifar], "validation"), pictures[-HELD_OUT:])
    assert torch.equal(read_cifar10([cifar], "test"), pictures[:5])


def test_mosaics_are_read_in_order_and_inexact_pictures_left_out(tmp_path, pictures):
    cells = pictures[:1000].permute(0, 2, 3, 1).reshape(25, 40, 32, 32, 3).permute(0, 2, 1, 3, 4)
    Image.fromarray(cells.reshape(800, 1280, 3).numpy()).save(tmp_path / "test_00.webp", lossless=True)
    assert torch.equal(read_cifar10([tmp_path], "test"), pictures[:1000])
    exact = np.ones(1000, bool)
    exact[[0, 41, 999]] = False
    np.savez(tmp_path / "labels_and_exact_mask.npz", exact_test=exact, exact_train=exact)
    assert torch.equal(read_cifar10([tmp_path], "test"), pictures[:1000][torch.from_numpy(exact)])


def test_unusable_cifar_is_told(tmp_path):
    with pytest.raises(DataError, match="no CIFAR-10"):
        read_cifar10([tmp_path], "train")
    (tmp_path / "data_batch_1.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="damaged CIFAR-10"):
        read_cifar10([tmp_path], "train")
    with pytest.raises(RecipeError, match="unknown dataset 'imagenet'; known: photos, cifar10"):
        open_dataset("imagenet", [tmp_path], 32)


def test_pictures_are_the_same_wherever_they_are_drawn(pictures):
    first, again, other = (ShiftedPictures(pictures, 100, seed) for seed in (7, 7, 8))
    for i in (0, 50, 99):
        assert first[i].shape == (3, 32, 32) and 0 <= first[i].min() and first[i].max() <= 1
        assert torch.equal(first[i], again[i]) and not torch.equal(first[i], other[i])


def changed(codec, **network):
    return dataclasses.replace(TINY, codec=codec, network={**TINY.network, **network})


RUNS = {
    "multiple": TINY,
    "fading": dataclasses.replace(changed("successive-multiple", fading=True), task={"snr_db": [10.0, 16.0]}),
    "single": changed("successive-single"),
    "residual": changed("successive-residual"),
    "residual without feedback": dataclasses.replace(
        changed("successive-residual"), task={"snr_db": [10.0, 16.0], "without_feedback": 0.5}
    ),
    "cnn": dataclasses.replace(
        TINY, network={"layers": 2, "latents": 4, "kind": "cnn", "noise_aware": False},
        task={"snr_db": [13.0, 13.0], "distortion": "mse"}, optimiser="adamw",
    ),
    "gdn": changed("successive-multiple", kind="gdn", encoder={"width": 8}, decoder={"width": 8}),
    "photo": dataclasses.replace(
        TINY, codec="successive-single", network={"kind": "photo", "layers": 4, "latents": 4, "design": PHOTO}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, cifar, name):
    recipe = RUNS[name]
    whole = train(recipe, [cifar], [], tmp_path / "whole", "cpu")
    train(recipe, [cifar], [], tmp_path / "parts", "cpu", allowed=TimeAllowed(0))  # one step, then a checkpoint
    parts = train(recipe, [cifar], [], tmp_path / "parts", "cpu")
    one, other = load_file(str(whole)), load_file(str(parts))
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.allclose(value.float(), other[key].float(), atol=1e-3), key
    codec = load_codec(recipe.codec, whole)
    payload = codec.transmitter(codec.cbr_range[1]).start(np.full((40, 40, 3), 99, np.uint8))
    assert np.isfinite(payload.symbols).all()


@pytest.mark.parametrize("name", RUNS)
def test_a_few_steps_lower_the_loss(pictures, name):
    """Of the same batch, from the same noise."""
    recipe = RUNS[name]
    task = task_of(recipe)
    torch.manual_seed(1)
    network = task.build(recipe.network)
    crops = pictures[:256].float() / 255
    task.prepare(network, crops)
    optimiser = optimiser_of(dataclasses.replace(recipe, learning_rate=2e-4), network)
    losses = []
    for _ in range(12):
        loss = task.loss(network, crops[:64], torch.Generator().manual_seed(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < losses[0] - 1e-3 and max(losses[-3:]) < losses[0], losses


def test_validation_tells_the_quality_after_every_layer(tmp_path, cifar):
    train(TINY, [cifar], [cifar], tmp_path / "run", "cpu")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    last = next(line for line in reversed(lines) if "psnr_db/snr13_layer2" in line)
    assert last["psnr_db/snr10_layer1"] < last["psnr_db/snr13_layer1"] < last["psnr_db/snr13_layer2"]


def test_only_the_last_pair_of_residuals_is_trained(cifar, tmp_path):
    base = dataclasses.replace(RUNS["residual"], model="base", network={**TINY.network, "layers": 1})
    train(base, [cifar], [], tmp_path / "base", "cpu")
    second = dataclasses.replace(RUNS["residual"], start_from="base")
    path = train(second, [cifar], [], tmp_path / "second", "cpu")
    before, after = load_file(str(tmp_path / "base" / "base.safetensors")), load_file(str(path))
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert {key.split(".")[1] for key in after} == {"0", "1"}


def test_a_larger_network_starts_from_a_smaller_one(tmp_path):
    def fresh(layers):
        return task_of(TINY).build({**TINY.network, "layers": layers})

    small, large = fresh(2), fresh(3)
    for parameter in small.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    (tmp_path / "small").mkdir()
    write_model(tmp_path / "small" / "small.safetensors", TINY.codec, small.config, small.state_dict(), {})
    assert start_from(large, "small", tmp_path) == len(small.state_dict())
    assert (large.decoders[1].design.stem.weight == 0.5).all()
    head = large.encoders[0].head.weight  # three layers' latents, two of which the small one has
    assert (head[:8] == 0.5).all() and (head[8:] == 0).all()


def test_a_start_that_does_not_exist_or_fit_is_told(tmp_path):
    network = task_of(TINY).build(TINY.network)
    with pytest.raises(WeightsError, match="weights not found: nosuch"):
        start_from(network, "nosuch", tmp_path)
    with pytest.raises(RecipeError, match="no tensor in common"):
        start_from(network, "deepjscc-photo", tmp_path)


def test_the_photo_model_starts_from_deepjscc(tmp_path, pictures):
    """At all of its latents it then computes the same."""
    recipe = load_recipe("successive-photo")
    network = task_of(recipe).build(recipe.network).eval()
    assert recipe.start_from == "deepjscc-photo"
    assert start_from(network, "deepjscc-photo", tmp_path) == len(network.state_dict())
    images, noise_var = pictures[:4].float() / 255, torch.full((4, 64, 4, 4), 0.02)
    other = load_codec("deepjscc").network
    with torch.inference_mode():
        latents = network.encode_all(images)
        assert torch.allclose(latents, other.encode(images, torch.full((4,), 64)), atol=1e-3)
        picture = network.estimate(latents, noise_var, 2)
        assert torch.allclose(picture, other.decode(latents, noise_var, torch.full((4,), 32)), atol=1e-3)


@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (5, 5)])
def test_a_muon_step_is_orthogonal(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    step = orthogonalised(matrix)
    singular = (left.T @ step @ right.T).diagonal()
    assert ((singular > 0.5) & (singular < 1.3)).all()
    assert (step - left @ torch.diag(singular) @ right).abs().max() < 1e-3


def test_muon_steps_kernels_and_adam_the_rest():
    torch.manual_seed(2)  # a gradient that is far from singular
    network = torch.nn.ModuleDict({"conv": torch.nn.Conv2d(4, 8, 3), "point": torch.nn.Conv2d(8, 8, 1)})
    optimiser = optimiser_of(dataclasses.replace(TINY, learning_rate=0.01), network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network["point"](network["conv"](torch.randn(64, 4, 6, 6))).square().mean().backward()
    optimiser.step()
    moved = {name: value - before[name] for name, value in network.state_dict().items()}
    assert moved["point.weight"].abs().max().item() == pytest.approx(0.01, rel=1e-3)  # Adam's first step
    singular = torch.linalg.svdvals(moved["conv.weight"].reshape(8, -1))
    assert (singular > 0.5 * singular.max()).all()  # Muon's
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(RecipeError, match="unknown optimiser 'sgd'"):
        optimiser_of(dataclasses.replace(TINY, optimiser="sgd"), network)
