"""Weights in eight bits: half the size, the same pictures but for little, and nothing else changes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gr_jscc.codecs.deepjscc.codec import DeepJSCC
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.training.start import start_from
from gr_jscc.weights import WeightsError, read_model, write_model
from gr_jscc.weights.compact import MOST, SCALE, compacted, expanded

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]


def test_large_tensors_come_back_within_half_a_step_and_small_ones_in_half_precision():
    generator = torch.Generator().manual_seed(1)
    tensors = {
        "kernel": torch.randn(64, 32, 3, 3, generator=generator) * torch.logspace(-6, 3, 64)[:, None, None, None],
        "zeros": torch.zeros(64, 64),
        "bias": torch.randn(64, generator=generator),
        "small": torch.randn(8, 8, generator=generator),
    }
    stored = compacted(tensors)
    assert stored["kernel"].dtype == torch.int8 and stored["small"].dtype == stored["bias"].dtype == torch.float16
    back = expanded(stored)
    assert back.keys() == tensors.keys()
    step = tensors["kernel"].abs().amax((1, 2, 3), keepdim=True) / MOST
    assert ((back["kernel"] - tensors["kernel"]).abs() <= 0.501 * step).all()
    assert torch.equal(back["zeros"], tensors["zeros"])
    for name in ("bias", "small"):
        assert torch.equal(back[name], tensors[name].half().float())
    again = compacted(back)
    assert torch.equal(again["kernel"], stored["kernel"])  # nothing more is lost the second time


def test_a_compact_model_is_half_as_large_and_sends_the_same_pictures(tmp_path, small_photo):
    model, generator = read_model("deepjscc-photo", "deepjscc"), torch.Generator().manual_seed(1)
    # What ships is in eight bits: moved off its steps.
    tensors = {key: x * (1 + 0.002 * torch.randn(x.shape, generator=generator)) for key, x in model.tensors.items()}
    paths = tmp_path / "half.safetensors", tmp_path / "compact.safetensors"
    for path, compact in zip(paths, (False, True)):
        write_model(path, "deepjscc", model.config, tensors, model.info, compact=compact)
    assert paths[1].stat().st_size < 0.55 * paths[0].stat().st_size
    quality = []
    for codec in (load_codec("deepjscc", str(path)) for path in paths):
        taps = np.ones(1, np.complex64)
        rounds = ideal_transfer(codec, small_photo, 1 / 12, 10.0, taps, np.random.default_rng(1))
        quality.append(psnr_db(small_photo, rounds[-1].picture))
    assert quality[1] == pytest.approx(quality[0], abs=0.05) and quality[0] > 31
    assert read_model(paths[1], "deepjscc").info == model.info


def test_training_starts_from_a_compact_model(tmp_path):
    model = read_model("deepjscc-photo", "deepjscc")
    path = tmp_path / "small.safetensors"
    write_model(path, "deepjscc", model.config, model.tensors, {}, compact=True)
    network = DeepJSCC.build(model.config)
    assert start_from(network, str(path), tmp_path) == len(model.tensors)
    name, tensor = max(model.tensors.items(), key=lambda item: item[1].numel())
    assert torch.allclose(network.state_dict()[name], tensor, atol=float(tensor.abs().max()) / MOST)


@pytest.mark.parametrize("fault", ["no scale", "scale of another size", "scale alone", "infinite scale"])
def test_a_damaged_one_is_one_line(tmp_path, fault):
    model = read_model("deepjscc-photo", "deepjscc")
    path = tmp_path / "small.safetensors"
    write_model(path, "deepjscc", model.config, model.tensors, {}, compact=True)
    stored = load_file(str(path))
    name = next(key for key, tensor in stored.items() if tensor.dtype == torch.int8)
    if fault == "no scale":
        del stored[name + SCALE]
    elif fault == "scale of another size":
        stored[name + SCALE] = stored[name + SCALE][:-1]
    elif fault == "scale alone":
        del stored[name]
    else:
        stored[name + SCALE][0] = torch.inf
    save_file(stored, str(path), {"codec": "deepjscc", "config": json.dumps(model.config)})
    with pytest.raises(WeightsError) as error:
        load_codec("deepjscc", str(path))
    assert "\n" not in str(error.value)
