"""Finding codecs and loading weights strictly."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.codecs.registry import CODECS, load_codec
from gr_jscc.weights import WeightsError, describe_model, find_model, shipped_models, write_model

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def tiny(tmp_path):
    """Writes a small DeepJSCC model, tensors and codec name as told."""
    torch.manual_seed(1)
    network = DeepJSCCNetwork(latents=16, fine=8, coarse=8, hidden=8)

    def write(codec="deepjscc", drop=None, add=None):
        tensors = dict(network.state_dict())
        if drop:
            del tensors[drop]
        if add:
            tensors[add] = torch.zeros(1)
        path = tmp_path / "tiny.safetensors"
        write_model(path, codec, network.config, tensors, {})
        return path

    return write


@pytest.mark.parametrize("name", CODECS)
def test_every_registered_codec_can_be_loaded_by_its_name(name):
    assert load_codec(name).name == name


@pytest.mark.parametrize("weights, kind", [(None, "HyperFeedback"), ("hjscc-cifar", "HJSCCFeedback")])
def test_hjscc_with_feedback_is_of_the_kind_that_its_weights_are_for(tmp_path, weights, kind):
    assert type(load_codec("hjscc-feedback", weights)).__name__ == kind
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no such file")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_codec("hjscc-feedback", damaged)
    with pytest.raises(WeightsError, match="of another codec"):
        load_codec("hjscc-feedback", "ntscc-photo")


def test_unknown_codec():
    with pytest.raises(CodecError, match="unknown codec 'nosuch'; known: .*deepjscc"):
        load_codec("nosuch")


def test_weights_from_a_file(tiny):
    codec = load_codec("deepjscc", tiny())
    assert codec.weights_name == "tiny" and len(codec.weights_hash) == 4
    assert codec.weights_hash != load_codec("deepjscc").weights_hash


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "", "cuda:x"])
def test_a_device_that_is_not_there_is_one_line(tiny, device):
    with pytest.raises(CodecError, match=f"device {device!r} cannot be used: ") as told:
        load_codec("deepjscc", tiny(), device)
    assert "\n" not in str(told.value)


def test_missing_weights(tmp_path):
    with pytest.raises(WeightsError, match="weights not found"):
        load_codec("deepjscc", tmp_path / "none.safetensors")


def test_weights_of_another_codec(tiny):
    with pytest.raises(WeightsError, match="weights of another codec: .* is for ntscc, not deepjscc"):
        load_codec("deepjscc", tiny(codec="ntscc"))


@pytest.mark.parametrize("change", [{"drop": "decoder_up.weight"}, {"add": "extra"}])
def test_weights_load_strictly(tiny, change):
    with pytest.raises(WeightsError, match="do not fit the network"):
        load_codec("deepjscc", tiny(**change))


@pytest.mark.parametrize("content", [b"", b"not a model", np.random.default_rng(1).bytes(5000)])
def test_damaged_weights(tmp_path, content):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_codec("deepjscc", path)


def test_truncated_weights(tiny):
    path = tiny()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_codec("deepjscc", path)


def test_shipped_models_have_cards_and_fit_the_repository():
    assert "deepjscc-photo" in shipped_models()
    for name in shipped_models():
        assert find_model(name).with_suffix(".md").is_file(), f"{name} has no card"
        assert describe_model(name)["bytes"] < 16 * 2**20
