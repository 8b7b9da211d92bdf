"""Weights as differences from another model's: back within half a step, and of no use with any other model."""

from dataclasses import replace

import pytest
import torch

from gr_jscc.training.recipe import Recipe, RecipeError
from gr_jscc.training.state import TrainingState
from gr_jscc.training.tasks import task_of
from gr_jscc.weights import WeightsError, read_model, write_model
from gr_jscc.weights.compact import expanded
from gr_jscc.weights.difference import SMALLEST, STEP, as_stored, differences, restored, with_base


@pytest.fixture
def other():
    return read_model("successive-single-2", "successive-single")


def stored_as(other, tensors):
    config = other.config | {"base": f"{other.name} {other.hash.hex()}"}
    return replace(other, name="mine", config=config, tensors=expanded(tensors))


def test_tensors_come_back_and_none_of_the_steps_with_them(other):
    generator = torch.Generator().manual_seed(1)
    tensors = {k: v + 0.01 * torch.randn(v.shape, generator=generator) for k, v in other.tensors.items()}
    tensors["new"] = 0.02 * torch.randn(65, 64, generator=generator)
    fine = max(tensors, key=lambda name: tensors[name].numel())
    model = restored(stored_as(other, differences(tensors, other.tensors, (fine,))), other)
    assert model.config == other.config and model.tensors.keys() == tensors.keys()
    large = [name for name, tensor in tensors.items() if tensor.numel() >= SMALLEST and name != fine]
    assert "new" in large and len(large) > 2
    for name in large:  # of normal numbers a uniform quantiser of 15 levels leaves a hundredth of the power
        error = (model.tensors[name] - tensors[name]).square().mean()
        assert 0 < error < 0.02 * (tensors[name] - other.tensors.get(name, 0)).square().mean()
    error = (model.tensors[fine] - tensors[fine]).flatten(1).abs().amax(1)
    assert (error < 1.1 * (tensors[fine] - other.tensors[fine]).flatten(1).abs().amax(1) / 254).all()
    for name in large:
        assert torch.equal(as_stored(tensors[name], other.tensors.get(name)), model.tensors[name])


def test_a_tensor_of_another_shape_differs_from_zeros(other):
    name = max(other.tensors, key=lambda name: other.tensors[name].numel())
    wider = torch.cat([other.tensors[name], other.tensors[name][:, :1]], dim=1)
    model = restored(stored_as(other, differences(other.tensors | {name: wider}, other.tensors)), other)
    error = (model.tensors[name] - wider).square().mean()
    assert model.tensors[name].shape == wider.shape and 0 < error < 0.02 * wider.square().mean()
    assert torch.equal(as_stored(wider, other.tensors[name]), model.tensors[name])


def test_what_did_not_change_takes_no_bytes_and_is_the_others(other):
    changed = max(other.tensors, key=lambda name: other.tensors[name].numel())
    stored = differences(other.tensors | {changed: other.tensors[changed] + 1}, other.tensors)
    large = [name for name, tensor in other.tensors.items() if tensor.ndim > 1 and tensor.numel() >= SMALLEST]
    assert changed in stored and len(large) > 1 and not any(name in stored for name in large if name != changed)
    model = restored(stored_as(other, stored), other)
    assert model.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(model.tensors[name], other.tensors[name]) for name in large if name != changed)
    lacking = replace(other, tensors={name: value for name, value in other.tensors.items() if name not in large})
    with pytest.raises(WeightsError, match="do not fit those that they were trained on from"):
        restored(stored_as(other, stored), lacking)


def test_another_base_is_refused_in_one_line(other):
    tensors = {name: tensor + 0.01 for name, tensor in other.tensors.items()}
    model = stored_as(other, differences(tensors, other.tensors, ("none",)))
    with pytest.raises(WeightsError, match="trained on from others than successive-single-2 as it ships: mine"):
        restored(model, replace(other, hash=b"abcd"))
    name = next(name for name in model.tensors if name.endswith(STEP)).removesuffix(STEP)
    with pytest.raises(WeightsError, match="do not fit those that they were trained on from"):
        restored(replace(model, tensors=model.tensors | {name: torch.zeros(3)}), other)


def test_a_file_of_differences_is_half_as_large_and_knows_its_base(other, tmp_path):
    generator = torch.Generator().manual_seed(1)
    tensors = {k: v + 0.01 * torch.randn(v.shape, generator=generator) for k, v in other.tensors.items()}
    paths = [tmp_path / "compact.safetensors", tmp_path / "mine.safetensors"]
    write_model(paths[0], other.codec, other.config, tensors, {"steps": "5"}, compact=True)
    write_model(paths[1], other.codec, other.config, tensors, {"steps": "5"}, base=other)
    assert paths[1].stat().st_size < 0.6 * paths[0].stat().st_size
    read = read_model(paths[1], other.codec)
    model = with_base(read)
    assert model.config == other.config and model.info == {"steps": "5"} and model.hash == read.hash != other.hash
    for name, tensor in tensors.items():
        assert (model.tensors[name] - tensor).square().mean() < 3e-6
    assert with_base(other) is other
    with pytest.raises(WeightsError, match="trained on from others, which do not ship: mine"):
        with_base(replace(read, config=read.config | {"base": "/etc/passwd 00000000"}))


def test_a_recipe_of_differences_names_a_model_that_ships():
    assert Recipe("mine", "ntscc", start_from="mine-before", differences="ntscc-photo").differences == "ntscc-photo"
    for wrong in ({"differences": "mine-before"}, {"differences": "ntscc-photo", "compact": True}):
        with pytest.raises(RecipeError, match="differences are from a model that ships"):
            Recipe("mine", "ntscc", **wrong)


def test_training_goes_on_from_differences_by_naming_what_they_are_from(tmp_path):
    recipe = Recipe("mine", "deepjscc", start_from="deepjscc-photo-lossy", differences="deepjscc-photo-lossy")
    with pytest.raises(RecipeError, match="deepjscc-photo-lossy are differences themselves; name deepjscc-photo$"):
        TrainingState(recipe, torch.nn.Linear(1, 1), task_of(recipe), tmp_path)
    right = replace(recipe, differences="deepjscc-photo")
    assert TrainingState(right, torch.nn.Linear(1, 1), task_of(right), tmp_path).base.name == "deepjscc-photo"
