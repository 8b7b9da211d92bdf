"""Weights files that somebody has made or changed: one line says what is wrong, and nothing of their sizes is made."""

import contextlib
import copy
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save

from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.weights import WeightsError, read_model
from gr_jscc.weights.loading import ConfigError, check_values

pytestmark = pytest.mark.timeout(60)

MODELS = {
    "deepjscc": "deepjscc-photo", "hjscc": "hjscc-cifar", "ntscc": "ntscc-cifar",
    "successive-residual": "successive-residual-2", "successive-multiple": "successive-multiple-2",
    "successive-single": "successive-photo",
}  # fmt: skip
HUGE = 10**9
EVERY = 11  # of the odd values, for each place others


@pytest.fixture(scope="module")
def models():
    return {codec: read_model(name, codec) for codec, name in MODELS.items()}


@pytest.fixture
def refused(models, tmp_path):
    """Writes a model with another configuration, or other tensors, and returns the line by which it is refused."""

    def load(codec, config=None, tensors=None, text=None, metadata=None):
        path = tmp_path / "odd.safetensors"
        model = models[codec]
        text = json.dumps(model.config if config is None else config) if text is None else text
        metadata = {"codec": codec, "config": text} if metadata is None else metadata
        half = {key: value.half() for key, value in (model.tensors if tensors is None else tensors).items()}
        path.write_bytes(save(half, metadata=metadata))
        before, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(WeightsError) as caught:
            load_codec(codec, path)
        assert time.monotonic() - before < 5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # KiB
        line = str(caught.value)
        assert "odd" in line and line.isprintable() and len(line) < 400
        return line

    return load


def changed(config, path, value):
    """A copy with one value replaced, or removed where it is ``...``."""
    config = copy.deepcopy(config)
    *outer, last = path
    place = config
    for key in outer:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


def leaves(value, path=()):
    """Paths of all that is in a configuration, tables and lists too."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


ODD = [HUGE, 10**30, 65536, -1, "x", "x" * 100, None, float("nan"), float("inf"), [], [1] * 200, {"a": 1}, [[[]]], -0.5]


@pytest.mark.parametrize("codec", MODELS)
def test_whatever_is_put_for_whatever(models, tmp_path, codec):
    """Each value of each configuration by each odd one: refused in one line, or the codec works."""
    model = models[codec]
    half = {key: value.half() for key, value in model.tensors.items()}
    path = tmp_path / "odd.safetensors"
    image = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
    refused = total = 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, place in enumerate(leaves(model.config)):
        for odd in ODD[number % EVERY :: EVERY]:
            data = save(half, metadata={"codec": codec, "config": json.dumps(changed(model.config, place, odd))})
            path.write_bytes(data)
            total += 1
            try:
                odd_codec = load_codec(codec, path)
            except WeightsError as error:
                refused += 1
                assert str(error).isprintable() and len(str(error)) < 400
            else:
                with contextlib.suppress(CodecError):  # a rate at which so small a picture cannot be sent
                    payload = odd_codec.transmitter(odd_codec.cbr_range[1]).start(image)
                    noise_var = np.full(len(payload.symbols), 0.1)
                    odd_codec.receiver(24, 40).push(Reception(payload.symbols, noise_var, payload.side_info))
    assert refused > 0.8 * total
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB


@pytest.mark.parametrize(
    "codec, path, value, says",
    [
        ("deepjscc", ["coarse"], HUGE, "coarse is out of range"),
        ("deepjscc", ["coarse"], 65536, "bad configuration|do not fit"),
        ("deepjscc", ["decoder_blocks"], [3, 65536], "many more tensors than the file has"),
        ("deepjscc", ["encoder_blocks"], [2], "IndexError"),
        ("deepjscc", ["nosuch"], 1, "unexpected keyword argument 'nosuch'"),
        ("hjscc", ["levels", 0, "group"], 0, "group must be"),
        ("hjscc", ["levels", 0, "group"], 60_000, "group must be"),
        ("hjscc", ["levels", 0, "group"], 1.5, "group must be"),
        ("hjscc", ["levels", 0, "rates"], ..., "KeyError: 'rates'"),
        ("hjscc", ["steps"], [100.0], "steps must be two"),
        ("hjscc", ["eta"], -1.0, "number above 0"),
        ("hjscc", ["eta"], float("nan"), "eta is nan"),
        ("hjscc", ["attention"], "no", "true or false"),
        ("ntscc", ["rates", 0], 65536, "rates must be"),
        ("ntscc", ["adaptive"], 1, "true or false"),
        ("ntscc", ["eta"], "much", "eta must be a number"),
        ("ntscc", ["transforms", "kind"], "nosuch", "KeyError: 'nosuch'"),
        ("ntscc", ["codec", "heads"], 0, "ZeroDivisionError"),
        ("ntscc", ["codec", "window"], 60_000, "window's side"),
        ("successive-residual", ["layers"], 65536, "many more tensors"),
        ("successive-residual", ["kind"], "nosuch", "nosuch"),
        ("successive-residual", ["design_snr_db"], "loud", "design_snr_db must be a number"),
        ("successive-residual", ["decoder", "passes"], 60_000, "do not fit"),
        ("successive-multiple", ["fading"], 3, "true or false"),
        ("successive-single", ["layers"], 5, "do not fit"),
        ("successive-single", ["design", "fine"], 97, "do not fit"),
    ],
)
def test_the_line_says_what_is_wrong(models, refused, codec, path, value, says):
    line = refused(codec, changed(models[codec].config, path, value))
    assert any(part in line for part in says.split("|")), line


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", "[" * 100_000, "1" * 10_000, '{"a": NaN', "\x1b[2J"])
def test_configurations_that_are_no_table(refused, text):
    assert "bad configuration" in refused("deepjscc", text=text)


def test_a_file_without_a_configuration(refused):
    assert "bad configuration" in refused("deepjscc", metadata={"codec": "deepjscc"})
    assert "is for nobody, not deepjscc" in refused("deepjscc", metadata={})
    assert "is for \\x1b[2Jx, not deepjscc" in refused("deepjscc", metadata={"codec": "\x1b[2Jx"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("codec", ["deepjscc", "ntscc", "successive-residual"])
def test_weights_that_are_not_finite(models, refused, codec, value):
    name = list(models[codec].tensors)[3]
    odd = models[codec].tensors[name].clone()
    odd.view(-1)[-1] = value
    assert f"not finite: odd: {name}" in refused(codec, tensors=models[codec].tensors | {name: odd})


@pytest.mark.parametrize("codec", ["hjscc", "successive-single"])
def test_tensors_of_another_shape(models, refused, codec):
    name = list(models[codec].tensors)[0]
    odd = models[codec].tensors | {name: torch.zeros(3, 5)}
    assert f"do not fit the network: odd: {name} is [3, 5], not [" in refused(codec, tensors=odd)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a/" * 3000, "\x1b[2J"])
def test_names_that_no_file_has(name):
    with pytest.raises(WeightsError, match="weights not found") as caught:
        load_codec("deepjscc", name)
    assert str(caught.value).isprintable()


def test_values_that_every_configuration_may_have():
    check_values({"a": [1, 0, 65536, -3.5, True, {"b": "text"}], "c": {}})
    for value in (65537, -1, float("nan"), "x" * 41, None, [[[[[[[[[1]]]]]]]]]):
        with pytest.raises(ConfigError):
            check_values({"a": value})


def test_loading_needs_no_compiler():
    """Some of torch's operations without memory import it: a second, and 100 MB."""
    lines = [f"load_codec({codec!r}, {name!r})" for codec, name in MODELS.items()]
    end = "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    program = "\n".join(["import sys", "from gr_jscc.codecs.registry import load_codec", *lines, end])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
