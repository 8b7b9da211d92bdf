"""HJSCC's two halves: rate, power, states that agree, faults, and that training computes the same."""

import base64
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Insight, Reception
from gr_jscc.codecs.hjscc.codec import HJSCC, HJSCCFeedback
from gr_jscc.codecs.hjscc.config import HJSCCConfig
from gr_jscc.codecs.hjscc.network import HJSCCNetwork
from gr_jscc.codecs.hjscc.side_info import SideInfo, pack, unpack
from gr_jscc.codecs.hjscc.tiled import ARRIVAL_REACH, POSTERIOR_REACH, PRIOR_REACH
from gr_jscc.codecs.parts.entropy_coding import CodingError
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.nn import tiles
from gr_jscc.weights import write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]


ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
TINY = {
    "transforms": {"kind": "windows", "latents": 32, "widths": [8, 8], "blocks": [0, 0], "heads": 2, "window": 4},
    "levels": [
        {"channels": 16, "kept": 8, "shares": [1.0], "rates": [0, 4, 8, 16], "group": 1},
        {"channels": 24, "kept": 12, "shares": [1.0], "rates": [0, 4, 8, 16, 24], "group": 2},
        {"channels": 32, "shares": [0.6, 1.0], "rates": [0, 2, 4, 8, 12, 16, 24, 32], "group": 3},
    ],
    "width": 16,
    "hidden": 8,
    "condition": 8,
    "steps": [100.0, 4.0],
}
LATENTS = 4
CODECS = {"hjscc": HJSCC, "hjscc-feedback": HJSCCFeedback, "expected": HJSCCFeedback}


def stirred(network):
    """A fresh network with something in all that starts at zero, so that no part is a mere identity."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if not parameter.any() and "head" not in name:
            parameter.data.normal_(std=0.01, generator=generator)
    return network


@pytest.fixture(scope="module")
def crops(photo):
    pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255
    cut = pixels.unfold(1, 64, 64).unfold(2, 64, 64)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64)


@pytest.fixture
def little(small_photo):
    return small_photo[64:176, 32:160]


@pytest.fixture(scope="module")
def codecs(tmp_path_factory, crops):
    """Codecs whose networks are linear codes of the photo, and a little disturbed."""
    folder, made = tmp_path_factory.mktemp("hjscc"), {}
    for name, cls in CODECS.items():
        torch.manual_seed(1)
        network = HJSCCNetwork(HJSCCConfig(**TINY, expected=name == "expected"))
        network.transforms.start_linear(crops)
        network.start(crops)
        stirred(network)
        write_model(folder / f"{name}.safetensors", "hjscc", network.config, network.state_dict(), {})
        made[name] = cls(folder / f"{name}.safetensors")
    return made


def arrived(payload, snr_db, rng, lost=0.0):
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, rng)
    gone = rng.random(len(symbols)) < lost
    symbols[gone], variance[gone] = 0, np.inf
    return Reception(symbols, variance, payload.side_info)


def through(codec, image, cbr, snr_db, rng, lost=0.0, told=LATENTS):
    """One image, round by round; feedback on the first ``told`` rounds only. Returns payloads, pictures, receiver."""
    transmitter, receiver = codec.transmitter(cbr), codec.receiver(*image.shape[:2])
    payload, payloads, pictures = transmitter.start(image), [], []
    while payload is not None:
        reception = arrived(payload, snr_db, rng, lost)
        payloads.append(payload)
        pictures.append(receiver.push(reception))
        payload = transmitter.next(reception if len(payloads) <= told and codec.uses_feedback else None)
    return payloads, pictures, receiver


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [(64, 64), (61, 47)])
def test_payloads_keep_to_the_rate_and_have_power_one(codecs, photo, name, size, rng):
    codec = codecs[name]
    image = photo[150 : 150 + size[0], 100 : 100 + size[1]]
    for cbr in (codec.cbr_range[0] * 2, 1 / 12, codec.cbr_range[1] * 0.9):
        payloads, pictures, _ = through(codec, image, cbr, 10, rng)
        used = sum(len(p.symbols) for p in payloads) / (cbr * image.size)
        # Where nobody but a fresh prior decides, all groups are alike and change their rates together.
        assert (0.7 if name == "expected" else 0.85) < used <= 1
        assert all(np.mean(np.abs(p.symbols) ** 2) == pytest.approx(1, abs=1e-3) for p in payloads)
        assert all(picture.shape == image.shape for picture in pictures)


@pytest.mark.parametrize("cbr", [0.0, -1.0, 0.9, float("nan")])
def test_a_rate_out_of_range_is_refused(codecs, cbr):
    with pytest.raises(CodecError, match="supports a CBR from 1/96 to"):
        codecs["hjscc"].transmitter(cbr)


@pytest.mark.parametrize("name", ["hjscc", "hjscc-feedback"])
def test_a_picture_too_small_for_its_padding_is_refused(codecs, name):
    with pytest.raises(CodecError, match="1x1 picture is too small"):
        codecs[name].transmitter(1 / 12).start(np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("name", ["hjscc", "hjscc-feedback"])
def test_pictures_arrive_better_with_snr_and_rate(codecs, little, rng, name):
    codec = codecs[name]

    def quality(cbr, snr_db):
        return psnr_db(little, through(codec, little, cbr, snr_db, rng)[1][-1])

    over_snr = [quality(1 / 8, snr) for snr in (0, 10, 20)]
    assert over_snr[-1] > 24 and (np.diff(over_snr) > 0.5).all(), over_snr
    assert quality(1 / 6, 15) > quality(1 / 16, 15) + 1


def test_every_latent_gives_a_better_picture(codecs, little, rng):
    _, pictures, _ = through(codecs["hjscc-feedback"], little, 1 / 8, 10, rng)
    figures = [psnr_db(little, picture) for picture in pictures]
    assert len(figures) == LATENTS and (np.diff(figures) > 0.3).all(), figures


def test_both_ends_have_the_same_state(codecs, photo, rng):
    """Symbols lost on the way, and groups cut off at the picture's edges: the ends agree all the same."""
    transmitter = codecs["hjscc-feedback"].transmitter(1 / 8)
    receiver = codecs["hjscc-feedback"].receiver(70, 90)
    payload, rounds = transmitter.start(photo[:70, :90]), 0
    while payload is not None:
        reception = arrived(payload, 8, rng, lost=0.2)
        receiver.push(reception)
        payload, rounds = transmitter.next(reception), rounds + 1
        if payload is not None:
            mine, theirs = transmitter._end, receiver._end
            assert mine.seen(LATENTS) == theirs.seen(LATENTS)
            assert torch.equal(mine.state.estimate, theirs.state.estimate)
            assert torch.equal(mine.state.ranking, theirs.state.ranking)
    assert receiver.insight.drifted == 0 and receiver._end.latent == rounds - 1 == LATENTS - 1


def test_rates_that_the_prior_expects_are_not_sent(codecs, little, rng):
    """Both ends work them out; with a rounding that differs they still do."""
    payloads, pictures, receiver = through(codecs["expected"], little, 1 / 8, 10, rng)
    assert max(len(p.side_info) for p in payloads) < 25
    assert len(payloads) == LATENTS and receiver.insight.drifted == 0
    network, before = receiver.codec.network, HJSCCNetwork.prior

    def shaken(*args, **options):
        prior = before(network, *args, **options)
        generator = torch.Generator().manual_seed(1)
        rounding = 1 + 1e-6 * torch.randn(prior.variance.shape, generator=generator)
        return dataclasses.replace(prior, variance=prior.variance * rounding)

    transmitter, receiver = codecs["expected"].transmitter(1 / 8), codecs["expected"].receiver(*little.shape[:2])
    payload = transmitter.start(little)
    while payload is not None:
        reception = arrived(payload, 10, rng)
        network.prior = shaken
        picture = receiver.push(reception)
        del network.prior
        payload = transmitter.next(reception)
    assert receiver.insight.drifted == 0 and receiver._end.latent == LATENTS - 1
    assert psnr_db(little, picture) == pytest.approx(psnr_db(little, pictures[-1]), abs=0.3)


def test_feedback_is_worth_its_while(codecs, little, rng):
    codec = codecs["hjscc-feedback"]
    figures = [psnr_db(little, through(codec, little, 1 / 8, 10, rng, told=told)[1][-1]) for told in (0, LATENTS)]
    assert figures[1] > figures[0] + 0.5, figures


@pytest.mark.parametrize("told", [0, 1, 2])
def test_feedback_that_stops_costs_quality_and_not_the_picture(codecs, little, rng, told):
    codec = codecs["hjscc-feedback"]
    payloads, pictures, receiver = through(codec, little, 1 / 8, 10, rng, told=told)
    assert len(payloads) == told + 2 and receiver._end.latent == LATENTS - 1
    # Without feedback on the first latent all are sent again.
    assert receiver.insight == Insight(blind_from=told + 1 if told else 0, drifted=0)
    figures = [psnr_db(little, picture) for picture in pictures]
    assert figures[-1] > max(figures[0] + 2, 20), figures


def test_tiles_are_told_as_many_positions_around_as_a_latent_looks_at(codecs):
    network = codecs["hjscc"].network

    def reach(part):
        return sum(one.kernel_size[0] // 2 for one in part.modules() if isinstance(one, torch.nn.Conv2d))

    for latent in network.latents:
        looks = reach(latent.front), reach(latent.merge), reach(latent.refinement) + reach(latent.end)
        assert looks == (PRIOR_REACH, POSTERIOR_REACH, ARRIVAL_REACH) and reach(latent) == sum(looks)
    assert [reach(path) for path in network.top_down] == [len(path) for path in network.top_down]


@pytest.mark.parametrize("name, told", [("hjscc", 0), ("hjscc-feedback", 1), ("hjscc-feedback", 2)])
def test_latents_that_are_left_cross_tile_by_tile_as_they_do_as_a_whole(codecs, photo, monkeypatch, name, told):
    image, found, cuts = np.ascontiguousarray(photo[40:251, 30:317]), [], []
    inside = tiles.best_cuts
    monkeypatch.setattr(tiles, "best_cuts", lambda *size: cuts.append(inside(*size)) or cuts[-1])
    for largest in (1 << 40, 200_000):
        monkeypatch.setattr(tiles, "LARGEST", largest)
        payloads, pictures, receiver = through(codecs[name], image, 1 / 6, 10, np.random.default_rng(1), told=told)
        found.append((payloads[-1], pictures[-1], receiver._end.latent, set(cuts)))
        cuts.clear()
    (whole, picture, latent, once), (cut, again, _, several) = found
    assert latent == LATENTS - 1 and once == {(1, 1)} and max(several)[0] > 1
    assert cut.side_info == whole.side_info
    assert np.abs(cut.symbols - whole.symbols).max() < 1e-4
    assert (picture != again).mean() < 1e-3 and np.abs(picture.astype(int) - again).max() <= 1


def test_noisy_feedback_is_noticed(codecs, little, rng):
    codec = codecs["hjscc-feedback"]
    transmitter, receiver = codec.transmitter(1 / 8), codec.receiver(*little.shape[:2])
    payload = transmitter.start(little)
    while payload is not None:
        reception = arrived(payload, 10, rng)
        picture = receiver.push(reception)
        symbols = reception.symbols + noise(reception.symbols.shape, np.full(len(payload.symbols), 0.01), rng)
        disturbed = Reception(symbols.astype(np.complex64), reception.noise_var, reception.side_info)
        payload = transmitter.next(disturbed)
    assert receiver.insight.drifted == LATENTS - 1
    assert psnr_db(little, picture) > 22


@pytest.mark.parametrize("gone", range(LATENTS))
def test_a_round_of_which_nobody_knows_costs_quality_and_not_the_picture(codecs, little, rng, gone):
    """The link would repeat it; here it does not, and the transmitter goes on without feedback."""
    codec = codecs["hjscc-feedback"]
    transmitter, receiver = codec.transmitter(1 / 8), codec.receiver(*little.shape[:2])
    payload, number, pictures = transmitter.start(little), 0, []
    while payload is not None:
        reception = arrived(payload, 10, rng)
        if number != gone:
            pictures.append(receiver.push(reception))
        payload = transmitter.next(None if number == gone else reception)
        number += 1
    assert all(picture.shape == little.shape for picture in pictures)
    figures = [psnr_db(little, picture) for picture in pictures]
    assert figures[-1] >= figures[0]
    if gone:  # without the coarsest latent nobody knows how bright it is
        assert figures[-1] > 16


def test_a_round_that_feedback_tells_is_lost_is_made_up_for(codecs, little, rng):
    codec = codecs["hjscc-feedback"]
    transmitter, receiver = codec.transmitter(1 / 8), codec.receiver(*little.shape[:2])
    payload, number = transmitter.start(little), 0
    while payload is not None:
        reception = arrived(payload, 10, rng, lost=number == 0)
        picture = receiver.push(reception)
        payload = transmitter.next(reception)
        number += 1
    assert receiver.insight.drifted == 0
    assert psnr_db(little, picture) > 22


@pytest.mark.parametrize("name", CODECS)
def test_damaged_side_information_never_raises(codecs, photo, rng, name):
    codec, image = codecs[name], photo[:60, :75]
    payload = codec.transmitter(1 / 8).start(image)
    good = arrived(payload, 15, rng)
    for trial in range(100):
        bad = bytearray(payload.side_info)
        for _ in range(1 + trial % 3):
            bad[rng.integers(len(bad))] ^= int(rng.integers(1, 256))
        bad = bytes(bad[: rng.integers(len(bad))] if trial % 4 == 0 else bad)
        picture = codec.receiver(60, 75).push(Reception(good.symbols, good.noise_var, bad))
        assert bad == payload.side_info or (picture == 128).all()
    assert (codec.receiver(60, 75).push(Reception(good.symbols, good.noise_var, None)) == 128).all()
    short = Reception(good.symbols[:-1], good.noise_var[:-1], payload.side_info)
    assert (codec.receiver(60, 75).push(short) == 128).all()
    assert not (codec.receiver(60, 75).push(good) == 128).all()


def test_symbols_that_are_no_numbers_count_as_lost(codecs, photo, rng):
    codec, image = codecs["hjscc-feedback"], photo[:64, :64]
    transmitter, receiver = codec.transmitter(1 / 8), codec.receiver(64, 64)
    good = arrived(transmitter.start(image), 10, rng)
    symbols, noise_var = good.symbols.copy(), good.noise_var.copy()
    symbols[::3], noise_var[1::3] = np.nan, np.inf
    bad = Reception(symbols, noise_var, good.side_info)
    receiver.push(bad)
    receiver.push(arrived(transmitter.next(bad), 10, rng))
    assert receiver.insight.drifted == 0 and torch.isfinite(receiver._end.state.estimate).all()


def test_side_information_is_exact_and_checked(rng):
    rates, sizes = [4, 9], [(2, 3), (4, 6)]
    maps = [rng.integers(0, count, size) for count, size in zip(rates, sizes)]
    for latent, told, part in ((0, 0, maps), (1, 1, maps[1:]), (1, 2, maps[1:])):
        side = SideInfo(latent, told, 200, 77, 0xABCD, 9, 0, part)
        packed = pack(side, rates, 100, 90)
        back = unpack(packed, rates, sizes, 100, 90)
        assert all(np.array_equal(a, b) for a, b in zip(back.maps, part, strict=True))
        assert dataclasses.replace(back, maps=[]) == dataclasses.replace(side, maps=[])
        with pytest.raises(CodingError):
            unpack(packed, rates, sizes, 100, 91)
        with pytest.raises(CodingError):
            unpack(packed[:9], rates, sizes, 100, 90)
    side = SideInfo(1, 2, 200, 77, 0xABCD, 9, 130, [], {5: 3, 23: 8})
    assert unpack(pack(side, rates, 100, 90), rates, sizes, 100, 90) == side
    beyond = pack(dataclasses.replace(side, exceptions={24: 0}), rates, 100, 90)
    with pytest.raises(CodingError, match="another picture"):
        unpack(beyond, rates, sizes, 100, 90)


OTHER_PROCESS = """
import base64, json, sys
import numpy as np, torch
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.hjscc.codec import HJSCCFeedback
torch.set_num_threads(2)
receiver = HJSCCFeedback(sys.argv[1]).receiver(70, 90)
for line in sys.stdin:
    symbols, noise_var, side_info = (base64.b64decode(part) for part in json.loads(line))
    symbols, noise_var = np.frombuffer(symbols, np.complex64), np.frombuffer(noise_var, np.float32)
    picture = receiver.push(Reception(symbols, noise_var, side_info))
    print(json.dumps([base64.b64encode(picture.tobytes()).decode(), receiver.insight.drifted]), flush=True)
"""


def test_the_halves_work_in_two_processes(codecs, photo, rng, tmp_path):
    """With other numbers of threads, hence other roundings, and only what crosses the air and comes back."""
    codec, image, weights = codecs["expected"], photo[:70, :90], tmp_path / "hjscc.safetensors"
    write_model(weights, "hjscc", codec.network.config, codec.network.state_dict(), {})
    transmitter, here = codec.transmitter(1 / 8), codec.receiver(70, 90)
    command = [sys.executable, "-c", OTHER_PROCESS, weights]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        payload, rounds = transmitter.start(image), 0
        while payload is not None:
            reception = arrived(payload, 10, rng, lost=0.1)
            parts = (reception.symbols.tobytes(), reception.noise_var.tobytes(), payload.side_info)
            other.stdin.write(json.dumps([base64.b64encode(part).decode() for part in parts]) + "\n")
            other.stdin.flush()
            there, drifted = json.loads(other.stdout.readline())
            picture = np.frombuffer(base64.b64decode(there), np.uint8).reshape(image.shape)
            assert drifted == 0
            assert np.abs(picture.astype(int) - here.push(reception)).max() <= 1
            payload, rounds = transmitter.next(reception), rounds + 1
        other.stdin.close()
    assert rounds == LATENTS and psnr_db(image, picture) > 20


@pytest.mark.parametrize("name", CODECS)
def test_training_computes_what_the_two_halves_do(codecs, crops, name):
    """The differentiable forward against the halves with its rates, over a channel without noise."""
    codec = codecs[name]
    image = (crops[5] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    codec.eta = codec.network.eta
    try:
        transmitter, receiver = codec.transmitter(codec.cbr_range[1]), codec.receiver(64, 64)
        payload, used = transmitter.start(image), 0
        while payload is not None:
            used += len(payload.symbols)
            reception = Reception(payload.symbols, np.full(len(payload.symbols), 0.05, np.float32), payload.side_info)
            picture = receiver.push(reception)
            payload = transmitter.next(reception)
        quality = transmitter._end.quality
    finally:
        codec.eta = None

    def channel(symbols):
        return symbols, torch.full(symbols.shape, 0.05)

    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    told = LATENTS if codec.uses_feedback else 0
    eta, snr_db = torch.full((1,), codec.network.eta), torch.full((1,), 10.0)
    with torch.no_grad():
        result = codec.network(pixels, quality, eta, snr_db, channel, told)
    # A tail of η that is told in steps, and the last round's, are the halves' alone.
    assert float(result["uses"]) == pytest.approx(used, rel=0.04 if name == "expected" else 0.02)
    assert psnr_db(picture, (result["pictures"][0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()) > 40
