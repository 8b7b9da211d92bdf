"""The models of DeepJSCC that ship: golden values, so that nothing changes them unseen."""

import numpy as np
import pytest

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import shipped_models

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

# Weights → PSNR in dB of the small photo at CBR 1/12 and 10 dB, with none, 10 % and 30 % of the symbols lost.
GOLDEN = {
    "deepjscc-photo": [31.48, 29.16, 26.47],
    "deepjscc-photo-lossy": [31.58, 29.81, 27.23],
}


def quality(weights, image, lost):
    """PSNR in dB over white noise, a share of the symbols lost."""
    codec, rng = load_codec("deepjscc", weights), np.random.default_rng(1)
    payload = codec.transmitter(1 / 12).start(image)
    variance = np.full(len(payload.symbols), 0.1, np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, 0.1, rng)
    gone = rng.random(len(symbols)) < lost
    symbols[gone], variance[gone] = 0, np.inf
    return psnr_db(image, codec.receiver(*image.shape[:2]).push(Reception(symbols, variance, payload.side_info)))


@pytest.mark.parametrize("weights", GOLDEN)
def test_shipped_models_give_what_they_gave(weights, small_photo):
    got = [quality(weights, small_photo, lost) for lost in (0.0, 0.1, 0.3)]
    assert got == pytest.approx(GOLDEN[weights], abs=0.05)


def test_the_lossy_model_is_the_better_one_where_symbols_are_lost(small_photo):
    none, tenth = ([quality(weights, small_photo, lost) for weights in GOLDEN] for lost in (0.0, 0.1))
    assert tenth[1] > tenth[0] + 0.3 and none[1] > none[0] - 0.3


def test_every_shipped_model_of_deepjscc_has_golden_values():
    assert {name for name in shipped_models() if name.startswith("deepjscc")} == {
        *GOLDEN,
        "deepjscc-temporal",
    }  # whose are in test_deepjscc_temporal.py
