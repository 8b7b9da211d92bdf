"""Networks in half the precision: what it costs, and that the two ends need not have the same."""

import numpy as np
import pytest
from torch import nn

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.torch_codec import TorchCodec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db

LEARNED = ["deepjscc", "successive-multiple", "successive-residual", "successive-single", "ntscc", "hjscc",
           "hjscc-feedback"]  # fmt: skip
MOST_LOST_DB = {"receiving": 0.03, "sending": 0.15}  # a transmitter may plan one small crop otherwise


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    return np.ascontiguousarray(load_image(demo_image())[100:228, 200:392])


def crossed(sending, receiving, image: np.ndarray) -> tuple[float, list]:
    """PSNR after all rounds, and what the receiver said of each."""
    transmitter, receiver = sending.transmitter(1 / 12), receiving.receiver(*image.shape[:2])
    rng, insights = np.random.default_rng(3), []
    payload = transmitter.start(image)
    while payload is not None:
        reception = ideal_reception(payload, 10.0, np.ones(1, np.complex64), rng)
        picture = receiver.push(reception)
        insights.append(receiver.insight)
        payload = transmitter.next(reception if sending.uses_feedback else None)
    return psnr_db(image, picture), insights


@pytest.mark.parametrize("name", LEARNED)
def test_two_ends_may_compute_in_different_precisions(name, crop):
    exact, short = load_codec(name), load_codec(name, precision="bf16")
    best, said = crossed(exact, exact, crop)
    for sending, receiving in ((exact, short), (short, exact)):
        got, other = crossed(sending, receiving, crop)
        assert got > best - MOST_LOST_DB["receiving" if sending is exact else "sending"]
        assert [insight and insight.blind_from for insight in other] == [x and x.blind_from for x in said]


@pytest.mark.parametrize("name", ["deepjscc", "ntscc"])
def test_lower_precision_is_in_use(name, crop):
    exact, short = (
        load_codec(name, precision=precision).transmitter(1 / 12).start(crop) for precision in ("fp32", "bf16")
    )
    assert len(exact.symbols) != len(short.symbols) or not np.array_equal(exact.symbols, short.symbols)


def test_fp16_as_well(crop):
    exact, short = load_codec("deepjscc"), load_codec("deepjscc", precision="fp16")
    assert crossed(short, short, crop)[0] > crossed(exact, exact, crop)[0] - MOST_LOST_DB["sending"]


def test_models_of_ones_own(crop):
    codec = TorchCodec.of("dots", nn.Conv2d(3, 8, 8, 8), nn.ConvTranspose2d(8, 3, 8, 8), multiple=8)
    codec.compute_in("bf16")
    payload = codec.transmitter(1 / 12).start(crop)
    shown = codec.receiver(*crop.shape[:2]).push(ideal_reception(payload, 10.0, np.ones(1), np.random.default_rng(1)))
    assert payload.symbols.dtype == np.complex64 and shown.shape == crop.shape


@pytest.mark.parametrize(
    ("name", "precision", "line"),
    [
        ("deepjscc", "int8", "precision must be fp32, bf16, fp16, not 'int8'"),
        ("separation", "bf16", "separation has no network whose precision could be set to bf16"),
    ],
)
def test_what_cannot_be_is_refused(name, precision, line):
    with pytest.raises(CodecError, match=line):
        load_codec(name, precision=precision)
