"""The models of successive refinement that ship: golden values, so that nothing changes them unseen."""

import numpy as np
import pytest

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import shipped_models

pytestmark = pytest.mark.timeout(120)

# Weights → codec, SNR in dB, PSNR in dB of the small photo after each layer.
GOLDEN = {
    "successive-multiple-2": ("successive-multiple", 13, [24.20, 27.90]),
    "successive-multiple-5": ("successive-multiple", 13, [25.09, 30.29, 32.39, 33.88, 34.58]),
    "successive-rayleigh-2": ("successive-multiple", 13, [24.16, 25.8]),
    "successive-single-2": ("successive-single", 13, [21.7, 28.07]),
    "successive-residual-2": ("successive-residual", 13, [25.07, 30.58]),
    "successive-photo": ("successive-single", 10, [28.18, 30.96, 32.44, 32.94]),
}


def after_layers(codec, image, snr_db):
    """PSNR in dB after each layer over white noise, every round fed back."""
    rng, quality = np.random.default_rng(1), []
    transmitter, receiver = codec.transmitter(codec.cbr_range[1]), codec.receiver(*image.shape[:2])
    payload = transmitter.start(image)
    while payload is not None:
        variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
        symbols = (payload.symbols + noise(payload.symbols.shape, variance, rng)).astype(np.complex64)
        reception = Reception(symbols, variance, payload.side_info)
        quality.append(psnr_db(image, receiver.push(reception)))
        payload = transmitter.next(reception)
    return quality


@pytest.mark.parametrize("weights", GOLDEN)
def test_shipped_models_give_what_they_gave(weights, small_photo):
    codec, snr_db, expected = GOLDEN[weights]
    assert after_layers(load_codec(codec, weights), small_photo, snr_db) == pytest.approx(expected, abs=0.05)


def test_every_shipped_model_of_these_codecs_has_golden_values():
    assert {name for name in shipped_models() if name.startswith("successive")} == set(GOLDEN)


@pytest.mark.parametrize("codec", ["successive-multiple", "successive-residual", "successive-single"])
def test_every_codec_has_default_weights(codec):
    assert load_codec(codec).weights_name in GOLDEN


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_lost_bursts_cost_quality_and_not_the_picture(lost, small_photo):
    """A share of the symbols of every layer, as an interleaved link loses them."""
    codec, rng = load_codec("successive-single"), np.random.default_rng(1)
    transmitter, receiver = codec.transmitter(1 / 6), codec.receiver(*small_photo.shape[:2])
    payload, quality = transmitter.start(small_photo), []
    while payload is not None:
        variance = np.full(len(payload.symbols), 0.1, np.float32)
        symbols = (payload.symbols + noise(payload.symbols.shape, variance, rng)).astype(np.complex64)
        gone = rng.random(len(symbols)) < lost
        symbols[gone], variance[gone] = 0, np.inf
        quality.append(psnr_db(small_photo, receiver.push(Reception(symbols, variance, payload.side_info))))
        payload = transmitter.next(None)
    assert quality[0] > 24 and (np.diff(quality) > 0).all(), quality
