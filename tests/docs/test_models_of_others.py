"""docs/guide/models-of-others.md: its adapters, with stand-ins that have the interfaces of the models of others."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import foreign
import numpy as np
import pytest
import torch
from pages import ROOT, blocks

from gr_jscc.codecs.base import CodecError, Reception, channel_uses
from gr_jscc.codecs.parts.pixels import to_picture, to_pixels
from gr_jscc.codecs.registry import load_codec
from gr_jscc.contract.apart import Apart
from gr_jscc.contract.check import FAILED
from gr_jscc.contract.checks import CHECKS, run_checks
from gr_jscc.contract.crossing import reception
from gr_jscc.contract.subject import Subject
from gr_jscc.host.main import main
from gr_jscc.imaging import save_image

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("one_thread")]
PAGE = ROOT / "docs/guide/models-of-others.md"
ADAPTERS = dict(zip(("Kaira", "DeepJSCC", "SwinJSCC"), (b.text for b in blocks(PAGE) if b.language == "python")))
# Stand-ins are not trained; the others start processes, or take long, and ask no more of an adapter.
LEFT_OUT = {"quality", "nothing but payload", "sweep worker", "speed"}
QUIET = 1e-9  # noise variance


@dataclass(frozen=True)
class Case:
    """A model of others as its user has it: where its adapter is, its checkpoint, and what the model itself shows.

    Attributes:
        own: takes pixels [1, 3, H, W] and channels to be sent, and gives what the model's own code makes of them
            without noise.
    """

    place: str
    weights: Path
    own: Callable

    def load(self):
        return load_codec(self.place, self.weights)


def kaira_model():
    image, parts = importlib.import_module("kaira.models.image"), importlib.import_module("kaira.models")
    constraint = importlib.import_module("kaira.constraints").AveragePowerConstraint(1.0)
    encoder, decoder = image.Tung2022DeepJSCCQ2Encoder(N=16, M=16), image.Tung2022DeepJSCCQ2Decoder(N=16, M=16)
    net = parts.DeepJSCCModel(encoder, constraint, None, decoder)

    def own(pixels, _):
        return net.decoder(net.constraint(net.encoder(pixels, torch.tensor([10.0]))), csi=torch.tensor([90.0]))

    return net, own


def deep_jscc_model():
    net = importlib.import_module("model").DeepJSCC(c=8)
    return net, lambda pixels, _: net(pixels)


def swinjscc_model():
    both = {"model": "SwinJSCC_w/_SAandRA", "img_size": (256, 256), "C": None, "window_size": 8, "depths": [2, 2, 6, 2]}
    encoder = importlib.import_module("net.encoder").create_encoder(
        patch_size=2, in_chans=3, embed_dims=[128, 192, 256, 320], num_heads=[4, 6, 8, 10], **both
    )
    decoder = importlib.import_module("net.decoder").create_decoder(
        embed_dims=[320, 256, 192, 128], num_heads=[10, 8, 6, 4], **both
    )

    def own(pixels, rate):
        encoder.update_resolution(*pixels.shape[2:])
        decoder.update_resolution(pixels.shape[2] // 16, pixels.shape[3] // 16)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
            patch.setattr(torch.Tensor, "get_device", lambda tensor: tensor.device)
            feature, mask = encoder(pixels, 10.0, rate, both["model"])
            return decoder(feature * mask, 90.0, both["model"])

    return torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder}), own


MODELS = {
    "Kaira": (foreign.KAIRA, kaira_model),
    "DeepJSCC": (foreign.DEEP_JSCC_PYTORCH, deep_jscc_model),
    "SwinJSCC": (foreign.SWINJSCC, swinjscc_model),
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Adapters in folders with stand-ins and checkpoints. All is forgotten afterwards: others may have their names."""
    path, modules, found = list(sys.path), set(sys.modules), {}
    for seed, (name, (files, make)) in enumerate(MODELS.items()):
        folder = tmp_path_factory.mktemp(name)
        foreign.lay(folder, files)
        (folder / "on_air.py").write_text(ADAPTERS[name])
        sys.path.insert(0, str(folder))  # before what may be installed
        torch.manual_seed(seed)
        net, own = make()
        torch.save(net.state_dict(), folder / "checkpoint")
        found[name] = Case(f"{folder}/on_air.py:{name}", folder / "checkpoint", own)
    yield found
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in ("kaira", "model", "channel", "net"):
            del sys.modules[name]


@pytest.fixture(params=MODELS)
def case(cases, request):
    return cases[request.param]


@pytest.fixture(scope="module")
def apart():
    with Apart() as apart:
        yield apart


def test_the_page_has_an_adapter_for_each():
    assert list(ADAPTERS) == list(MODELS) and len([b for b in blocks(PAGE) if b.language == "python"]) == len(MODELS)


@pytest.mark.parametrize("channels", [32, 192])
def test_without_noise_a_picture_is_what_the_model_itself_makes_of_it(case, photo, channels):
    codec, image = case.load(), photo[100:356, 200:584]
    cbr = channels / 1536 if codec.name == "swinjscc" else 1 / 6
    sent = codec.transmitter(cbr).start(image)
    assert len(sent.symbols) == channel_uses(cbr, *image.shape[:2])
    with torch.inference_mode():
        own = to_picture(case.own(to_pixels(image, *image.shape[:2], "cpu"), channels), *image.shape[:2])
    shown = codec.receiver(*image.shape[:2]).push(reception(sent, QUIET))
    assert own.std() > 1 and np.abs(shown.astype(int) - own).max() <= 1


def test_it_keeps_the_contract(case, apart):
    subject = Subject(case.place, str(case.weights), apart=apart)
    verdicts = run_checks(subject, [check for check in CHECKS if check.name not in LEFT_OUT])
    assert {v.check.name: v.detail for v in verdicts if v.result == FAILED} == {}


def test_without_a_checkpoint_it_says_so(case):
    with pytest.raises(CodecError, match="no checkpoint: give --weights"):
        load_codec(case.place)


def test_the_program_prints_rows_and_nothing_else(case, small_photo, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "photo.png", small_photo)
    given = ["--codec", case.place, "--weights", str(case.weights), "--cbr", "1/6", "--ideal", "--json"]
    with pytest.raises(SystemExit) as end:
        main(["loopback", "photo.png", *given])
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert end.value.code == 0 and row["arrived"] and row["cbr_payload"] < row["cbr_total"]


def test_two_checkpoints_of_deep_jscc_do_not_disturb_each_other(cases, small_photo):
    """All its decoders share one PReLU: the checkpoint that is loaded last would change them all."""
    case = cases["DeepJSCC"]
    first = case.load()
    sent = first.transmitter(1 / 6).start(small_photo)
    before = first.receiver(*small_photo.shape[:2]).push(reception(sent, QUIET))
    state = torch.load(case.weights, weights_only=True)
    state["decoder.tconv1.activate.weight"] = torch.tensor([5.0])
    torch.save(state, case.weights.with_name("other"))
    load_codec(case.place, case.weights.with_name("other"))
    assert np.array_equal(before, first.receiver(*small_photo.shape[:2]).push(reception(sent, QUIET)))


def test_swinjscc_sends_its_mask_and_as_many_channels_as_the_cbr_allows(cases, small_photo):
    codec, image = cases["SwinJSCC"].load(), small_photo[:128]
    for cbr, channels in {1 / 48: 32, 1 / 40: 32, 1 / 24: 64, 1 / 16: 96, 1 / 12: 128, 1 / 8: 192, 1.0: 192}.items():
        sent = codec.transmitter(cbr).start(image)
        mask = np.unpackbits(np.frombuffer(sent.side_info[2:], np.uint8))
        assert len(mask) == 320 and mask.sum() == channels and len(sent.symbols) == channels * 8 * 16 / 2
    with pytest.raises(CodecError, match="supports a CBR from 1/48"):
        codec.transmitter(1 / 50)
    with pytest.raises(CodecError, match="too small"):
        codec.check_size(128, 129, 1 / 48)


def test_a_mask_of_another_rate_shows_grey(cases, small_photo):
    codec, image = cases["SwinJSCC"].load(), small_photo[:128]
    low, high = (codec.transmitter(cbr).start(image) for cbr in (1 / 48, 1 / 24))
    receiver, noise_var = codec.receiver(*image.shape[:2]), np.ones(len(low.symbols), np.float32)
    receiver.push(Reception(low.symbols, noise_var, high.side_info))
    assert receiver.shows_grey
    receiver.push(Reception(low.symbols, noise_var, low.side_info))
    assert not receiver.shows_grey
