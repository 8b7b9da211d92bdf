"""DeepJSCC for frames: what the frame before is worth, what losses and late receivers see, and when all is whole."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.sources import Source

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]
SIZE, CBR, REFRESH = (96, 128), 1 / 12, 4
GOLDEN = [29.24, 29.60, 29.07, 29.35, 29.40, 29.55]  # PSNR in dB of six frames of the test pattern at 10 dB


@pytest.fixture(scope="module")
def temporal():
    return load_codec("deepjscc-temporal")


@pytest.fixture(scope="module")
def frames():
    form = FrameForm(fps=30, width=SIZE[1], height=SIZE[0])
    return [frame.image for frame in itertools.islice(Source("pattern").frames(form), 6)]


def transmitted(codec, frames, refresh=REFRESH):
    sender, payloads = codec.of_stream(refresh), []
    for frame in frames:
        payloads.append(sender.transmitter(CBR).start(frame))
        sender.sent(payloads[-1])
    return payloads


def heard(payload, number, snr_db=10.0):
    """As it arrives, each frame with noise of its own."""
    rng, count = np.random.default_rng(number), len(payload.symbols)
    variance = 10 ** (-snr_db / 10)
    noise = rng.normal(scale=np.sqrt(variance / 2), size=(count, 2)) @ [1, 1j]
    return Reception((payload.symbols + noise).astype(np.complex64), np.full(count, variance, np.float32),
                     payload.side_info)  # fmt: skip


def shown(codec, payloads, lost=()):
    """What a receiver shows of each; None where nothing can be shown."""
    end, pictures = codec.of_stream(REFRESH), []
    for number, payload in enumerate(payloads):
        receiver = end.receiver(*SIZE)
        picture = receiver.push(heard(payload, number)) if number not in lost else None
        pictures.append(None if picture is None or receiver.shows_grey else picture)
    return pictures


def test_frames_of_a_scene_that_stands_get_better_until_the_refresh(temporal, frames):
    payloads = transmitted(temporal, [frames[0]] * 6)
    values = [psnr_db(frames[0], picture) for picture in shown(temporal, payloads)]
    assert [payload.side_info[0] for payload in payloads] == [0, 1, 2, 3, 0, 1]
    assert min(values[1:4]) > values[0] + 0.5


def test_the_shipped_model_gives_what_it_gave(temporal, frames):
    values = [psnr_db(frame, picture) for frame, picture in zip(frames, shown(temporal, transmitted(temporal, frames)))]
    assert values == pytest.approx(GOLDEN, abs=0.1)


def test_a_soft_picture_that_stands_still_gets_better_with_every_frame(temporal, small_photo):
    """What hands the frame before on must do so exactly: rounded to eight bits it makes each a little worse."""
    soft = np.asarray(Image.fromarray(small_photo[:96, :128]).filter(ImageFilter.GaussianBlur(2)))
    frames = [soft] * 6
    values = [psnr_db(soft, picture) for picture in shown(temporal, transmitted(temporal, frames, refresh=9))]
    assert np.diff(values).min() > 0.1 and values[-1] > values[0] + 2


def test_a_frame_that_was_lost_is_felt_until_the_refresh_and_not_after_it(temporal, frames):
    payloads = transmitted(temporal, frames)
    whole, holed = shown(temporal, payloads), shown(temporal, payloads, lost={1})
    assert np.array_equal(whole[0], holed[0]) and not np.array_equal(whole[2], holed[2])
    assert all(np.array_equal(one, other) for one, other in zip(whole[4:], holed[4:]))


def test_who_joins_late_shows_nothing_before_the_refresh_and_what_all_show_after_it(temporal, frames):
    payloads = transmitted(temporal, frames)
    late = shown(temporal, payloads, lost={0})
    assert late[1:4] == [None] * 3
    assert all(np.array_equal(one, other) for one, other in zip(shown(temporal, payloads)[4:], late[4:]))


def test_a_frame_that_was_encoded_and_not_sent_leaves_no_trace(temporal, frames):
    sender = temporal.of_stream(REFRESH)
    for frame in frames[:3]:
        sender.transmitter(1 / 6).start(frame)
        payload = sender.transmitter(CBR).start(frame)
        sender.sent(payload)
    assert payload.side_info == transmitted(temporal, frames[:3])[-1].side_info


def test_another_scene_is_sent_as_a_picture_of_its_own(temporal, frames):
    payloads = transmitted(temporal, [frames[0], frames[0], 255 - frames[0], frames[0][:64]], refresh=9)
    assert [payload.side_info[0] for payload in payloads] == [0, 1, 0, 0]


def test_frames_that_need_no_other_get_more_and_the_mean_is_what_was_asked_for(temporal, frames):
    allowed, scenes = CBR * 3 * SIZE[0] * SIZE[1], [frames[0], 255 - frames[0]]
    still, cuts = [frames[0]] * 12, scenes * 6  # a scene cut at every frame
    for sequence in (still, cuts):
        counts = [len(payload.symbols) for payload in transmitted(temporal, sequence)]
        assert counts[0] > 1.4 * allowed and np.mean(counts) < 1.08 * allowed  # what the first had more, of twelve
    even = temporal.of_stream(REFRESH, is_even=True)
    for frame in frames[:3]:
        payload = even.transmitter(CBR).start(frame)
        even.sent(payload)
        assert 0.9 * allowed < len(payload.symbols) <= allowed


def test_photos_are_sent_as_deepjscc_sends_them(temporal, codec, small_photo):
    payload, plain = (each.transmitter(CBR).start(small_photo) for each in (temporal, codec))
    assert np.array_equal(payload.symbols, plain.symbols) and payload.side_info[1:] == plain.side_info
    assert np.array_equal(
        temporal.receiver(*small_photo.shape[:2]).push(heard(payload, 1)),
        codec.receiver(*small_photo.shape[:2]).push(heard(plain, 1)),
    )


@pytest.mark.parametrize(
    "told", [b"", b"\x01", b"\x01\x10", b"\x01\xff\x80", b"\x05\x10\x80\xff\xff\xff\xff", b"\x00\x01"]
)
def test_side_information_that_nobody_sent_does_no_harm(temporal, frames, told):
    payloads, end = transmitted(temporal, frames[:2]), temporal.of_stream(REFRESH)
    end.receiver(*SIZE).push(heard(payloads[0], 0))
    arrived = heard(payloads[1], 1)
    assert end.receiver(*SIZE).push(Reception(arrived.symbols, arrived.noise_var, told)).shape == (*SIZE, 3)
