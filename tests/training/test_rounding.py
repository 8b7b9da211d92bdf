"""Training with weights as they will be stored: steps see their rounding, and what is stored loses nothing more."""

import json

import pytest
import torch

from gr_jscc.codecs.registry import load_codec
from gr_jscc.imaging import load_image
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.rounding import in_eight_bits, rounded
from gr_jscc.training.tasks import task_of
from gr_jscc.weights import read_model
from gr_jscc.weights.difference import as_stored

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("one_thread")]


class Linear(torch.nn.Linear):
    stored_finely = ("bias",)


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Linear(64, 64)


def test_gradients_are_those_of_rounded_weights_and_step_the_others(network, rng):
    other = {"weight": torch.from_numpy(rng.normal(0, 0.1, (64, 64))).float()}
    before, inputs = network.weight.detach().clone(), torch.ones(1, 64)
    with rounded(network, other):
        inside = network.weight.detach().clone()
        network(inputs).square().mean().backward()
    assert torch.equal(inside, as_stored(before, other["weight"])) and not torch.equal(inside, before)
    assert torch.equal(network.weight, before)
    exact = torch.nn.functional.linear(inputs, inside, network.bias) / 32
    assert torch.allclose(network.weight.grad, exact.T.expand(64, 64), atol=1e-5)


def test_rounding_is_learned_away(network):
    """A bias that is stored exactly can make up for what rounding did to the weights."""
    other, inputs = {"weight": torch.zeros(64, 64)}, torch.ones(1, 64)
    wanted = network(inputs).detach()

    def error():
        with rounded(network, other):
            return float((network(inputs) - wanted).detach().square().mean())

    first = error()
    optimiser = torch.optim.SGD([network.bias], 20.0)
    for _ in range(20):
        with rounded(network, other):
            optimiser.zero_grad()
            (network(inputs) - wanted).square().mean().backward()
        optimiser.step()
    assert first > 1e-4 and error() < first / 100


def test_weights_are_put_back_where_a_step_fails(network):
    before = network.weight.detach().clone()
    with pytest.raises(ValueError), rounded(network, {}):
        raise ValueError
    assert torch.equal(network.weight, before)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(share):
    with pytest.raises(RecipeError, match="rounded must be from 0 to 1, with differences"):
        Recipe("mine", "deepjscc", start_from="deepjscc-photo", differences="deepjscc-photo", rounded=share)


def test_only_what_is_stored_in_four_bits_is_rounded():
    with pytest.raises(RecipeError, match="rounded must be from 0 to 1, with differences"):
        Recipe("mine", "deepjscc", rounded=0.1)


def test_weights_in_eight_bits_are_put_back(network):
    before = network.weight.detach().clone()
    with in_eight_bits(network):
        assert 0 < (network.weight - before).abs().max() < 0.01
    assert torch.equal(network.weight, before)


@pytest.mark.usefixtures("small_sample")
def test_figures_of_the_validation_are_of_what_is_stored(photos, tmp_path):
    """Also where it is stored in eight bits, which some networks do not bear."""
    recipe = Recipe(
        model="tiny", codec="deepjscc", steps=2, batch=4, crop=32, warmup=1, checkpoint_every=2, validate_every=2,
        precision="float32", compact=True, task={"rates": [8, 16]},
        network={"latents": 64, "fine": 32, "coarse": 32, "hidden": 32, "encoder_blocks": [1, 1],
                 "decoder_blocks": [1, 1]},
    )  # fmt: skip
    path = train(recipe, [photos], [photos], tmp_path / "run", "cpu")
    told = json.loads(read_model(path, "deepjscc").info["figures"])
    held_out = [torch.from_numpy(load_image(file)).permute(2, 0, 1) for file in sorted(photos.glob("*.png"))]
    stored = task_of(recipe).validate(load_codec("deepjscc", path).network, held_out)
    assert told == pytest.approx(stored, abs=1e-4)
