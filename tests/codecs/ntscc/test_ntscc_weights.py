"""The models of NTSCC that ship: golden values, so that nothing changes them unseen."""

import numpy as np
import pytest

from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import shipped_models

pytestmark = pytest.mark.timeout(120)

# Weights → side in pixels of the part of the small photo, CBR and PSNR in dB at 10 dB.
GOLDEN = {
    "ntscc-photo": (192, [(1 / 24, 29.94), (1 / 12, 32.64)]),
    "ntscc-photo-perceptual": (192, [(1 / 24, 29.79), (1 / 12, 32.58)]),
    "ntscc-photo-ms-ssim": (192, [(1 / 24, 29.28), (1 / 12, 31.20)]),
    "ntscc-cifar": (32, [(1 / 6, 40.22), (1 / 3, 40.20)]),
}


@pytest.mark.parametrize("weights", GOLDEN)
def test_shipped_models_give_what_they_gave(weights, small_photo):
    side, expected = GOLDEN[weights]
    image = np.ascontiguousarray(small_photo[:side, :side])
    codec, quality = load_codec("ntscc", weights), []
    for cbr, _ in expected:
        payload = codec.transmitter(cbr).start(image)
        assert len(payload.symbols) <= cbr * image.size * (1 + 1e-9)
        reception = ideal_reception(payload, 10.0, np.ones(1, np.complex64), np.random.default_rng(1))
        quality.append(psnr_db(image, codec.receiver(side, side).push(reception)))
    assert quality == pytest.approx([psnr for _, psnr in expected], abs=0.05)


def test_every_shipped_model_of_ntscc_has_golden_values():
    assert {name for name in shipped_models() if name.startswith("ntscc")} == set(GOLDEN)
