"""Bursts whose preamble and header an interferer drowned are read where their neighbours say that they are."""

import numpy as np
import pytest
from modem_streams import gaussian, receive

from gr_jscc.modem import (
    DEFAULT_NUMEROLOGY,
    NUMEROLOGIES,
    BurstHeader,
    BurstKind,
    HeaderSource,
    StreamDemodulator,
    burst_length,
    modulate,
)

pytestmark = pytest.mark.timeout(60)

WIDE = NUMEROLOGIES["256-wide"]
SYMBOLS, LAST, COUNT = 4800, 4790, 5
READ, BETWEEN, BEFORE = HeaderSource


@pytest.fixture
def train(rng):
    """A manifest, five bursts and the manifest again, without a pause: samples, (header, begin, end) and payloads."""
    payloads = [gaussian(rng, LAST if index == COUNT - 1 else SYMBOLS) for index in range(COUNT)]
    analog = [(BurstHeader(BurstKind.ANALOG, 7, 0, i, COUNT, len(one)), one) for i, one in enumerate(payloads)]
    manifest = BurstHeader(BurstKind.DIGITAL, 7, 0, 0, 1, 480, 1), gaussian(rng, 480)
    return make_train([manifest, *analog[:3], manifest, *analog[3:], manifest]), payloads


def make_train(bursts, silence=6000):
    parts, places, position = [np.zeros(silence)], [], silence
    for header, symbols in bursts:
        parts.append(modulate(header, symbols, WIDE))
        places.append((header, position, position + len(parts[-1])))
        position = places[-1][2]
    return np.concatenate([*parts, np.zeros(silence)]), places


def heard(rng, train, drowned, snr_db=15.0, channel=lambda samples: samples):
    """What is received where stretches of samples (begin, end) are drowned."""
    samples = channel(np.convolve(train, [1, 0.3j])[: len(train)]) * np.exp(2e-4j * np.arange(len(train)))
    samples = samples + gaussian(rng, len(samples)) * 10 ** (-snr_db / 20)
    for begin, end in drowned:
        samples[begin:end] += 30 * gaussian(rng, end - begin)
    return receive(samples.astype(np.complex64), WIDE)


def by_index(received):
    return {burst.header.index: burst for burst in received if burst.header.kind == BurstKind.ANALOG}


def check(burst, payload, source, least=0.3):
    """At least this share of the symbols is good, and what noise_var says of all of them is true."""
    assert burst.source == source
    symbols, noise_var = burst.symbols[: len(payload)], burst.noise_var[: len(payload)]
    assert np.mean(noise_var < 0.1) > least
    error = np.square(np.abs(symbols - payload)) / noise_var
    assert 0.8 < error[noise_var < 0.1].mean() < 1.2
    assert 0.5 < error.mean() < 1.6


def openings(places, *indices, kind=BurstKind.ANALOG):
    """The stretches from a little before such bursts to their tenth OFDM symbol."""
    return [(s - 500, s + 10 * WIDE.symbol_len) for h, s, _ in places if h.kind == kind and h.index in indices]


def test_bursts_between_others_are_read(rng, train):
    (samples, places), payloads = train
    received, demodulator = heard(rng, samples, openings(places, 1, 3))
    bursts = by_index(received)
    assert sorted(bursts) == [0, 1, 2, 3, 4] and demodulator.counters.bridged == 2
    check(bursts[1], payloads[1], BETWEEN)
    check(bursts[3], payloads[3], BETWEEN)
    assert bursts[1].start == pytest.approx(places[2][1], abs=8) and bursts[1].snr_db == pytest.approx(15, abs=1)
    assert [burst.start for burst in received] == sorted(burst.start for burst in received)


def test_bursts_are_read_where_a_manifest_beside_them_is_missing_too(rng, train):
    (samples, places), payloads = train
    received, _ = heard(rng, samples, [(places[3][1] - 300, places[5][1] + 3000)])  # burst 2, manifest, opening of 3
    bursts = by_index(received)
    assert sorted(bursts) in ([0, 1, 3, 4], [0, 1, 2, 3, 4])
    check(bursts[3], payloads[3], BETWEEN)


def test_the_last_bursts_are_read_before_the_manifest_at_the_end(rng, train):
    (samples, places), payloads = train
    bursts = by_index(heard(rng, samples, openings(places, 3, 4))[0])
    check(bursts[3], payloads[3], BETWEEN)
    check(bursts[4], payloads[4], BETWEEN)
    assert LAST <= bursts[4].header.symbols <= SYMBOLS


def test_the_first_burst_is_read_after_its_manifest_or_else_before_the_next_burst(rng, train):
    (samples, places), payloads = train
    bursts = by_index(heard(rng, samples, openings(places, 0))[0])
    check(bursts[0], payloads[0], BETWEEN)
    bursts = by_index(heard(rng, samples, [(5000, places[1][1] + 2000)])[0])
    check(bursts[0], payloads[0], BEFORE)


@pytest.mark.parametrize("snr_db", [15.0, 3.0, 0.0, -1.0])
def test_where_a_burst_was_left_out_nothing_is_made_of_what_is_there(rng, train, snr_db):
    """Noise as strong as the signal is not taken for it, either."""
    (samples, places), _ = train
    emptied = samples.copy()
    emptied[places[2][1] : places[2][2]] = 0
    received, demodulator = heard(rng, emptied, [], snr_db)
    assert sorted(by_index(received)) == [0, 2, 3, 4] and demodulator.counters.bridged == 0


def test_bursts_are_read_in_much_noise_too(rng, train):
    (samples, places), _ = train
    received, demodulator = heard(rng, samples, openings(places, 1, 3), 0.0)
    assert sorted(by_index(received)) == [0, 1, 2, 3, 4] and demodulator.counters.bridged == 2


def test_a_repeat_of_some_bursts_is_not_taken_for_all_of_them(rng, train):
    _, payloads = train
    headers = [BurstHeader(BurstKind.ANALOG, 7, 0, index, 9, SYMBOLS) for index in (1, 4, 6)]
    samples, places = make_train(list(zip(headers, payloads)))
    bursts = by_index(heard(rng, samples, [(places[1][1] - 500, places[1][1] + 3000)])[0])
    assert bursts[1].source == bursts[6].source == READ
    assert all(burst.source == BEFORE for index, burst in bursts.items() if index not in (1, 6))


def test_a_burst_of_another_round_is_not_taken_for_one_that_came_before(rng, train):
    _, payloads = train
    headers = [BurstHeader(BurstKind.ANALOG, transfer, 0, index, 3, SYMBOLS) for transfer, index in ((7, 2), (8, 1))]
    samples, _ = make_train(list(zip(headers, payloads)))
    received, demodulator = heard(rng, samples, [])
    assert [burst.header for burst in received] == headers and demodulator.counters.bridged == 0


def test_a_channel_that_changed_from_burst_to_burst_is_not_believed(rng, train):
    (samples, places), _ = train

    def faded(stream):
        out = stream.copy()
        for number, (_, begin, end) in enumerate(places):
            out[begin:end] = np.convolve(stream[begin:end], [1, (-1) ** number, 0.8j, (-1) ** number])[: end - begin]
        return out

    received, demodulator = heard(rng, samples, openings(places, 1), channel=faded)
    assert 1 not in by_index(received) and demodulator.counters.bridged == 0


def test_it_does_not_matter_how_the_samples_come_in(rng, train):
    (samples, places), _ = train
    stream = (samples + 0.1 * gaussian(rng, len(samples))).astype(np.complex64)
    for begin, end in openings(places, 1, 4):
        stream[begin:end] += 30 * gaussian(rng, end - begin)
    whole, _ = receive(stream, WIDE, step=16384)
    demodulator, parts = StreamDemodulator(WIDE, step=16384), []
    for first in range(0, len(stream), 1013):
        parts += demodulator.push(stream[first : first + 1013])
    parts += demodulator.flush()
    assert [burst.header for burst in parts] == [burst.header for burst in whole] and demodulator.counters.bridged == 2
    assert all(np.array_equal(a.symbols, b.symbols) for a, b in zip(parts, whole))


def test_bursts_that_never_end_a_round_keep_no_memory(rng):
    header = BurstHeader(BurstKind.DIGITAL, 7, 0, 0, 2, 480, 1)
    samples = np.concatenate([modulate(header, gaussian(rng, 480)), np.zeros(400, np.complex64)])
    demodulator = StreamDemodulator(step=16384)
    longest = 0
    for _ in range(600):
        demodulator.push(samples)
        longest = max(longest, len(demodulator._buffer))
    assert demodulator.counters.bursts > 500 and longest < 10 * burst_length(16384, DEFAULT_NUMEROLOGY)
