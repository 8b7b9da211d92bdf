"""Samples that are missing inside a burst: what comes after is said to be lost, what comes before stays good."""

import numpy as np
import pytest
from modem_streams import errors, exponential_channel, gaussian, make_stream, receive

from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate

pytestmark = pytest.mark.timeout(60)

OPENING = 10  # OFDM symbols of preamble and header


def cut_bursts(rng, places, snr_db, length=500, gap=0, taps=None):
    """Bursts of 50 OFDM symbols, every second of which lacks samples from a place on; and places by burst's number."""
    stream, sent = make_stream(rng, 2 * len(places), snr_db, gap=gap, taps=taps)
    keep = np.ones(len(stream), bool)
    cut = {}
    for place, s in zip(places, sent[::2]):
        keep[s.start + place : s.start + place + length] = False
        cut[s.header.index] = place
    return stream[keep], sent, cut


def by_ofdm_symbol(burst, error):
    """Mean |error|² over noise_var, and whether it is said to be lost: float[50], bool[50]."""
    lost = np.isinf(burst.noise_var).reshape(50, 48)
    assert np.all(lost.all(axis=1) == lost.any(axis=1))
    return (error / burst.noise_var).reshape(50, 48).mean(axis=1), lost[:, 0]


@pytest.mark.parametrize("taps", [None, exponential_channel], ids=["flat", "fading"])
@pytest.mark.parametrize("snr_db", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("gap", [0, 900])
def test_what_follows_a_cut_is_lost_and_what_precedes_it_is_not(rng, snr_db, taps, gap):
    places = [80 * OPENING + 37 + 80 * n for n in range(2, 46, 2)]
    stream, sent, cut = cut_bursts(rng, places, snr_db, gap=gap, taps=taps)
    received, _ = receive(stream)
    results = errors(received, sent)
    assert len(results) >= 2 * len(places) - 3
    before, lost_before, lost_after, estimates, promises = [], [], [], [], []
    for burst, s, error in results:
        ratio, lost = by_ofdm_symbol(burst, error)
        place = cut.get(s.header.index)
        if place is None:
            assert not lost.any()
            continue
        hit = place // 80 - OPENING
        before.append(ratio[:hit])
        lost_before.append(lost[:hit])
        lost_after.append(lost[hit + 1 :])
        assert np.all(burst.symbols[np.isinf(burst.noise_var)] == 0)
        gain = 1 / (1 + burst.noise_var)
        estimates.append(np.mean(np.abs(gain * burst.symbols - s.symbols) ** 2))
        promises.append(np.mean(1 - gain))
    assert 0.85 < np.mean(np.concatenate(before)) < 1.1
    assert np.mean(np.concatenate(lost_before)) < 0.005
    assert np.mean(np.concatenate(lost_after)) > 0.9
    assert 0.95 < np.mean(estimates) / np.mean(promises) < 1.1


@pytest.mark.parametrize("taps", [None, exponential_channel], ids=["flat", "fading"])
@pytest.mark.parametrize("length", [9, 18])
def test_a_gap_that_would_turn_pilots_alike_if_they_stayed(rng, length, taps):
    stream, sent, cut = cut_bursts(rng, list(range(1200, 4000, 200)), 15.0, length, taps=taps)
    received, _ = receive(stream)
    lost = [
        by_ofdm_symbol(burst, error)[1][cut[s.header.index] // 80 - OPENING + 1 :]
        for burst, s, error in errors(received, sent)
        if s.header.index in cut
    ]
    assert len(lost) >= 13 and np.mean(np.concatenate(lost)) > 0.95


def test_a_cut_in_the_header_loses_the_burst_it_leaves(rng):
    # The header's code bridges the loss of its last OFDM symbols.
    stream, sent, cut = cut_bursts(rng, [690, 710, 730, 750, 770, 790], 10.0)
    received, _ = receive(stream)
    got = [burst for burst, s, _ in errors(received, sent) if s.header.index in cut]
    assert len(got) >= 3
    for burst in got:
        assert np.mean(np.isinf(burst.noise_var)) > 0.95


def test_a_cut_close_to_the_end_is_not_called_clean(rng):
    places = list(range(80 * (OPENING + 49), 80 * (OPENING + 49) + 40))
    stream, sent, cut = cut_bursts(rng, places, 15.0)
    received, _ = receive(stream)
    last = [by_ofdm_symbol(b, e)[0][-1] for b, s, e in errors(received, sent) if s.header.index in cut]
    assert len(last) > 35
    assert np.median(last) < 1.5 and np.mean(last) < 2


def test_no_clean_burst_is_called_cut(rng):
    for snr_db, taps in ((0.0, None), (3.0, exponential_channel), (15.0, exponential_channel)):
        stream, sent = make_stream(rng, 150, snr_db, taps=taps)
        received, _ = receive(stream)
        assert len(received) > 120
        assert all(np.isfinite(burst.noise_var).all() for burst in received)


@pytest.mark.parametrize("over_db", [0, 10, 20])
def test_an_interferer_until_the_end_is_no_cut(rng, over_db):
    stream, sent = make_stream(rng, 10, 10.0, gap=0)
    for s in sent:
        stream[s.start + 2420 : s.start + 4720] += gaussian(rng, 2300) * 10 ** (over_db / 20)
    received, _ = receive(stream)
    results = errors(received, sent)
    assert len(results) == 10
    for burst, _, error in results:
        ratio, lost = by_ofdm_symbol(burst, error)
        assert not lost.any()
        assert 0.7 < np.mean(ratio[:20]) < 1.2 and 0.65 < np.mean(ratio[23:]) < 1.5


def test_pieces_do_not_matter_to_cuts_and_interferers(rng):
    stream, _, _ = cut_bursts(rng, [1500, 2500, 4000, 4700], 10.0, gap=300)
    stream = stream + 0.4 * np.exp(2j * np.pi * 0.19 * np.arange(len(stream))).astype(np.complex64)
    whole, _ = receive(stream, step=8192)
    demodulator = StreamDemodulator(step=8192)
    pieces, position = [], 0
    while position < len(stream):
        size = int(rng.integers(0, 5000))
        pieces += demodulator.push(stream[position : position + size])
        position += size
    pieces += demodulator.flush()
    assert len(whole) >= 7 and any(np.isinf(burst.noise_var).any() for burst in whole)
    assert any(np.ptp(burst.noise_var[np.isfinite(burst.noise_var)]) > 1 for burst in whole)
    for a, b in zip(whole, pieces, strict=True):
        assert a.header == b.header and np.array_equal(a.symbols, b.symbols)
        assert np.array_equal(a.noise_var, b.noise_var)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("length", [100, 200, 300])
def test_without_noise_no_channel_comes_out_of_rounding(length):
    """Of a cut burst a moving channel explains nothing more than a still one: what precedes the cut stays exact."""
    burst = modulate(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 1000), np.ones(1000, np.complex64))
    stream = np.concatenate([np.delete(burst, slice(1500, 1500 + length)), np.zeros(4000, np.complex64)])
    (heard,) = receive(stream)[0]
    whole = 1500 // 80 - OPENING
    assert np.abs(heard.symbols[: 48 * whole] - 1).max() < 1e-3 and np.isinf(heard.noise_var[48 * (whole + 1) :]).all()
