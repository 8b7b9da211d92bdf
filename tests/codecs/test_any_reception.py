"""Whatever arrives, no half of any codec raises or warns: any symbols, noise variances and side information."""

import functools
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gr_jscc.codecs.base import MOST_AMPLITUDE, NOISE_VARS, Reception
from gr_jscc.codecs.parts.side_info_check import CHECK_BYTES, protect
from gr_jscc.codecs.registry import CODECS, load_codec

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("one_thread")]

HEIGHT, WIDTH = 26, 37
WEIGHTS = {  # the smallest that ship, and every kind of picture
    "deepjscc": ["deepjscc-photo", "deepjscc-photo-lossy"],
    "hjscc": ["hjscc-cifar"],
    "hjscc-feedback": ["hjscc-cifar", "hjscc-photo", None],
    "ntscc": ["ntscc-cifar"],
    "successive-single": ["successive-single-2", "successive-photo"],
    "separation": ["hevc", "avif", "jpeg", "jpeg2000"],
    "separation-capacity": ["hevc:10dB", "avif:10dB", "jpeg:10dB", "jpeg2000:10dB"],
}
FEEDBACK = ("successive-residual", "hjscc-feedback")
CASES = [(name, weights) for name in CODECS for weights in WEIGHTS.get(name, [None])]
WITH_FEEDBACK = [(name, weights) for name, weights in CASES if name in FEEDBACK]
EXTREMES = [0.0, -0.0, 1.0, -1.0, 1e-45, 1e-9, 1e3, 1e4, -1e4, 1e20, 3e38, -3e38, np.inf, -np.inf, np.nan]

bounded = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@functools.lru_cache
def codec_of(name, weights):
    return load_codec(name, weights)


@functools.lru_cache
def honest_rounds(name, weights):
    """What is sent of a picture without feedback, and uint8[HEIGHT, WIDTH, 3] itself."""
    codec, rng = codec_of(name, weights), np.random.default_rng(1)
    image = np.linspace(0, 255, HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3).astype(np.uint8) // 2
    image += rng.integers(0, 40, image.shape, dtype=np.uint8)
    transmitter = codec.transmitter(min(codec.cbr_range[1], 0.5))
    payloads = [transmitter.start(image)]
    while (payload := transmitter.next(None)) is not None:
        payloads.append(payload)
    return payloads, image


numbers = st.lists(st.sampled_from(EXTREMES) | st.floats(width=32), min_size=2, max_size=8)


@st.composite
def symbols_from(draw, honest):
    """complex64[k]: the honest ones, with any number of them replaced; or others, or of another length."""
    count = draw(st.sampled_from([len(honest)] * 6 + [0, 1, len(honest) - 1, len(honest) + 1, 2 * len(honest)]))
    symbols = np.resize(honest, count)
    if draw(st.booleans()):
        every = draw(st.sampled_from([1, 2, 17, 1000]))
        pattern = np.resize(np.array(draw(numbers), np.float32), 8).view(np.complex64)
        symbols[::every] = np.resize(pattern, len(symbols[::every]))
    return symbols


@st.composite
def noise_vars(draw, count):
    """float32[count]: of one level, or any."""
    levels = draw(st.sampled_from([[0.1]]) | numbers)
    return np.resize(np.array(levels, np.float32), count)


@st.composite
def side_information(draw, honest):
    """The honest bytes, or some of them changed, or any; with a check that is right, as a forger's would be."""
    kind = draw(st.sampled_from(["honest"] * 3 + ["lost", "any", "changed", "forged", "forged"]))
    if kind in ("honest", "lost"):
        return honest if kind == "honest" else None
    if kind == "any":
        return draw(st.binary(max_size=80))
    body = bytearray(honest[CHECK_BYTES:] if kind == "forged" else honest)
    for _ in range(draw(st.integers(1, 4))):
        if body:
            body[draw(st.integers(0, min(len(body) - 1, 20)))] = draw(st.integers(0, 255))
    cut = draw(st.sampled_from([None, None, 1, 5, 8, 9]))
    return protect(bytes(body[:cut]), HEIGHT, WIDTH) if kind == "forged" else bytes(body[:cut])


def reception_from(draw, payload):
    symbols = draw(symbols_from(payload.symbols))
    return Reception(symbols, draw(noise_vars(len(symbols))), draw(side_information(payload.side_info)))


def check_picture(picture):
    assert picture.shape == (HEIGHT, WIDTH, 3) and picture.dtype == np.uint8


@pytest.mark.parametrize("name, weights", CASES)
def test_a_receiver_makes_something_of_anything(name, weights):
    codec, (payloads, _) = codec_of(name, weights), honest_rounds(name, weights)

    @bounded
    @given(st.data())
    def check(data):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            receiver = codec.receiver(HEIGHT, WIDTH)
            for number in data.draw(st.lists(st.integers(0, len(payloads) - 1), min_size=1, max_size=2)):
                check_picture(receiver.push(reception_from(data.draw, payloads[number])))
            honest = payloads[0]
            check_picture(receiver.push(Reception(honest.symbols, np.full(len(honest.symbols), 0.1), honest.side_info)))

    check()


@pytest.mark.parametrize("name, weights", WITH_FEEDBACK)
def test_a_transmitter_goes_on_from_anything_that_is_fed_back(name, weights):
    codec, (_, image) = codec_of(name, weights), honest_rounds(name, weights)

    @bounded
    @given(st.data())
    def check(data):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transmitter = codec.transmitter(codec.cbr_range[1])
            payload, rounds = transmitter.start(image), 0
            while payload is not None and rounds < 12:
                assert np.isfinite(payload.symbols).all()
                payload, rounds = transmitter.next(reception_from(data.draw, payload)), rounds + 1

    check()


@bounded
@given(st.data())
def test_what_a_reception_holds_can_be_reckoned_with(data):
    honest = np.exp(1j * np.arange(30)).astype(np.complex64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        symbols = data.draw(symbols_from(honest))
        reception = Reception(symbols, data.draw(noise_vars(len(symbols))), None)
    least, most = NOISE_VARS
    lost = np.isinf(reception.noise_var)
    assert not reception.symbols[lost].any()
    assert (np.abs(reception.symbols.view(np.float32)) <= MOST_AMPLITUDE).all()
    assert ((reception.noise_var[~lost] >= np.float32(least)) & (reception.noise_var[~lost] <= most)).all()
    again = Reception(reception.symbols, reception.noise_var, None)
    assert again.symbols.tobytes() == reception.symbols.tobytes()
    assert again.noise_var.tobytes() == reception.noise_var.tobytes()
    assert reception.symbols.dtype == np.complex64 and reception.noise_var.dtype == np.float32
