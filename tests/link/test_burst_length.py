"""Bursts are as long as the air at hand allows."""

import numpy as np
import pytest
from simulated_link import SimulatedLink, ToyCodec, picture

from gr_jscc.link.burst_length import RUNGS, USUAL, BurstLength
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES, BurstHeader, BurstKind, burst_length

pytestmark = pytest.mark.timeout(60)


def samples_of(symbols: int, layout=DEFAULT_NUMEROLOGY) -> int:
    return burst_length(BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, symbols), layout)


def after(hits_per_sample: float, rng, layout=DEFAULT_NUMEROLOGY) -> int:
    """The length chosen once 300 rounds of it went over air where hits are random."""
    length = BurstLength(layout)
    for _ in range(300):
        symbols = length.symbols
        lost = rng.random(max(1, 24_000 // symbols)) < 1 - np.exp(-hits_per_sample * samples_of(symbols, layout))
        length.heard(~lost, symbols)
    return length.symbols


def air_per_symbol(symbols: int, hits_per_sample: float) -> float:
    length = samples_of(symbols)
    return length * np.exp(hits_per_sample * length) / symbols


@pytest.mark.parametrize("layout", [NUMEROLOGIES["64"], NUMEROLOGIES["256-wide"]])
def test_nothing_known_means_the_usual_length(layout):
    assert BurstLength(layout).symbols == USUAL


@pytest.mark.parametrize("hits_per_sample", [0, 1e-6, 1e-5, 1e-4, 1e-3])
def test_little_more_air_than_the_best_length_takes(rng, hits_per_sample):
    chosen = air_per_symbol(after(hits_per_sample, rng), hits_per_sample)
    assert chosen <= 1.05 * min(air_per_symbol(rung, hits_per_sample) for rung in RUNGS)


def test_it_follows_air_that_gets_worse():
    length = BurstLength(DEFAULT_NUMEROLOGY)
    for _ in range(100):
        length.heard(np.ones(10, bool), length.symbols)
    assert length.symbols == RUNGS[-1]
    for _ in range(100):
        length.heard(np.arange(10) % 2 == 0, length.symbols)
    assert length.symbols < USUAL


def test_the_sender_lengthens_bursts_of_which_none_is_lost():
    link = SimulatedLink(ToyCodec(symbols=40_000), SendingPolicy(fit_bursts=True, in_flight=1))
    link.meet()
    for number in range(12):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(60.0)
    counts = [event["bursts"] for event in link.events_of("done")]
    assert counts[0] == -(-40_000 // USUAL) and counts[-1] <= 5 and sorted(counts, reverse=True) == counts
