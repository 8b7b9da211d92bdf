"""HJSCC over hyperlatents: both ends derive what is sent from what arrived, and what is lost costs little."""

import dataclasses

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.hjscc.hyper_feedback import HyperFeedback
from gr_jscc.codecs.hjscc.hyper_feedback_side_info import pack, threshold_code, threshold_of, unpack
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

GOLDEN = [(1 / 24, 32.69), (1 / 12, 36.27)]  # CBR and PSNR in dB at 10 dB of the small photo


@pytest.fixture(scope="module")
def codec():
    return load_codec("hjscc-feedback")


@pytest.fixture(scope="module")
def image(photo):
    """uint8[150, 200, 3]; no side is a multiple of the stride."""
    return np.ascontiguousarray(photo[100:250, 120:320])


def arrived(payload, snr_db, rng, lost=0.0):
    """The round with noise, some of its symbols lost."""
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, rng)
    gone = rng.random(len(symbols)) < lost
    return Reception(
        np.where(gone, 0, symbols).astype(np.complex64), np.where(gone, np.inf, variance), payload.side_info
    )


def through(codec, image, cbr, rng, heard=lambda number: True, told=lambda number: True, lost=0.0, snr_db=10.0):
    """Payloads, and the receiver when all is over, of rounds some of which are not heard or not fed back."""
    transmitter, receiver = codec.transmitter(cbr), codec.receiver(*image.shape[:2])
    payload, payloads = transmitter.start(image), []
    while payload is not None:
        came = arrived(payload, snr_db, rng, lost)
        if heard(len(payloads)):
            receiver.hear(came)
        payload, payloads = transmitter.next(came if told(len(payloads)) else None), [*payloads, payload]
    return payloads, receiver


def test_the_shipped_model_gives_what_it_gave(codec, small_photo):
    quality = []
    for cbr, _ in GOLDEN:
        rounds = ideal_transfer(codec, small_photo, cbr, 10.0, taps("awgn"), np.random.default_rng(1))
        quality.append(psnr_db(small_photo, rounds[-1].picture))
    assert quality == pytest.approx([psnr for _, psnr in GOLDEN], abs=0.05)


@pytest.mark.parametrize(("cbr", "snr_db"), [(1 / 96, 10), (1 / 24, 25), (1 / 24, 0), (1 / 8, 10), (1 / 24, 40)])
def test_rounds_fill_the_channel_uses_never_exceed_them_and_both_ends_agree(codec, image, rng, cbr, snr_db):
    payloads, receiver = through(codec, image, cbr, rng, snr_db=snr_db)
    counts = [len(payload.symbols) for payload in payloads]
    assert 1 < len(counts) <= 1 + codec.network.rounds
    assert cbr * image.size - 2 < sum(counts) <= cbr * image.size
    assert receiver.insight.drifted == 0 and receiver.insight.blind_from is None
    for payload in payloads:
        assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=1e-3)


def test_it_is_better_than_without_feedback_at_the_same_channel_uses(codec, image, rng):
    plain, gains = load_codec("ntscc"), []
    for cbr in (1 / 24, 1 / 12):
        _, receiver = through(codec, image, cbr, rng)
        alone = plain.receiver(*image.shape[:2]).push(arrived(plain.transmitter(cbr).start(image), 10.0, rng))
        gains.append(psnr_db(image, receiver.show()) - psnr_db(image, alone))
    assert min(gains) > 0, gains


def test_every_round_adds_to_the_picture(codec, image, rng):
    transmitter, receiver, quality = codec.transmitter(1 / 12), codec.receiver(*image.shape[:2]), []
    payload = transmitter.start(image)
    while payload is not None:
        came = arrived(payload, 10.0, rng)
        quality.append(psnr_db(image, receiver.push(came)))
        payload = transmitter.next(came)
    assert quality == sorted(quality) and quality[-1] > quality[0] + 0.2


def test_lost_symbols_are_made_up_for_in_later_rounds(codec, image, rng):
    _, told = through(codec, image, 1 / 12, rng, lost=0.2)
    _, untold = through(codec, image, 1 / 12, rng, lost=0.2, told=lambda number: False)
    assert told.insight.drifted == 0
    assert psnr_db(image, told.show()) > psnr_db(image, untold.show()) + 0.5


def test_without_feedback_all_that_is_left_is_one_round_more(codec, image, rng):
    payloads, receiver = through(codec, image, 1 / 12, rng, told=lambda number: False)
    _, first = through(codec, image, 1 / 12, rng, heard=lambda number: number == 0)
    assert len(payloads) == 2 and sum(len(p.symbols) for p in payloads) <= image.size / 12
    assert receiver.insight.blind_from == 1
    assert psnr_db(image, receiver.show()) > psnr_db(image, first.show())


def test_a_blind_round_can_be_read_alone(codec, image, rng):
    _, receiver = through(codec, image, 1 / 12, rng, heard=lambda number: number == 1, told=lambda number: False)
    assert psnr_db(image, receiver.show()) > 18


def test_feedback_of_another_round_counts_as_none(codec, image, rng):
    transmitter = codec.transmitter(1 / 12)
    payload = transmitter.start(image)
    other = dataclasses.replace(
        arrived(payload, 10, rng), symbols=payload.symbols[:-1], noise_var=np.ones(len(payload.symbols) - 1)
    )
    receiver = codec.receiver(*image.shape[:2])
    receiver.hear(
        Reception(payload.symbols, np.full(len(payload.symbols), 0.1, np.float32), transmitter.next(other).side_info)
    )
    assert receiver.insight.blind_from == 1


def test_side_information_that_is_damaged_or_of_another_state_leaves_the_picture_as_it_was(codec, image, rng):
    transmitter, receiver = codec.transmitter(1 / 12), codec.receiver(*image.shape[:2])
    payload = transmitter.start(image)
    came = arrived(payload, 10, rng)
    before = receiver.push(came)
    following = arrived(transmitter.next(came), 10, rng)
    damaged = dataclasses.replace(following, side_info=bytes(byte ^ 1 for byte in following.side_info))
    shortened = dataclasses.replace(following, symbols=following.symbols[:-3], noise_var=following.noise_var[:-3])
    height, width = image.shape[:2]
    told = unpack(following.side_info, height, width)
    others = [dataclasses.replace(told, number=n) for n in (codec.network.rounds + 1, 127)]
    forged = [pack(other, height, width) for other in (*others, dataclasses.replace(told, mask=told.mask ^ 1))]
    others = [dataclasses.replace(following, side_info=side_info) for side_info in (None, *forged)]
    for wrong in (damaged, shortened, *others, came):
        assert np.array_equal(receiver.push(wrong), before)
    assert not np.array_equal(receiver.push(following), before)


def test_noise_that_the_other_end_took_for_another_is_counted(codec, image, rng):
    transmitter, receiver = codec.transmitter(1 / 12), codec.receiver(*image.shape[:2])
    came = arrived(transmitter.start(image), 10, rng)
    receiver.hear(dataclasses.replace(came, noise_var=came.noise_var * 4))
    receiver.hear(arrived(transmitter.next(came), 10, rng))
    assert receiver.insight.drifted == 1


def test_rounding_of_another_machine_changes_no_mask(codec, image, rng):
    transmitter, receiver = codec.transmitter(1 / 12), codec.receiver(*image.shape[:2])
    receiver.hear(arrived(transmitter.start(image), 10, rng))
    end = receiver._end
    other = dataclasses.replace(end.latents, variance=end.latents.variance * (1 + 1e-14))
    masks = [dataclasses.replace(end, latents=latents).mask(1, False, 32_000) for latents in (end.latents, other)]
    assert end.lacking(1, False).dtype == torch.float64
    assert torch.equal(*masks) and 0 < int(masks[0].sum()) < masks[0].numel()


def test_in_bfloat16_both_ends_agree_as_well(codec, image):
    half, quality = load_codec("hjscc-feedback", precision="bf16"), []
    for sending in (codec, half):
        transmitter, receiver = sending.transmitter(1 / 12), codec.receiver(*image.shape[:2])
        payload, rng = transmitter.start(image), np.random.default_rng(5)
        while payload is not None:
            came = arrived(payload, 10, rng)
            receiver.hear(came)
            payload = transmitter.next(came)
        assert receiver.insight.drifted == 0 and receiver.insight.blind_from is None
        quality.append(psnr_db(image, receiver.show()))
    assert quality[1] == pytest.approx(quality[0], abs=0.15)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (16, 16), (17, 33)])
def test_tiny_pictures_cross_or_are_refused_in_one_line(codec, rng, size):
    little = rng.integers(0, 256, (*size, 3), np.uint8)
    try:
        _, receiver = through(codec, little, 1 / 6, rng)
    except CodecError as error:
        assert "too small" in str(error)
        return
    assert receiver.show().shape == little.shape


@pytest.mark.parametrize("cbr", [1 / 192, 1 / 48, 1 / 4])
def test_a_picture_without_anything_in_it_crosses_at_any_cbr(codec, rng, cbr):
    even = np.full((96, 128, 3), 200, np.uint8)
    payloads, receiver = through(codec, even, cbr, rng, snr_db=20.0)
    assert 0 < sum(len(payload.symbols) for payload in payloads) <= cbr * even.size
    assert receiver.insight.drifted == 0 and psnr_db(even, receiver.show()) > 25


@pytest.mark.parametrize("threshold", [1e-6, 0.3999, 0.4, 1.0, 77.0])
def test_thresholds_are_told_within_a_thousandth_and_never_lower(threshold):
    assert threshold <= threshold_of(threshold_code(threshold)) < 1.001 * threshold


@pytest.mark.parametrize("changed", [{"rounds": 0}, {"rounds": 1000}, {"rounds": True}, {"latents": 7}])
def test_configurations_that_make_no_network_are_refused(codec, changed):
    with pytest.raises(Exception, match="rounds must be|latents"):
        HyperFeedback.build(codec._model.config | changed)
