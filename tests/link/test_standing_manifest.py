"""A stream's manifest once a second: frames without one are as good, and who joins late waits no longer for it."""

import itertools

import numpy as np
import pytest
from hand_clock import HandClock

from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.sending import SendingEnd
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem import BurstKind, ReceivedBurst
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.sources import Source

pytestmark = pytest.mark.usefixtures("one_thread")
FPS, NOISE_VAR = 10, 0.05


def stream(codec, count, seconds=1.0, images=None):
    """Trains of so many frames of the pattern, ten a second, and the frames."""
    clock, settings = HandClock(), LinkSettings(manifest_seconds=seconds)
    sending = SendingEnd(codec, 1 / 12, lambda task, *rest: task(*rest), lambda *event: None, settings, clock=clock)
    frames = images or [f.image for f in itertools.islice(Source("pattern").frames(FrameForm(FPS, 160, 120)), count)]
    trains = []
    for image in frames:
        sending.submit("frame", image)
        trains.append(sending.next_train())
        clock.now += 1 / FPS
    return frames, trains


def manifests(train):
    return sum(burst.header.kind == BurstKind.DIGITAL for burst in train)


class Receiver:
    """Takes trains through white noise; gives the pictures, None for a frame of which none came."""

    def __init__(self, codec, is_stream=True):
        self.end, self.rng = ReceivingEnd(codec), np.random.default_rng(1)
        if is_stream:
            self.end.expect_stream()

    def take(self, train, lost=()):
        arrivals = []
        for number, (header, symbols) in enumerate((burst.header, burst.symbols) for burst in train):
            if number in lost:
                continue
            noise = self.rng.normal(scale=np.sqrt(NOISE_VAR / 2), size=(len(symbols), 2)) @ [1, 1j]
            noise_var = np.full(len(symbols), NOISE_VAR, np.float32)
            received = (symbols + noise).astype(np.complex64)
            arrivals += self.end.burst(ReceivedBurst(header, received, noise_var, 0, 0.0, 13.0, -13.0))
        arrivals += self.end.flush()
        return next((image for image in map(self.end.pictures.decode, arrivals) if image is not None), None)


def test_one_manifest_a_second_and_every_frame_is_as_good(codec):
    frames, trains = stream(codec, 22)
    told = [manifests(train) for train in trains]
    assert told[0] > 0
    assert 3 <= np.count_nonzero(told) <= 6  # one a second, and where the power of frames has changed
    _, whole = stream(codec, 22, seconds=0.0)
    assert all(map(manifests, whole))
    alone, every = Receiver(codec), Receiver(codec)
    losses = []
    for image, train, with_manifest in zip(frames, trains, whole):
        losses.append(psnr_db(image, every.take(with_manifest)) - psnr_db(image, alone.take(train)))
    assert abs(np.mean(losses)) < 0.05 and max(losses) < 0.4


def test_who_joins_in_mid_stream_is_in_within_two_seconds_whatever_the_moment(codec):
    _, trains = stream(codec, 32)
    for joined in range(1, 12):
        receiver = Receiver(codec)
        waited = next(number for number, train in enumerate(trains[joined:]) if receiver.take(train) is not None)
        assert waited <= FPS + 1


def test_a_frame_that_lost_bursts_is_shown_without_a_manifest_of_its_own(codec):
    frames, trains = stream(codec, 3)
    receiver = Receiver(codec)
    assert receiver.take(trains[0]) is not None
    assert manifests(trains[1]) == 0 and len(trains[1]) >= 2
    holed = receiver.take(trains[1], lost=(0,))
    assert psnr_db(frames[1], holed) > 15
    assert psnr_db(frames[2], receiver.take(trains[2])) > 25


def test_another_size_or_other_content_has_its_own_manifest(codec, small_photo):
    calm = np.full_like(small_photo, 128)  # of another power
    images = [small_photo, small_photo, small_photo.transpose(1, 0, 2), small_photo, calm, small_photo]
    _, trains = stream(codec, 0, images=[np.ascontiguousarray(image) for image in images])
    assert [manifests(train) > 0 for train in trains] == [True, False, True, True, True, True]


def test_a_receiver_of_pictures_takes_no_manifest_for_anothers(codec):
    _, trains = stream(codec, 2)
    receiver = Receiver(codec, is_stream=False)
    assert receiver.take(trains[0]) is not None
    assert receiver.take(trains[1]) is None


def test_long_side_information_stands_for_nothing_else(small_photo):
    ntscc = load_codec("ntscc")
    _, trains = stream(ntscc, 0, images=[small_photo, small_photo[::-1].copy()])
    assert all(map(manifests, trains))
    receiver = Receiver(ntscc)
    assert receiver.take(trains[0]) is not None
    only_analog = [burst for burst in trains[1] if burst.header.kind == BurstKind.ANALOG]
    assert receiver.take(only_analog) is None


def test_symbols_are_restated_exactly(codec, small_photo):
    payload = codec.transmitter(1 / 12).start(small_photo)
    rate, code = payload.side_info
    restated = codec.restated(payload, bytes([rate, code + 1]))
    assert restated.side_info == bytes([rate, code + 1])
    ratio = restated.symbols / payload.symbols
    assert ratio == pytest.approx(2 ** (-1 / 32), rel=1e-5)
    assert codec.restated(payload, bytes([rate, code + 3])) is codec.restated(payload, bytes([rate + 1, code])) is None
