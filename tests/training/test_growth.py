"""A network that starts from a smaller one computes what that one did, until it is trained."""

import copy

import pytest
import torch

from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.nn.noise import awgn
from gr_jscc.nn.window_attention import WindowAttention
from gr_jscc.training.recipe import RecipeError
from gr_jscc.training.start import start_from
from gr_jscc.weights import WeightsError, write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

SMALL = {
    "latents": 16,
    "transforms": {
        "kind": "mixed", "fine": 8, "coarse": 8, "hidden": 8, "analysis_blocks": [1, 1, 1],
        "synthesis_blocks": [1, 1, 1], "attention": {"inner": 8, "heads": 2, "window": 4, "hidden": 8},
    },
    "rates": [2, 4, 8, 16],
    "codec": {"blocks": 1, "inner": 8, "heads": 2, "window": 4, "hidden": 8},
    "hyper": {"width": 8, "channels": 2, "kernel": 3},
    "refine": 8,
}  # fmt: skip


def changed(base, **parts):
    """A network's table with some of it replaced, tables within it key by key."""
    table = copy.deepcopy(base)
    for key, value in parts.items():
        table[key] = changed(table[key], **value) if isinstance(value, dict) else value
    return table


GROWN = {
    "attention channels of the codec": changed(SMALL, codec={"inner": 24}),
    "attention channels of the transforms": changed(SMALL, transforms={"attention": {"inner": 16}}),
    "perceptrons": changed(SMALL, codec={"hidden": 20}, transforms={"attention": {"hidden": 12}}),
    "attention blocks": changed(SMALL, codec={"blocks": 3}, transforms={"analysis_blocks": [1, 1, 3]}),
    "convolution blocks": changed(SMALL, transforms={"analysis_blocks": [2, 3, 1], "synthesis_blocks": [3, 2, 1]}),
    "the hyperprior's kernel": changed(SMALL, hyper={"kernel": 5}),
    "refinement": changed(SMALL, refine=12),
    "all of it": changed(
        SMALL, codec={"inner": 16, "blocks": 2, "hidden": 12}, hyper={"kernel": 5}, refine=16,
        transforms={
            "analysis_blocks": [2, 2, 2], "synthesis_blocks": [2, 2, 2], "attention": {"inner": 16, "hidden": 16},
        },
    ),
}  # fmt: skip


def shaken(network, size=0.05):
    """A network whose every weight counts; a fresh one has whole parts that do nothing."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small network and the file that it is in, of half precision as all are."""
    torch.manual_seed(1)
    network = shaken(NTSCCNetwork(NTSCCConfig(**SMALL)))
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    write_model(path, "ntscc", network.config, network.state_dict(), {})
    with torch.no_grad():
        for value in network.state_dict().values():
            value.copy_(value.half())
    return network, path


@torch.no_grad()
def outputs(network):
    """Everything that a network computes of two pictures, through the same noise."""
    images = torch.rand(2, 3, 80, 112, generator=torch.Generator().manual_seed(2))
    quality, eta, snr = torch.tensor([0.2, 0.8]), torch.tensor([0.3, 0.5]), torch.tensor([5.0, 15.0])
    noise = torch.Generator().manual_seed(3)
    latents = network.transforms.analyse(images)
    modelled = network.model(latents, quality)
    result = network(images, quality, eta, lambda symbols: awgn(symbols, snr, noise), 2)
    return {"latents": latents, "mean": modelled.mean, "scale": modelled.scale, **result}


@pytest.mark.parametrize("name", GROWN)
def test_a_grown_network_computes_what_it_grew_from(model, tmp_path, name):
    network, path = model
    torch.manual_seed(7)
    grown = NTSCCNetwork(NTSCCConfig(**GROWN[name])).eval()
    start_from(grown, str(path), tmp_path)
    expected, found = outputs(network), outputs(grown)
    assert expected.keys() == found.keys() and "transmitted" in found and "compressed" in found
    for key, value in expected.items():
        assert torch.allclose(found[key], value, atol=2e-4, rtol=1e-4), (key, (found[key] - value).abs().max())


def test_more_hyperlatents_leave_the_latents_and_what_is_sent_of_the_old_ones(model, tmp_path):
    """New hyperlatents have bits of their own; what does not involve them stays."""
    network, path = model
    torch.manual_seed(7)
    grown = NTSCCNetwork(NTSCCConfig(**changed(SMALL, hyper={"channels": 4, "kernel": 5}))).eval()
    start_from(grown, str(path), tmp_path)
    expected, found = outputs(network), outputs(grown)
    for key in ("latents", "mean", "scale", "bits", "transmitted", "compressed"):
        assert torch.allclose(found[key], expected[key], atol=2e-4, rtol=1e-4), key
    values = expected["latents"]
    with torch.no_grad():
        old, new = network.hyperprior.summarise(values), grown.hyperprior.summarise(values)
    assert torch.allclose(new[:, :2], old, atol=1e-5) and new.shape[1] == 4


@pytest.mark.parametrize("refine", [8, 12])
def test_more_latents_and_rates_leave_what_is_sent_of_the_old_ones(model, tmp_path, refine):
    """Layer normalisations average over all channels, so only networks whose attention does nothing stay the same."""
    small = NTSCCNetwork(NTSCCConfig(**changed(SMALL, innovations=8))).eval()
    for key, value in shaken(small).named_parameters():
        if ".attention.output." in key or ".reduce." in key:
            value.detach().zero_()
    write_model(tmp_path / "small.safetensors", "ntscc", small.config, small.state_dict(), {})
    small.load_state_dict({key: value.half() for key, value in small.state_dict().items()})
    torch.manual_seed(7)
    larger = changed(SMALL, innovations=8, refine=refine, latents=24, rates=[2, 4, 8, 16, 24])
    grown = NTSCCNetwork(NTSCCConfig(**larger)).eval()
    grown.start_linear(torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(1)))
    start_from(grown, str(tmp_path / "small.safetensors"), tmp_path)
    assert torch.equal(grown.encoder.log_gain.weight[-1], grown.encoder.log_gain.weight[-2])
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        old, new = small.transforms.analyse(images), grown.transforms.analyse(images)
        assert torch.allclose(new[:, :16], old, atol=1e-5) and new[:, 16:].std() > 0.01
        quality, index = torch.tensor([0.2, 0.8]), torch.randint(4, (2, 4, 6))
        first, second = small.model(old, quality), grown.model(new, quality)
        # The hyperprior hears nothing of the new ones.
        assert torch.allclose(second.mean[:, :16], first.mean, atol=1e-4) and (second.mean[:, 16:] == 0).all()
        assert torch.allclose(second.scale[:, :16], first.scale, atol=1e-4)
        sent, got = (
            network.modulate(latents, index, network.prior(latents, modelled.mean, modelled.scale))
            for network, latents, modelled in ((small, old, first), (grown, new, second))
        )
        assert torch.allclose(got[0][:, :8], sent[0], atol=1e-4) and not got[1][:, 8:].any()
        numbers = torch.zeros(2, 4)
        trust = torch.rand(old.shape)
        shown = small.transforms.synthesise(old, trust, numbers)
        wider = grown.transforms.synthesise(new, torch.cat([trust, torch.ones(2, 8, 4, 6)], dim=1), numbers)
        assert torch.allclose(wider, shown, atol=1e-4)


def test_what_was_grown_can_learn(model, tmp_path):
    """New parts do nothing yet, but gradients reach them: none is dead on both of its sides."""
    torch.manual_seed(7)
    grown = NTSCCNetwork(NTSCCConfig(**GROWN["all of it"]))
    start_from(grown, str(model[1]), tmp_path)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    one = torch.ones(1)
    optimiser = torch.optim.SGD(grown.parameters(), 1e-2)
    for _ in range(2):  # behind an output that is zero, the second step is the first that comes through
        result = grown(images, one / 2, one / 2, lambda s: awgn(s, 10 * one, torch.Generator().manual_seed(3)), 1)
        loss = (result["transmitted"] - images).square().mean() + 1e-3 * result["bits"].mean()
        optimiser.zero_grad()
        loss.backward()
        if not hasattr(grown, "before"):
            grown.before = {key: value.detach().clone() for key, value in grown.named_parameters()}
        optimiser.step()
    for key in ("encoder.blocks.blocks.1.attention.output.weight", "decoder.blocks.blocks.1.reduce.weight"):
        assert not torch.equal(dict(grown.named_parameters())[key], grown.before[key]), key
    output = dict(grown.named_parameters())["encoder.blocks.blocks.0.attention.output.weight"]
    moved = (output - grown.before["encoder.blocks.blocks.0.attention.output.weight"]).unflatten(1, (2, -1))
    assert (moved[:, :, 4:].abs().sum((0, 2)) > 0).all()  # of each head, the channels that are new


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("shift", [0, 2])
def test_wider_attention_is_the_same_attention(heads, shift):
    torch.manual_seed(heads)
    small = shaken(WindowAttention(12, 8, heads, 4, shift), 0.5)
    large = WindowAttention(12, 20, heads, 4, shift)
    tensors = small.state_dict() | large.grown(small.state_dict())
    large.load_state_dict(tensors)
    x = torch.randn(2, 9, 7, 12, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        assert torch.allclose(large(x), small(x), atol=1e-5)
    assert small.grown(small.state_dict()) == {} and large.grown({}) == {}


def test_a_start_that_cannot_be_had_is_one_line(tmp_path):
    network = NTSCCNetwork(NTSCCConfig(**SMALL))
    with pytest.raises(WeightsError, match="weights not found: nobody"):
        start_from(network, "nobody", tmp_path)
    for name, data in (("cut", b"\x10\0\0\0\0\0\0\0{"), ("empty", b"")):
        (tmp_path / f"{name}.safetensors").write_bytes(data)
        with pytest.raises(WeightsError, match="cannot be read") as told:
            start_from(network, str(tmp_path / f"{name}.safetensors"), tmp_path)
        assert "\n" not in str(told.value)
    for name in ("banana", "successive-single-2"):
        with pytest.raises(RecipeError, match=f"start_from: {name} is another kind of model"):
            start_from(network, name, tmp_path)
    with pytest.raises(RecipeError, match="banana has no tensor in common"):
        start_from(WindowAttention(12, 8, 2, 4, 0), "banana", tmp_path)
