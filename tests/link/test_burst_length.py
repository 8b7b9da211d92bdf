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


def after(hits_per_sample: float, rng, share: float = 0.0, length: BurstLength | None = None) -> list[int]:
    """The lengths chosen in 300 rounds over air where hits are random, and a share of the bursts is lost anyway."""
    length = length or BurstLength(DEFAULT_NUMEROLOGY)
    chosen = []
    for _ in range(300):
        chosen.append(length.symbols)
        arrive = (1 - share) * np.exp(-hits_per_sample * samples_of(chosen[-1]))
        length.heard(rng.random(max(1, 24_000 // chosen[-1])) < arrive, chosen[-1])
    return chosen


def air_per_symbol(symbols: int, hits_per_sample: float) -> float:
    length = samples_of(symbols)
    return length * np.exp(hits_per_sample * length) / symbols


@pytest.mark.parametrize("layout", [NUMEROLOGIES["64"], NUMEROLOGIES["256-wide"]])
def test_nothing_known_means_the_usual_length(layout):
    assert BurstLength(layout).symbols == USUAL


@pytest.mark.parametrize("share", [0, 0.2, 0.5])
@pytest.mark.parametrize("hits_per_sample", [0, 1e-6, 1e-5, 1e-4])
def test_little_more_air_than_the_best_length_takes(rng, hits_per_sample, share):
    chosen = [air_per_symbol(symbols, hits_per_sample) for symbols in after(hits_per_sample, rng, share)[100:]]
    assert np.mean(chosen) <= 1.2 * min(air_per_symbol(rung, hits_per_sample) for rung in RUNGS)


def test_losses_that_do_not_depend_on_the_length_do_not_shorten_bursts_for_ever(rng):
    # Half of all bursts is lost, however short: taken for random hits, shorter bursts would show ever more of them.
    assert np.median(after(0, rng, share=0.5)[100:]) >= USUAL


def test_it_follows_air_that_gets_worse_and_better(rng):
    length = BurstLength(DEFAULT_NUMEROLOGY)
    assert np.median(after(0, rng, length=length)[100:]) == RUNGS[-1]
    assert np.median(after(5e-4, rng, length=length)[100:]) < USUAL
    assert np.median(after(0, rng, length=length)[100:]) == RUNGS[-1]


def test_the_sender_lengthens_bursts_of_which_none_is_lost():
    link = SimulatedLink(ToyCodec(symbols=40_000), SendingPolicy(fit_bursts=True, in_flight=1))
    link.meet()
    for number in range(12):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(60.0)
    counts = [event["bursts"] for event in link.events_of("done")]
    assert counts[0] == -(-40_000 // USUAL) and max(counts[6:]) <= 5
