"""A bound on everything that is charged: kept, and used up where the codec's range allows."""

import numpy as np
import pytest

from gr_jscc.codecs.base import Codec, CodecError, Payload, Transmitter
from gr_jscc.link.accounting import count_uses
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings, round_bursts, settings_of
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY

pytestmark = pytest.mark.timeout(60)


class Elastic(Codec):
    """Sends what it may, with side information that grows with it."""

    name = "elastic"
    weights_name, weights_hash = "", b"1234"
    cbr_range = (0.01, 0.3)
    side_info_mcs, side_info_copies = 3, 2

    def __init__(self, rounds=1, granularity=1):
        self.rounds, self.granularity = rounds, granularity

    def transmitter(self, cbr):
        return _Elastic(self, cbr)

    def receiver(self, height, width):
        raise NotImplementedError


class _Elastic(Transmitter):
    def __init__(self, codec, cbr):
        self.codec, self.cbr, self.left = codec, cbr, codec.rounds - 1

    def start(self, image):
        step = self.codec.granularity
        count = max(1, int(self.cbr * image.size) // step) * step
        return Payload(np.ones(count, np.complex64), bytes(100 + count // 300))

    def next(self, feedback):
        self.left -= 1
        return None if self.left < 0 else self.start(np.zeros((8, 8, 3), np.uint8))


def total_cbr(payload, codec, height, width):
    bursts = round_bursts(payload, height, width, codec.weights_hash, 0, 0, settings_of(codec))
    return count_uses([burst.header for burst in bursts], DEFAULT_NUMEROLOGY).cbr(height, width)["total"]


def test_side_information_goes_as_the_codec_asks():
    assert settings_of(Elastic()) == LinkSettings(mcs=3, manifest_copies=2)


def test_the_bound_is_never_exceeded_and_used_up_on_100_sizes(rng):
    for _ in range(100):
        codec = Elastic(granularity=int(rng.choice([1, 16])))
        height, width = (int(side) for side in rng.integers(100, 800, 2))
        bound = float(rng.uniform(0.08, 0.3))
        payload = (
            WithinTotal(codec, settings_of(codec)).transmitter(bound).start(np.zeros((height, width, 3), np.uint8))
        )
        assert 0.9 * bound < total_cbr(payload, codec, height, width) <= bound


def test_a_learned_codec_keeps_to_it(codec, small_photo):
    within = WithinTotal(codec, settings_of(codec))
    for bound in (0.09, 0.2):
        payload = within.transmitter(bound).start(small_photo)
        assert total_cbr(payload, codec, *small_photo.shape[:2]) <= bound
    assert within.weights_hash == codec.weights_hash and within.weights_name == codec.weights_name


def test_what_cannot_be_is_told():
    codec = Elastic()
    within = WithinTotal(codec, settings_of(codec))
    with pytest.raises(CodecError, match="8x8 picture cannot be sent by elastic at a total CBR of 0.2"):
        within.transmitter(0.2).start(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(CodecError, match="at least 1/100 for its payload alone"):
        within.transmitter(0.001)
    layered = Elastic(rounds=2)
    with pytest.raises(CodecError, match="sends several rounds"):
        WithinTotal(layered, settings_of(layered)).transmitter(0.2).start(np.zeros((100, 100, 3), np.uint8))


def test_eta_is_refused_by_codecs_that_have_none(codec):
    with pytest.raises(CodecError, match="deepjscc has no eta"):
        codec.set_eta(0.3)
