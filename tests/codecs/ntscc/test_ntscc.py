"""NTSCC's two halves: rate, power, exact side information, faults, and that training computes the same."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.hyper_coding import LARGEST
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.codecs.ntscc.side_info import SideInfo, SideInfoCoder
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.codecs.parts.side_info_check import protect
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.nn import tiles
from gr_jscc.nn.entropy_models import FactorisedPrior
from gr_jscc.weights import write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]


ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
TINY = {
    "latents": 32,
    "transforms": {"kind": "windows", "widths": [8, 8], "blocks": [1, 1], "heads": 2, "window": 4},
    "rates": list(range(2, 33, 2)),
    "codec": {"blocks": 2, **ATTENTION},
    "hyper": {"width": 8, "channels": 3, "kernel": 3},
    "refine": 8,
    "multipliers": [3000.0, 60.0],
    "eta": 0.6,
}
MIXED = {
    **TINY,
    "latents": 64,
    "rates": [16, 32, 64],
    "transforms": {
        "kind": "mixed", "fine": 8, "coarse": 16, "hidden": 8, "analysis_blocks": [1, 1, 1],
        "synthesis_blocks": [1, 2, 1], "attention": ATTENTION,
    },
}  # fmt: skip
CONFIGS = {
    "windows": TINY,
    "mixed": MIXED,
    "innovations": {**TINY, "innovations": 8},
    "comparison-i": {**TINY, "refine": 0},
    "comparison-ii": {**TINY, "refine": 0, "adaptive": False},
}


def stirred(network):
    """A fresh network with something in all that starts at zero, so that no part is a mere identity."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if not parameter.any() and "head" not in name:
            parameter.data.normal_(std=0.02, generator=generator)
    return network


@pytest.fixture(scope="module")
def crops(photo):
    pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255
    cut = pixels.unfold(1, 64, 64).unfold(2, 64, 64)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64)


@pytest.fixture(scope="module")
def codecs(tmp_path_factory, crops):
    """Codecs whose networks are linear codes of the photo, and a little disturbed."""
    folder, made = tmp_path_factory.mktemp("ntscc"), {}
    for name, config in CONFIGS.items():
        torch.manual_seed(1)
        network = NTSCCNetwork(NTSCCConfig(**config))
        network.start_linear(crops)
        stirred(network)
        write_model(folder / f"{name}.safetensors", "ntscc", network.config, network.state_dict(), {})
        made[name] = NTSCC(folder / f"{name}.safetensors")
    return made


def through(codec, image, cbr, snr_db, rng, lost=0.0):
    """One image over white noise, a share of its symbols erased."""
    payload = codec.transmitter(cbr).start(image)
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, rng)
    gone = rng.random(len(symbols)) < lost
    symbols[gone], variance[gone] = 0, np.inf
    return codec.receiver(*image.shape[:2]).push(Reception(symbols, variance, payload.side_info))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [(64, 64), (61, 47)])
def test_payload_keeps_to_the_rate_and_has_power_one(codecs, photo, name, size):
    codec = codecs[name]
    image = photo[150 : 150 + size[0], 100 : 100 + size[1]]
    lowest, highest = codec.cbr_range
    used = []
    for cbr in (lowest * 2.5, highest * 0.5):
        payload = codec.transmitter(cbr).start(image)
        used.append(len(payload.symbols) / (cbr * 3 * size[0] * size[1]))
        assert used[-1] <= 1
        assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=1e-3)
    assert used[-1] > (0.9 if codec.network.adaptive else 0.5)


@pytest.mark.parametrize("cbr", [0.0, -1.0, 0.9, float("nan")])
def test_a_rate_out_of_range_is_refused(codecs, cbr):
    with pytest.raises(CodecError, match="supports a CBR from 1/48 to 1/3, not"):
        codecs["windows"].transmitter(cbr)


def test_a_picture_too_small_for_its_padding_is_refused(codecs):
    with pytest.raises(CodecError, match="1x1 picture is too small"):
        codecs["windows"].transmitter(1 / 12).start(np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("name", CONFIGS)
def test_pictures_arrive_better_with_snr_and_rate(codecs, small_photo, rng, name):
    codec = codecs[name]
    highest = codec.cbr_range[1]
    over_snr = [psnr_db(small_photo, through(codec, small_photo, highest / 2, snr, rng)) for snr in (0, 10, 20)]
    assert over_snr[-1] > 24 and (np.diff(over_snr) > 0.5).all(), over_snr
    over_rate = [psnr_db(small_photo, through(codec, small_photo, share * highest, 15, rng)) for share in (0.3, 0.9)]
    assert over_rate[1] > over_rate[0] + 1, over_rate


def test_rates_follow_the_content(codecs, small_photo):
    """Half of a picture plain: it is given a small part of the channel."""
    image = small_photo.copy()
    image[:, :128] = 90
    codec = codecs["windows"]
    latents = codec.analyse(image)
    plan = codec.plan(latents, int(codec.cbr_range[1] / 4 * image.size))
    rates = codec.rates[plan.index]
    assert rates[:, :30].mean() < 0.8 * rates[:, 34:].mean()


def test_a_given_eta_is_kept(codecs, small_photo):
    codec = codecs["windows"]
    latents = codec.analyse(small_photo)
    try:
        codec.eta = 0.4
        plan = codec.plan(latents, int(codec.cbr_range[1] / 2 * small_photo.size))
    finally:
        del codec.eta
    assert plan.eta == 0.4 and plan.quality > 0
    free = codec.plan(latents, int(codec.cbr_range[1] / 2 * small_photo.size))
    assert free.eta != 0.4


@pytest.mark.parametrize("name", ["windows", "innovations"])
def test_the_halves_compute_what_training_does(codecs, small_photo, name):
    """`NTSCCNetwork.transmit` and the two halves, through the same noise."""
    codec = codecs[name]
    network = codec.network
    payload = codec.transmitter(codec.cbr_range[1] / 2).start(small_photo)
    plan = codec.plan(codec.analyse(small_photo), len(payload.symbols))
    drawn = noise(payload.symbols.shape, np.float32(0.05), np.random.default_rng(1))
    index = torch.from_numpy(plan.index)[None]
    sent = network.sent(index)[:, 0::2]

    def channel(symbols):
        in_order = torch.zeros(symbols[0].permute(1, 2, 0).shape, dtype=torch.complex64)
        in_order[sent[0].permute(1, 2, 0)] = torch.from_numpy(drawn)
        return symbols + in_order.permute(2, 0, 1)[None], torch.full(symbols.shape, 0.05)

    pixels = torch.from_numpy(small_photo.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        latents = network.transforms.analyse(pixels)
        modelled = network.model(latents, torch.tensor([plan.quality / 255]))
        assert torch.equal(network.rate_index(modelled.bits, torch.tensor([plan.eta])), index)
        trained = network.transmit(latents, modelled, index, channel)[0].permute(1, 2, 0)
    reception = Reception(payload.symbols + drawn, np.full(len(drawn), 0.05, np.float32), payload.side_info)
    halves = codec.receiver(*small_photo.shape[:2]).push(reception)
    difference = np.abs(halves.astype(float) - (trained.clamp(0, 1) * 255).numpy())
    assert difference.max() < 0.52  # rounding to whole grey levels


@torch.inference_mode()
def test_only_what_the_hyperprior_leaves_open_takes_power():
    """Latents of which both ends know one half well: with innovations the symbols carry the other half."""
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(1, 32, 8, 8, generator=generator)
    spread = torch.full_like(mean, 0.05)
    spread[:, ::2] = 1.0
    latents = mean + spread * torch.randn(mean.shape, generator=generator)
    index, quiet = torch.full((1, 8, 8), 15), torch.full((1, 16, 8, 8), 1e-2)
    errors = {}
    for name in ("windows", "innovations"):
        network = NTSCCNetwork(NTSCCConfig(**CONFIGS[name]))  # fresh: linear
        prior = network.prior(latents, mean, spread)
        symbols, _, scale = network.modulate(latents * network.amplitude, index, prior)
        values = torch.stack([symbols.real, symbols.imag], dim=2).flatten(1, 2)
        if name == "innovations":
            power = values.square().mean((0, 2, 3))
            assert power[::2].mean() > 10 * power[1::2].mean()
        values = values * scale
        gain, offset = network.encoder.gain(index, prior), network.encoder.offset(prior)
        noise_var = (quiet * scale.square() / 2).repeat_interleave(2, dim=1)
        noisy = values + noise_var.sqrt() * torch.randn(values.shape, generator=generator)
        sent = network.sent(index)
        estimate, trust = network.decoder(noisy, noise_var, gain, offset, index, sent, prior)
        error = (estimate - latents).square()
        errors[name] = float((error / spread.square()).mean())
        assert float(error.mean()) == pytest.approx(float((1 - trust).mean()), rel=0.1)  # as it says itself
    assert errors["innovations"] < 0.6 * errors["windows"]


def test_side_information_is_what_the_transmitter_meant_on_100_odd_sizes(codecs, photo, rng):
    codec = codecs["windows"]
    for _ in range(100):
        height, width = rng.integers(5, 90, 2)
        top, left = rng.integers(0, 512 - height), rng.integers(0, 768 - width)
        image = photo[top : top + height, left : left + width]
        plan = codec.plan(codec.analyse(image), int(0.2 * 3 * height * width))
        hyper = plan.hyper[0].long().numpy()
        meant = SideInfo(77, plan.quality, hyper, plan.index)
        data = codec.side_info.pack(meant, height, width)
        got = codec.side_info.unpack(data, height, width, plan.index.shape, hyper.shape[1:])
        assert (got.scale, got.quality) == (77, plan.quality)
        assert np.array_equal(got.hyper, hyper) and np.array_equal(got.index, plan.index)


OTHER_PROCESS = """
import sys
import numpy as np, torch
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.ntscc.codec import NTSCC
torch.set_num_threads(1)
codec = NTSCC(sys.argv[1])
torch.set_default_dtype(torch.float64)
data = np.load(sys.argv[2])
side = codec.side_info.unpack(data["side_info"].tobytes(), 61, 83, (16, 21), (4, 6))
torch.set_default_dtype(torch.float32)
reception = Reception(data["symbols"], data["noise_var"], data["side_info"].tobytes())
np.savez(sys.argv[3], hyper=side.hyper, index=side.index, picture=codec.receiver(61, 83).push(reception))
"""


def test_another_process_with_other_threads_and_dtype_reads_the_same(codecs, photo, tmp_path):
    codec = codecs["windows"]
    image = photo[200:261, 300:383]
    payload = codec.transmitter(0.15).start(image)
    noise_var = np.full(len(payload.symbols), 0.01, np.float32)
    side_info = np.frombuffer(payload.side_info, np.uint8)
    np.savez(tmp_path / "sent.npz", symbols=payload.symbols, noise_var=noise_var, side_info=side_info)
    weights = tmp_path / "w.safetensors"
    write_model(weights, "ntscc", codec.network.config, codec.network.state_dict(), {})
    command = [sys.executable, "-c", OTHER_PROCESS, weights, tmp_path / "sent.npz", tmp_path / "got.npz"]
    subprocess.run(command, check=True, timeout=100)
    got = np.load(tmp_path / "got.npz")
    plan = codec.plan(codec.analyse(image), int(0.15 * image.size))
    assert np.array_equal(got["index"], plan.index) and np.array_equal(got["hyper"], plan.hyper[0].numpy())
    here = codec.receiver(61, 83).push(Reception(payload.symbols, noise_var, payload.side_info))
    assert np.abs(here.astype(int) - got["picture"].astype(int)).max() <= 1


def test_damaged_side_information_is_always_found(rng):
    torch.manual_seed(1)
    coder = SideInfoCoder(FactorisedPrior(2), 16, adaptive=True)
    side = SideInfo(9, 200, rng.integers(-3, 4, (2, 2, 3)), rng.integers(0, 5, (7, 9)))
    data = coder.pack(side, 100, 130)
    for _ in range(10_000):
        wrong = bytearray(data)
        kind = rng.integers(3)
        if kind == 0:
            for _ in range(int(rng.integers(1, 4))):
                wrong[int(rng.integers(len(wrong)))] ^= int(rng.integers(1, 256))
        elif kind == 1:
            del wrong[int(rng.integers(len(wrong))) :]
        else:
            wrong = bytearray(rng.bytes(int(rng.integers(0, 60))))
        if bytes(wrong) != data:
            with pytest.raises(CodingError, match="damaged"):
                coder.unpack(bytes(wrong), 100, 130, (7, 9), (2, 3))
    with pytest.raises(CodingError, match="damaged"):
        coder.unpack(data, 100, 131, (7, 9), (2, 3))


def test_bytes_that_pass_the_check_by_chance_do_no_harm(rng):
    """An attacker's, or one in 2^24: any content behind a right check."""
    coder = SideInfoCoder(FactorisedPrior(2), 16, adaptive=True)
    for _ in range(100):
        body = rng.bytes(int(rng.integers(2, 40)))
        try:
            side = coder.unpack(protect(body, 50, 60), 50, 60, (7, 9), (2, 3))
            assert np.abs(side.hyper).max() <= LARGEST and 0 <= side.index.min() and side.index.max() < 16
        except CodingError:
            pass


@pytest.mark.parametrize("fault", ["lost", "empty", "cut", "other size", "symbols missing"])
def test_without_usable_side_information_the_picture_is_grey(codecs, small_photo, fault):
    codec = codecs["windows"]
    payload = codec.transmitter(0.1).start(small_photo)
    side, symbols, size = payload.side_info, payload.symbols, small_photo.shape[:2]
    if fault == "symbols missing":
        symbols = symbols[:-1]
    elif fault == "other size":
        size = (size[0] + 1, size[1])
    else:
        side = {"lost": None, "empty": b"", "cut": side[:-2]}[fault]
    picture = codec.receiver(*size).push(Reception(symbols, np.full(len(symbols), 0.1, np.float32), side))
    assert picture.shape == (*size, 3) and (picture == 128).all()


def test_lost_symbols_and_symbols_that_are_not_numbers_cost_quality(codecs, small_photo, rng):
    codec = codecs["mixed"]
    quality = [psnr_db(small_photo, through(codec, small_photo, 0.04, 15, rng, lost)) for lost in (0, 0.2, 0.6)]
    assert (np.diff(quality) < -0.3).all() and quality[-1] > 12, quality
    payload = codec.transmitter(0.04).start(small_photo)
    symbols, variance = payload.symbols.copy(), np.full(len(payload.symbols), 0.01, np.float32)
    symbols[::9], variance[3::9], variance[6::9] = np.nan, np.nan, -1
    picture = codec.receiver(*small_photo.shape[:2]).push(Reception(symbols, variance, payload.side_info))
    assert psnr_db(small_photo, picture) > quality[-1]
    symbols[::3], variance[::3] = 0, np.inf
    lost = codec.receiver(*small_photo.shape[:2]).push(Reception(symbols, variance, payload.side_info))
    assert (picture == lost).all()


@pytest.mark.parametrize("hidden", [8, [4, 8]])
def test_starting_from_a_deepjscc_is_that_deepjscc_at_equal_rates(crops, hidden):
    """Same symbols and, through the same noise, the same picture, before anything is trained."""
    torch.manual_seed(1)
    design = {"fine": 8, "coarse": 16, "hidden": hidden}
    other = DeepJSCCNetwork(latents=16, encoder_blocks=(1, 1), decoder_blocks=(1, 2), **design)
    stirred(other)
    other.log_power.data.normal_()
    transforms = {**MIXED["transforms"], "hidden": hidden}
    network = NTSCCNetwork(NTSCCConfig(**{**MIXED, "transforms": transforms, "rates": [16, 64], "refine": 8}))
    copied = network.translated(other.state_dict())
    missing, unexpected = network.load_state_dict(copied, strict=False)
    assert not [key for key in unexpected if "log_power" not in key]
    assert all("windows" in key or not key.startswith("transforms") for key in missing)
    images = crops[:3]
    index = torch.ones(3, 4, 4, dtype=torch.int64)

    def quiet(symbols):
        return symbols, torch.full(symbols.shape, 0.1)

    with torch.inference_mode():
        latents = network.transforms.analyse(images)
        modelled = network.model(latents, torch.zeros(3))
        picture = network.transmit(latents, modelled, index, quiet)
        expected = other(images, torch.full((3,), 16), quiet)
    assert torch.allclose(picture, expected, atol=2e-3)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_only_repeated_edges_are_no_detail(padding):
    """In a picture of one colour every patch is alike; beyond zeros those at the edges are not."""
    torch.manual_seed(1)
    config = {
        **MIXED,
        "transforms": {**MIXED["transforms"], "padding": padding},
        "hyper": {**MIXED["hyper"], "padding": padding},
    }
    network = NTSCCNetwork(NTSCCConfig(**config))
    for parameter in network.parameters():
        parameter.data.normal_(std=0.2)
    with torch.inference_mode():
        latents = network.transforms.analyse(torch.full((1, 3, 96, 112), 0.3))
        hyper = network.hyperprior.summarise(latents)
    for values in (latents, hyper):
        alike = torch.allclose(values, values[:, :, :1, :1].expand_as(values), rtol=1e-3, atol=1e-3)
        assert alike == (padding == "replicate")


def test_a_picture_is_sent_tile_by_tile_as_it_is_as_a_whole(photo, monkeypatch):
    image = np.ascontiguousarray(photo[40:251, 30:317])
    found, cuts = [], []
    inside = tiles.best_cuts
    for largest in (1 << 40, 600_000):
        monkeypatch.setattr(tiles, "LARGEST", largest)
        monkeypatch.setattr(tiles, "best_cuts", lambda *size: cuts.append(inside(*size)) or cuts[-1])
        codec = NTSCC("ntscc-cifar")  # a fresh one, which remembers no picture
        payload = codec.transmitter(1 / 6).start(image)
        came = ideal_reception(payload, 10.0, np.ones(1, np.complex64), np.random.default_rng(1))
        picture = codec.receiver(*image.shape[:2]).push(came)
        found.append((payload, picture, set(cuts)))
        cuts.clear()
    (whole, picture, once), (cut, again, several) = found
    assert once == {(1, 1)} and max(several)[0] > 2
    assert cut.side_info == whole.side_info
    assert np.abs(cut.symbols - whole.symbols).max() < 1e-4
    assert (picture != again).mean() < 1e-3 and np.abs(picture.astype(int) - again).max() <= 1
