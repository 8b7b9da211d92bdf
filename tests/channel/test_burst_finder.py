"""Bursts found by their preambles in a stream without tags: every one, to the sample, and nothing else."""

import numpy as np
import pytest

from gr_jscc.channel import Scenario
from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.channel.noise import noise
from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES, BurstHeader, BurstKind, burst_length, modulate

pytestmark = pytest.mark.timeout(60)


def stream(rng, bursts, numerology=DEFAULT_NUMEROLOGY, gap=300, snr_db=None, cfo=0.0, symbols=1200):
    """Samples with bursts, cfo in subcarriers up to which they are off, and where the bursts begin."""
    parts, starts, place = [], [], 0
    for number in range(bursts):
        payload = noise((symbols,), 1.0, rng)
        samples = modulate(BurstHeader(BurstKind.ANALOG, 1, 0, number, bursts, symbols), payload, numerology)
        turns = rng.uniform(-cfo, cfo) / numerology.fft_size * np.arange(len(samples)) + rng.uniform()
        silence = int(rng.integers(0, gap + 1))
        parts += [np.zeros(silence), samples * np.exp(2j * np.pi * turns)]
        starts.append(place + silence)
        place = starts[-1] + len(samples)
    samples = np.concatenate([*parts, np.zeros(50)]).astype(np.complex64)
    return samples if snr_db is None else samples + noise(samples.shape, 10 ** (-snr_db / 10), rng), starts


def through(finder, samples, cuts):
    """What comes out of a finder when a stream comes in pieces, and where bursts were in it."""
    parts, starts, place = [], [], 0
    for piece in np.split(np.concatenate([samples, np.zeros(finder.delay, np.complex64)]), cuts):
        out, found = finder.push(piece)
        parts.append(out)
        starts += [place + start for start in found]
        place += len(out)
    return np.concatenate(parts), starts


@pytest.mark.parametrize(
    ("name", "snr_db", "cfo", "gap"),
    [
        ("64", None, 0.0, 0), ("64", None, 0.0, 300), ("64", 30, 0.0, 300), ("64", 10, 0.0, 0), ("64", 10, 2.0, 300),
        ("64", 0, 0.0, 300), ("64-cp4", 10, 1.0, 300), ("256", 10, 0.0, 0), ("1024", 10, 1.0, 300),
    ],
)  # fmt: skip
def test_every_burst_is_found_at_its_first_sample(rng, name, snr_db, cfo, gap):
    samples, starts = stream(rng, 120, NUMEROLOGIES[name], gap, snr_db, cfo)
    finder = BurstFinder(NUMEROLOGIES[name])
    out, found = through(finder, samples, [50_000, 150_000])
    assert found == starts and finder.found == 120
    assert np.array_equal(out, samples)  # every sample, as it was


def test_how_the_stream_is_cut_changes_nothing(rng):
    samples, starts = stream(rng, 60, snr_db=3)
    for most in (50, 5_000, 70_000):
        finder, cuts = BurstFinder(), np.cumsum(rng.integers(0, most, 2 * len(samples) // most + 1))
        out, found = through(finder, samples, cuts[cuts < len(samples)])
        assert found == starts and np.array_equal(out, samples)


def test_a_constant_number_of_samples_is_held_back(rng):
    finder, taken = BurstFinder(), 0
    for count in (1, 5, 4000, 4000, 4000, 100_000, 3):
        out, _ = finder.push(np.ones(count, np.complex64))
        given = max(0, taken + count - finder.delay) - max(0, taken - finder.delay)
        assert len(out) == given
        taken += count
    assert finder.delay < 10_000


def test_nothing_is_found_where_there_is_none(rng):
    count = 3_000_000
    others = np.fft.ifft(rng.choice([1, -1, 1j, -1j], (count // 160, 128)), norm="ortho")
    for samples in (
        noise((count,), 1.0, rng), np.zeros(count), np.exp(0.3j * np.arange(count)), np.ones(count),
        np.concatenate([others[:, -32:], others], axis=1).reshape(-1),
    ):  # fmt: skip
        assert through(BurstFinder(), samples.astype(np.complex64), [])[1] == []


def test_what_was_cut_off_before_the_stream_does_not_disturb_the_next(rng):
    samples, starts = stream(rng, 10, gap=0)
    assert through(BurstFinder(), samples[40:], [])[1] == [start - 40 for start in starts[1:]]


def test_samples_that_are_no_numbers_disturb_their_bursts_only(rng):
    samples, starts = stream(rng, 40)
    samples[starts[10] + 20 : starts[10] + 25] = np.nan
    samples[starts[20] + 100] = np.inf
    samples[starts[30] - 1] = 1e30
    out, found = through(BurstFinder(), samples, [])
    assert set(starts) - set(found) <= {starts[10], starts[20]} and set(found) <= set(starts)
    assert np.array_equal(out, samples, equal_nan=True)


@pytest.mark.parametrize("snr_db", [None, 10])
def test_losses_at_the_found_places_are_whole_bursts(rng, snr_db):
    samples, starts = stream(rng, 200, snr_db=snr_db)
    finder, air = BurstFinder(), Scenario({"loss": {"probability": 0.3}})
    parts = []
    flushed = np.concatenate([samples, np.zeros(finder.delay, np.complex64)])
    for piece in np.split(flushed, range(0, len(samples), 7777)):
        out, found = finder.push(piece)
        air.mark(found)
        parts.append(air.process(out))
    arrived = np.concatenate(parts)
    length, erased = burst_length(1200, DEFAULT_NUMEROLOGY), 0
    for start in starts:
        lost = not arrived[start : start + length].any()
        assert lost or np.array_equal(arrived[start : start + length], samples[start : start + length])
        erased += lost
    assert 40 < erased < 80
