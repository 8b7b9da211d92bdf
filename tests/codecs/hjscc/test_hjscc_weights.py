"""The models of HJSCC that ship: golden values, so that nothing changes them unseen."""

import numpy as np
import pytest

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import shipped_models

pytestmark = pytest.mark.timeout(120)

# Weights and codec → side in pixels of the part of the small photo, CBR and PSNR in dB at 10 dB.
GOLDEN = {
    ("hjscc-photo", "hjscc"): (192, [(1 / 24, 28.47), (1 / 12, 30.81)]),
    ("hjscc-photo", "hjscc-feedback"): (192, [(1 / 24, 29.58), (1 / 12, 32.81)]),
    ("hjscc-cifar", "hjscc"): (32, [(1 / 6, 37.47), (1 / 3, 39.39)]),
    ("hjscc-cifar", "hjscc-feedback"): (32, [(1 / 6, 40.67), (1 / 3, 43.17)]),
}


@pytest.mark.parametrize("weights, name", GOLDEN)
def test_shipped_models_give_what_they_gave(weights, name, small_photo):
    side, expected = GOLDEN[weights, name]
    image = np.ascontiguousarray(small_photo[:side, :side])
    codec, quality = load_codec(name, weights), []
    for cbr, _ in expected:
        rounds = ideal_transfer(codec, image, cbr, 10.0, taps("awgn"), np.random.default_rng(1))
        assert sum(len(one.payload.symbols) for one in rounds) <= cbr * image.size * (1 + 1e-9)
        assert rounds[-1].insight.drifted == 0
        quality.append(psnr_db(image, rounds[-1].picture))
    assert quality == pytest.approx([psnr for _, psnr in expected], abs=0.1)


def test_every_shipped_model_of_hjscc_has_golden_values():
    shipped = {name for name in shipped_models() if name.startswith("hjscc")}
    assert shipped == {weights for weights, _ in GOLDEN} | {"hjscc-photo-feedback"}  # see test_hyper_feedback.py
