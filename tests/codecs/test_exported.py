"""Models exported from any framework: TorchScript, torch.export and ONNX files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.exported import Exported, exported_module
from gr_jscc.codecs.registry import load_codec

# Averages of 8×8 pixels and back, written with the `onnx` package.
DATA = Path(__file__).parents[1] / "data"
pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.torch.jit.*deprecated"),
]


class Down(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, 8) * self.gain


class Up(nn.Module):
    def forward(self, z, snr_db):
        return z.repeat_interleave(8, 2).repeat_interleave(8, 3) + 0 * snr_db[:, None, None, None]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Halves of all kinds, of any size and of pictures of 16×16 one at a time."""
    folder = tmp_path_factory.mktemp("exported")
    for name in ("averages-encoder.onnx", "averages-decoder.onnx"):
        shutil.copy(DATA / name, folder)
    torch.jit.script(Down()).save(folder / "down.pt")
    torch.jit.script(Up()).save(folder / "up.ts")
    export = torch.export
    x, z, snr = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 2, 2), torch.ones(1)
    torch.export.save(export.export(Down().eval(), (x,)), folder / "down16.pt2")
    torch.export.save(export.export(Up().eval(), (z, snr)), folder / "up16.pt2")
    (folder / "broken.onnx").write_bytes(b"not a model")
    (folder / "broken.pt2").write_bytes(b"not a model")
    (folder / "broken.pt").write_bytes(b"not a model")
    return folder


def described(folder, **values):
    path = folder / "model.toml"
    path.write_text("".join(f"{key} = {value!r}\n".replace("True", "true") for key, value in values.items()))
    return path


@pytest.mark.parametrize(
    ("encoder", "decoder", "options"),
    [
        ("averages-encoder.onnx", "averages-decoder.onnx", {"multiple": 8}),
        ("down.pt", "up.ts", {"multiple": 8}),
        ("down16.pt2", "up16.pt2", {"tile": 16}),
        ("down16.pt2", "averages-decoder.onnx", {"tile": 16, "adaptive": True, "pixels": [-1, 1.0], "snr_db": 3}),
    ],
)
def test_pictures_cross(files, encoder, decoder, options):
    path = described(files, encoder=encoder, decoder=decoder, **options)
    codec = load_codec("gr_jscc.codecs.exported:Exported", path)
    assert codec.weights_name == "model" and codec.name == "exported"
    # Three tiles across and two down, of averages that are exact.
    image = np.repeat(np.repeat(np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8), 8, 0), 8, 1)
    payload = codec.transmitter(0.5).start(image)
    assert len(payload.symbols) == 36
    reception = Reception(payload.symbols, np.full(36, 1e-9, np.float32), payload.side_info)
    shown = codec.receiver(32, 48).push(reception)
    assert np.abs(shown.astype(int) - image).max() <= 1
    assert codec.receiver(30, 41).push(reception).shape == (30, 41, 3)


def test_other_files_are_other_weights(files):
    one = Exported(described(files, encoder="down.pt", decoder="up.ts", multiple=8)).weights_hash
    other = Exported(described(files, encoder="averages-encoder.onnx", decoder="up.ts", multiple=8)).weights_hash
    assert one != other
    assert one == Exported(described(files, encoder="down.pt", decoder="up.ts", multiple=8)).weights_hash


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"encoder": "down.pt"}, "decoder is missing"),
        (
            {"encoder": "down.pt", "decoder": "up.ts", "size": 8},
            "unknown key 'size'; known: encoder, decoder, multiple",
        ),
        ({"encoder": "down.pt", "decoder": 3}, "decoder cannot be 3"),
        ({"encoder": "down.pt", "decoder": "up.ts", "tile": -1}, "tile cannot be -1"),
        ({"encoder": "down.pt", "decoder": "up.ts", "adaptive": 1}, "adaptive cannot be 1"),
        ({"encoder": "down.pt", "decoder": "up.ts", "pixels": [0]}, r"pixels cannot be \[0\]"),
        ({"encoder": "none.pt", "decoder": "up.ts"}, "no such file: .*/none.pt"),
        ({"encoder": "model.toml", "decoder": "up.ts"}, "exported models end in .onnx, .pt2, .pt, .ts"),
        ({"encoder": "broken.onnx", "decoder": "up.ts"}, "broken.onnx cannot be read: InvalidProtobuf"),
        ({"encoder": "broken.pt", "decoder": "up.ts"}, "broken.pt cannot be read: RuntimeError"),
        ({"encoder": "broken.pt2", "decoder": "up.ts"}, "broken.pt2 cannot be read: "),
        ({"encoder": "down16.pt2", "decoder": "up16.pt2", "multiple": 8}, "the modules do not work together"),
    ],
)
def test_what_is_no_exported_model_is_one_line(files, values, told):
    with pytest.raises(CodecError, match=told) as raised:
        Exported(described(files, **values))
    assert "\n" not in str(raised.value)


def test_without_weights_or_with_a_file_that_is_no_table(tmp_path):
    with pytest.raises(CodecError, match="--weights must name a TOML file"):
        Exported()
    with pytest.raises(CodecError, match="exported model"):
        Exported(tmp_path / "none.toml")


def test_more_pictures_than_were_exported_at_a_time(files):
    module = exported_module(files / "down16.pt2")
    pictures = torch.rand(5, 3, 16, 16)
    assert module.batch == 1 and module.names == ["x"]
    assert torch.allclose(module(pictures), Down()(pictures), atol=1e-6)
