"""DeepJSCC's two halves: what they promise of rate, power, size and quality, and that training computes the same."""

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Payload, Reception
from gr_jscc.codecs.deepjscc.codec import largest_rate
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork, from_symbols, to_symbols
from gr_jscc.codecs.parts.power_scale import quantise_scale, scale_of
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import settings_of
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.nn.klt import fit_klt

pytestmark = pytest.mark.timeout(120)


def through(codec, image, cbr, snr_db, rng, lost=0.0):
    """One image over white noise, a share of its symbols erased."""
    payload = codec.transmitter(cbr).start(image)
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, rng)
    gone = rng.random(len(symbols)) < lost
    symbols[gone], variance[gone] = 0, np.inf
    return codec.receiver(*image.shape[:2]).push(Reception(symbols, variance, payload.side_info))


@pytest.mark.parametrize("cbr", [1 / 24, 1 / 12, 1 / 6, 0.1])
@pytest.mark.parametrize("size", [(64, 64), (61, 83), (8, 8), (17, 9), (100, 1000)])
def test_payload_keeps_to_the_rate_and_has_power_one(codec, rng, size, cbr):
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    try:
        payload = codec.transmitter(cbr).start(image)
    except CodecError as error:
        assert size == (17, 9) and "too small" in str(error)
        return
    assert payload.symbols.dtype == np.complex64
    assert 0 < len(payload.symbols) <= cbr * 3 * size[0] * size[1] * (1 + 1e-9)
    assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=1e-3)
    picture = codec.receiver(*size).push(
        Reception(payload.symbols, np.full(len(payload.symbols), 1e-3, np.float32), payload.side_info)
    )
    assert picture.shape == (*size, 3) and picture.dtype == np.uint8


def test_the_named_rates_are_used_whole_where_the_size_is_a_multiple_of_eight():
    rates = [largest_rate(512, 768, cbr, 64) for cbr in (1 / 24, 1 / 12, 1 / 6)]
    assert rates == [(rate, rate // 2 * 64 * 96) for rate in (16, 32, 64)]


@pytest.mark.parametrize("cbr", [1 / 48, 1 / 24, 1 / 16, 0.07, 1 / 12, 0.09, 1 / 10, 1 / 8, 1 / 6])
@pytest.mark.parametrize("size", [(512, 768), (500, 333), (601, 799), (1080, 1920), (2999, 4001)])
def test_hardly_any_of_the_rate_is_left_unused_whatever_the_sides_are(size, cbr):
    """At most half a step: 12 % at the lowest CBR, 4 % at 1/16, 2 % at the highest."""
    rate, symbols = largest_rate(*size, cbr, 64)
    allowed = cbr * 3 * size[0] * size[1]
    assert allowed * (1 + 1e-9) >= symbols > allowed - 0.51 * -(-size[0] // 8) * -(-size[1] // 8)
    assert 8 <= rate <= 64 and rate % 2 == 0


@pytest.mark.parametrize("height", [186, 189, 191])
def test_sides_that_are_no_multiple_cost_no_step_of_quality(codec, photo, rng, height):
    """Better by some tenths of a dB than with the whole steps alone that fit."""
    image = photo[150 : 150 + height, 100:353]
    step = -(-height // 8) * 32 / image.size  # CBR
    assert 7.5 < 1 / 24 / step < 8
    assert len(codec.transmitter(1 / 24).start(image).symbols) == image.size // 24
    quality, before = (psnr_db(image, through(codec, image, cbr, 10, rng)) for cbr in (1 / 24, 7 * step))
    assert quality > before + 0.3, (quality, before)


def test_between_two_rates_quality_never_falls_far_below_the_lower_one(codec, small_photo, rng):
    quality = [psnr_db(small_photo, through(codec, small_photo, step / 192, 10, rng)) for step in (15, 15.5, 15.8, 16)]
    assert quality[1] > quality[0] - 0.05 and quality[2] > quality[0] + 0.1 and quality[3] > quality[0] + 0.1, quality


@pytest.mark.parametrize("cbr", [1 / 16, 1 / 12, 1 / 8])
@pytest.mark.parametrize("size", [(512, 768), (500, 333)])
def test_a_total_is_used_but_for_a_few_per_cent(codec, photo, cbr, size):
    image = photo[: size[0], : size[1]]
    within = WithinTotal(codec, settings_of(codec))
    used = within.total(within.transmitter(cbr).start(image), *size) / (cbr * image.size)
    assert 0.95 < used <= 1, used


def test_a_picture_too_small_for_its_padding_is_refused(codec):
    with pytest.raises(CodecError, match="1x1 picture is too small"):
        codec.transmitter(1 / 12).start(np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_a_plain_picture_survives(codec, rng, fill):
    image = np.full((64, 64, 3), fill, np.uint8)
    assert psnr_db(image, through(codec, image, 1 / 12, 10, rng)) > 28


def test_quality_rises_with_snr_and_rate_without_a_cliff(codec, photo, rng):
    over_snr = [psnr_db(photo, through(codec, photo, 1 / 12, snr_db, rng)) for snr_db in (0, 5, 10, 15, 20)]
    steps = np.diff(over_snr)
    assert over_snr[2] > 33 and (steps > 0.3).all() and (steps < 4).all(), over_snr
    over_rate = [psnr_db(photo, through(codec, photo, cbr, 10, rng)) for cbr in (1 / 48, 1 / 24, 1 / 12, 1 / 6)]
    assert (np.diff(over_rate) > 0.8).all(), over_rate


def test_lost_symbols_cost_quality_smoothly(codec, small_photo, rng):
    quality = [psnr_db(small_photo, through(codec, small_photo, 1 / 12, 10, rng, lost)) for lost in (0, 0.1, 0.3, 0.5)]
    assert (np.diff(quality) < 0).all() and quality[-1] > quality[0] - 10, quality


def test_the_halves_compute_what_training_does(codec, small_photo):
    """`DeepJSCCNetwork.forward` and the two halves, through the same noise."""
    drawn = {}

    def channel(symbols):
        generator = torch.Generator().manual_seed(3)
        parts = torch.randn(*symbols.shape, 2, generator=generator)
        drawn["noise"] = torch.view_as_complex(parts) * (0.1 / 2) ** 0.5
        return symbols + drawn["noise"], torch.full(symbols.shape, 0.1)

    pixels = torch.from_numpy(small_photo.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        trained = codec.network(pixels, torch.tensor([32]), channel)[0].permute(1, 2, 0)
    payload = codec.transmitter(1 / 12).start(small_photo)
    noisy = payload.symbols + drawn["noise"][0, :16].reshape(-1).numpy()
    reception = Reception(noisy, np.full(len(noisy), 0.1, np.float32), payload.side_info)
    halves = codec.receiver(*small_photo.shape[:2]).push(reception)
    difference = np.abs(halves.astype(float) - (trained.clamp(0, 1) * 255).numpy())
    assert difference.max() < 0.51  # rounding to whole grey levels


@pytest.mark.parametrize("side_info", [None, b"", b"\x10", b"\x10\x80\x00", b"\x00\x80", b"\xff\x80", b"\x20\x80"])
def test_lost_or_damaged_side_information_gives_a_grey_picture(codec, small_photo, side_info):
    payload = codec.transmitter(1 / 12).start(small_photo)
    reception = Reception(payload.symbols, np.full(len(payload.symbols), 0.1, np.float32), side_info)
    assert (codec.receiver(*small_photo.shape[:2]).push(reception) == 128).all()


def test_symbols_that_are_not_numbers_count_as_lost(codec, small_photo):
    payload = codec.transmitter(1 / 12).start(small_photo)
    symbols, variance = payload.symbols.copy(), np.full(len(payload.symbols), 0.01, np.float32)
    symbols[::7] = np.nan
    variance[3::7] = np.nan
    picture = codec.receiver(*small_photo.shape[:2]).push(Reception(symbols, variance, payload.side_info))
    assert psnr_db(small_photo, picture) > 22


def test_the_scale_survives_its_eight_bits():
    scale = torch.logspace(-3.9, 3.9, 500, base=2)
    assert ((scale_of(quantise_scale(scale)) / scale).log2().abs() <= 1 / 64 + 1e-5).all()


def test_symbols_and_latents_are_inverse():
    latents = torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(1))
    symbols, scale = to_symbols(latents, torch.tensor([8, 8]))
    back, variance = from_symbols(symbols, torch.full(symbols.shape, 0.5), scale)
    assert torch.allclose(back, latents, rtol=0.03)
    assert torch.allclose(variance[:, 0, 0, 0], 0.25 * scale**2)


@pytest.mark.parametrize("hidden", [8, (4, 8)])
def test_a_fresh_network_is_the_linear_code(photo, hidden):
    """Before training: KLT coefficients, sent and undone; without noise and at full rate a mere truncation."""
    pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    network = DeepJSCCNetwork(latents=64, fine=8, coarse=16, hidden=hidden)
    klt = fit_klt(pixels, 64)
    network.start_from(klt)
    with torch.inference_mode():
        out = network(pixels, torch.tensor([64]), lambda symbols: (symbols, torch.full(symbols.shape, 1e-9)))
    error = (out - pixels).square().mean()
    kept = klt.variance.sum() / fit_klt(pixels, 192).variance.sum()
    assert kept > 0.99 and -10 * torch.log10(error) > 30


def test_payload_refuses_other_dtypes():
    with pytest.raises(TypeError, match="complex64"):
        Payload(np.zeros(3, np.complex128))
