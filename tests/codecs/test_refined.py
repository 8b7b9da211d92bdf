"""Refined symbols: better pictures at the same price, from a receiver that knows nothing of it."""

import numpy as np
import pytest

from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.refined import Refined
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.budget import WithinTotal
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.encoding import adapt_codec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.metrics.picture import psnr_db

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]
FLAT = np.ones(1, np.complex64)
CASES = [
    ("deepjscc", 1 / 12, 10), ("ntscc", 1 / 16, 10), ("hjscc", 1 / 16, 10), ("hjscc-feedback", 1 / 16, 10),
    ("successive-multiple", 1 / 6, 10), ("successive-single", 1 / 12, 20), ("successive-residual", 1 / 6, 10),
]  # fmt: skip


def sent(codec, picture, cbr, seed=1):
    return ideal_transfer(codec, picture, cbr, 10.0, FLAT, np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "cbr", "steps"), CASES)
def test_every_learned_codec_gets_better_and_pays_no_more(small_photo, name, cbr, steps):
    picture = small_photo[:64, :96]
    codec = load_codec(name)
    gains = []
    for seed in range(3):
        plain, refined = (sent(c, picture, cbr, seed) for c in (codec, Refined(codec, steps)))
        gains.append(psnr_db(picture, refined[-1].picture) - psnr_db(picture, plain[-1].picture))
        assert refined[0].payload.side_info == plain[0].payload.side_info  # what follows depends on what came back
        assert sum(len(r.payload.symbols) for r in refined) <= picture.size * cbr
        for round_ in refined:
            assert np.mean(np.abs(round_.payload.symbols) ** 2) == pytest.approx(1, abs=1e-4)
    assert np.mean(gains) > 0.02
    again = sent(Refined(codec, steps), picture, cbr, seed)
    assert all(np.array_equal(a.payload.symbols, b.payload.symbols) for a, b in zip(refined, again, strict=True))


def test_more_steps_help_more(small_photo):
    picture, codec = small_photo[:64, :96], load_codec("ntscc")
    quality = [psnr_db(picture, sent(Refined(codec, steps), picture, 1 / 16)[-1].picture) for steps in (1, 5, 25)]
    assert quality[0] < quality[1] < quality[2]


def test_both_ends_hold_the_same_states_with_feedback(small_photo):
    rounds = sent(Refined(load_codec("hjscc-feedback"), 2), small_photo[:64, :96], 1 / 16)
    assert len(rounds) == 3 and rounds[-1].insight.drifted == 0 and rounds[-1].insight.blind_from is None


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_feedback_that_no_receiver_can_have_sent_ends_no_transmitter(small_photo, share):
    """Of too few symbols: the receiver that is kept makes nothing of it, nor of the rounds after it."""
    transmitter = Refined(load_codec("hjscc-feedback"), 1).transmitter(1 / 16)
    payload, rounds = transmitter.start(small_photo[:64, :96]), 0
    while payload is not None:
        symbols = payload.symbols[: int(len(payload.symbols) * (1 if rounds == 0 else share))]
        feedback = Reception(symbols, np.full(len(symbols), 0.1, np.float32), payload.side_info)
        payload, rounds = transmitter.next(feedback), rounds + 1
        assert payload is None or np.isfinite(payload.symbols).all()
    assert rounds == 3  # the last of all that is left


def test_a_bound_on_all_that_is_charged_is_kept_and_the_snr_believed(small_photo):
    settings = LinkSettings(control_snr_db=7.0)
    codec = load_sending_codec(Encoding(total=True, refine=2), settings)
    assert isinstance(codec, Refined) and codec.snr_db == 7.0
    payload = codec.transmitter(1 / 12).start(small_photo)
    assert codec.codec.total(payload, *small_photo.shape[:2]) <= small_photo.size / 12


@pytest.mark.parametrize(("name", "steps"), [("separation", 5), ("ntscc", 0), ("ntscc", 1001)])
def test_what_cannot_be_refined_is_one_line(name, steps):
    with pytest.raises(CodecError):
        Refined(load_codec(name), steps)


def test_what_the_receiver_reports_reaches_it_under_whatever_is_around_it():
    settings = LinkSettings(control_snr_db=7.0)
    refined = Refined(load_codec("deepjscc"), 2, snr_db=7.0)
    within = WithinTotal(refined, settings)
    adapt_codec(within, settings, None)
    assert refined.snr_db == 7.0
    adapt_codec(within, LinkSettings(control_snr_db=3.0), 3.5)
    assert refined.snr_db == 3.5 and within.settings.control_snr_db == 3.0
