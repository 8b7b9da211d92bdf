"""HEVC for frames: it keeps to its channel uses, gains by the frame before, and is whole again after a loss."""

import numpy as np
import pytest

from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.separation.hevc_video import Group
from gr_jscc.metrics.picture import psnr_db

pytestmark = pytest.mark.timeout(120)

REFRESH = 4


@pytest.fixture(scope="module")
def frames(photo):
    """uint8[9, 96, 128, 3], a window that moves over a photo."""
    return np.stack([photo[100 + 2 * n : 196 + 2 * n, 140 + n : 268 + n] for n in range(9)])


def arrived(payload):
    return Reception(payload.symbols, np.full(len(payload.symbols), 0.1, np.float32), payload.side_info)


def sent_by(codec, frames, cbr=1 / 12):
    payloads = []
    for frame in frames:
        payloads.append(codec.transmitter(cbr).start(frame))
        codec.sent(payloads[-1])
    return payloads


def seen_by(codec, payloads):
    return [codec.receiver(96, 128).push(arrived(payload)) for payload in payloads]


@pytest.fixture(scope="module")
def stream(frames):
    """The frames as sent and as seen by who lost none."""
    codec = load_codec("separation-video")
    payloads = sent_by(codec.of_stream(REFRESH), frames)
    return payloads, seen_by(codec.of_stream(REFRESH), payloads)


def is_grey(picture):
    return bool((picture == 128).all())


def test_the_mean_of_a_period_keeps_to_the_cbr_and_one_frame_in_it_takes_most(frames, stream):
    counts = [len(payload.symbols) for payload in stream[0]]
    assert sum(counts[:REFRESH]) <= REFRESH * frames[0].size / 12
    assert [n for n, count in enumerate(counts) if count > 2 * np.median(counts)] == [0, 4, 8]


@pytest.mark.parametrize("cbr", [1 / 2, 1])
def test_frames_are_shown_at_the_highest_cbrs(frames, cbr):
    codec = load_codec("separation-video")
    seen = seen_by(codec.of_stream(REFRESH), sent_by(codec.of_stream(REFRESH), frames[:2], cbr))
    assert min(psnr_db(*pair) for pair in zip(frames, seen)) > 40


def test_a_frame_that_only_fits_by_itself_is_sent_by_itself(frames, photo):
    sender = load_codec("separation-video").of_stream(refresh=100)
    noise = np.random.default_rng(1).integers(0, 256, frames[0].shape, np.uint8)
    grey = np.full_like(frames[0], 90)
    payloads = sent_by(sender, [grey, grey, noise], cbr=1 / 40)
    seen = seen_by(load_codec("separation-video").of_stream(100), payloads)
    assert len(payloads[2].symbols) > 2 * len(payloads[1].symbols) and psnr_db(noise, seen[2]) > 8


def test_each_frame_keeps_to_it_where_all_are_held_to_it(frames):
    payloads = sent_by(load_codec("separation-video").of_stream(REFRESH, is_even=True), frames[:5])
    assert max(len(payload.symbols) for payload in payloads) <= frames[0].size // 12


def test_frames_are_better_than_pictures_of_their_own(frames, stream):
    own = load_codec("separation")
    single = [own.receiver(96, 128).push(arrived(own.transmitter(1 / 12).start(frame))) for frame in frames[:5]]
    gain = np.mean([psnr_db(f, a) - psnr_db(f, b) for f, a, b in zip(frames, stream[1], single)])
    assert gain > 2


def test_a_lost_frame_freezes_the_picture_until_the_next_that_needs_no_other(stream):
    payloads, whole = stream
    receiver = load_codec("separation-video").of_stream(1)
    seen = seen_by(receiver, payloads[:1] + payloads[2:])
    assert [is_grey(picture) for picture in seen] == [False, True, True, False, False, False, False, False]
    assert all(np.array_equal(a, b) for a, b in zip(seen[3:], whole[4:]))


def test_a_frame_that_is_not_sent_is_not_predicted_from(frames):
    sender = load_codec("separation-video").of_stream(REFRESH)
    first = sent_by(sender, frames[:1])
    sender.transmitter(1 / 12).start(frames[5])  # gives way to the next
    payloads = first + sent_by(sender, frames[1:2])
    seen = seen_by(load_codec("separation-video").of_stream(REFRESH), payloads)
    assert min(psnr_db(*pair) for pair in zip(frames, seen)) > 28


def test_a_frame_of_another_size_needs_no_other(frames):
    sender = load_codec("separation-video").of_stream(REFRESH)
    payloads = sent_by(sender, [frames[0], frames[1][:64]])
    receiver = load_codec("separation-video").of_stream(REFRESH)
    assert not is_grey(receiver.receiver(96, 128).push(arrived(payloads[0])))
    assert psnr_db(frames[1][:64], receiver.receiver(64, 128).push(arrived(payloads[1]))) > 28


def test_messages_that_are_no_frames_leave_the_picture_grey_and_the_next_group_whole(frames, stream):
    codec = load_codec("separation-video")
    receiver = codec.of_stream(REFRESH)
    _, slice_ = Group(96, 128).with_frame(frames[0], room=4000)
    forged = [b"\0", b"\0" + slice_[: len(slice_) // 2] + b"\0\0\1" + slice_, b"\1" + slice_, b"\0" + b"\xa5" * 300]
    for message in forged:
        assert is_grey(receiver.receiver(96, 128).push(arrived(codec.packed(message)))), message[:8]
    seen = seen_by(receiver, stream[0][4:6])
    assert all(np.array_equal(a, b) for a, b in zip(seen, stream[1][4:6]))


def test_what_was_sent_stays_as_it_was_when_the_group_is_encoded_again(frames):
    group, sent = Group(96, 128), []
    for frame in frames[:3]:
        group, data = group.with_frame(frame, room=900)
        sent.append(data)
    again = [Group(96, 128, group.frames[:n], group.quantisers[:n]).last() for n in (1, 2, 3)]
    assert again == sent
    coarser = Group(96, 128, group.frames, (*group.quantisers[:2], group.quantisers[2] + 6))
    assert len(coarser.last()) < 0.8 * len(sent[2])


def test_other_picture_codecs_and_rooms_too_small_are_one_line(frames):
    with pytest.raises(CodecError, match="separation-video sends frames by hevc alone, not by jpeg"):
        load_codec("separation-video", "jpeg:10dB")
    codec = load_codec("separation-video").of_stream(REFRESH)
    for refuse in (codec.check_picture, lambda image, cbr: codec.transmitter(cbr).start(image)):
        with pytest.raises(CodecError, match=r"a 128x96 picture needs more than CBR 0.001 with separation-video"):
            refuse(frames[0], 1 / 1000)


def test_a_host_whose_x265_writes_other_parameter_sets_is_refused(monkeypatch):
    codec = load_codec("separation-video")
    before = codec.weights_hash
    monkeypatch.setattr("gr_jscc.codecs.separation.video.parameter_sets", lambda height, width: b"others")
    assert codec.weights_hash != before
