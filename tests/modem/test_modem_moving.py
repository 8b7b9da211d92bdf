"""A channel that moves while a burst lasts is followed, and one that stands still is left alone."""

import numpy as np
import pytest
from modem_streams import errors, exponential_channel, gaussian, make_stream, on_symbols, receive

from gr_jscc.benchmarks.interference import cut_quality
from gr_jscc.benchmarks.modem import link_quality, trials
from gr_jscc.benchmarks.moving import moving_fading
from gr_jscc.channel.oscillator import PhaseNoise
from gr_jscc.channel.sample_clock import SampleOffset
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES, header_ofdm_symbols, numerology
from gr_jscc.modem.layout import data_places, pilot_places

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("layout", [*NUMEROLOGIES.values(), numerology(64, 15, used=40), numerology(32, 8, used=12)])
def test_pilots_come_to_every_carrier_and_data_makes_way(layout):
    head = header_ofdm_symbols(layout)
    rows = -(-layout.used_count // layout.pilot_count)
    pilots, data = pilot_places(layout, 0, head + rows), data_places(layout, 0, head + rows)
    every = np.broadcast_to(np.arange(layout.used_count), (head + rows, layout.used_count))
    assert np.array_equal(np.sort(np.concatenate([pilots, data], axis=1), axis=1), every)
    assert np.array_equal(pilots[:head], np.tile(layout.pilot_index, (head, 1)))
    assert np.array_equal(data[:head], np.tile(layout.data_index, (head, 1)))
    assert set(pilots[head:].ravel()) == set(range(layout.used_count))


def stands_still(burst) -> bool:
    """Whether a carrier's noise variance is the same in all OFDM symbols: so the channel was not let move."""
    carriers = on_symbols(np.arange(DEFAULT_NUMEROLOGY.used_count), len(burst.noise_var))
    return all(np.ptp(burst.noise_var[carriers == k]) == 0 for k in range(DEFAULT_NUMEROLOGY.used_count))


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
@pytest.mark.parametrize("taps", [None, exponential_channel], ids=["flat", "fading"])
def test_a_still_channel_is_not_let_move(rng, snr_db, taps):
    stream, _ = make_stream(rng, 100, snr_db, taps=taps)
    received, _ = receive(stream)
    assert len(received) > 75
    assert np.mean([stands_still(burst) for burst in received]) > 0.98


@pytest.mark.parametrize("impairment", [PhaseNoise(0.4, seed=3), SampleOffset(20.0)], ids=["phase noise", "clock"])
def test_what_turns_the_phase_is_no_motion(rng, impairment):
    stream, _ = make_stream(rng, 40, None)
    stream = impairment.process(stream)
    received, _ = receive(stream + gaussian(rng, len(stream)) * 10 ** (-15 / 20))
    assert len(received) == 40
    assert np.mean([stands_still(burst) for burst in received]) > 0.9


# With one estimate for the whole burst the losses were 3, 11, 6 and 12 dB.
@pytest.mark.parametrize(
    ("doppler_hz", "delay_spread", "most_db"), [(20, 0.0, 0.3), (100, 0.0, 0.5), (20, 2.0, 0.5), (100, 2.0, 1.0)]
)
def test_a_moving_channel_is_followed(rng, doppler_hz, delay_spread, most_db):
    got = list(trials(25, 20, rng, moving_fading(doppler_hz, delay_spread, seed=2)))
    quality = link_quality(iter(got), 20)
    assert quality.missed == 0
    assert quality.mmse_loss_db < most_db
    assert 0.9 < quality.noise_var_ratio < 1.1
    assert np.mean([stands_still(trial.received) for trial in got]) < 0.2


@pytest.mark.parametrize("snr_db", [5, 10])
def test_a_moving_channel_in_much_noise(rng, snr_db):
    quality = link_quality(trials(30, snr_db, rng, moving_fading(50, 2.0, seed=3)), snr_db)
    assert quality.missed <= 1
    assert quality.mmse_loss_db < 0.7
    assert 0.9 < quality.noise_var_ratio < 1.1


def test_a_moving_channel_and_a_slow_clock(rng):
    clock = SampleOffset(20.0)
    results = trials(20, 20, rng, moving_fading(50, 2.0, seed=4), impair=lambda samples, _: clock.process(samples))
    quality = link_quality(results, 20)
    assert quality.missed == 0 and quality.mmse_loss_db < 0.8 and 0.9 < quality.noise_var_ratio < 1.1


@pytest.mark.parametrize(("count", "doppler_hz"), [(300, 20), (7000, 20), (16000, 100)])
def test_short_and_long_bursts_of_a_moving_channel(rng, count, doppler_hz):
    results = list(
        trials(6, 20, rng, moving_fading(doppler_hz, 2.0, seed=5), settings=LinkSettings(burst_symbols=count))
    )
    quality = link_quality(iter(results), 20)
    assert quality.missed == 0 and quality.mmse_loss_db < 1.2 and 0.85 < quality.noise_var_ratio < 1.15


def test_few_pilots_follow_many_echoes_over_a_long_burst(rng):
    # Eleven functions of time and fourteen echoes: with room for 90 unknowns the loss was 5.9 dB.
    layout = NUMEROLOGIES["256-wide"]
    settings = LinkSettings(burst_symbols=16384, numerology=layout)
    channel = moving_fading(50, 2.0, seed=5, layout=layout)
    quality = link_quality(trials(6, 20, rng, channel, settings=settings), 20)
    assert quality.missed == 0 and quality.mmse_loss_db < 2 and 0.9 < quality.noise_var_ratio < 1.1


@pytest.mark.parametrize("delay_spread", [0.0, 2.0])
def test_a_cut_in_a_moving_channel(rng, delay_spread):
    quality = cut_quality(30, 20, 500, rng, moving_fading(20, delay_spread, seed=5))
    assert quality.missed <= 1
    assert quality.erased_before < 0.02 and quality.erased_after > 0.95
    assert 0.8 < quality.noise_var_ratio < 1.25
    assert 0.9 < quality.mmse_ratio < 1.1


def test_bursts_do_not_depend_on_their_company(rng):
    channel, parts = moving_fading(30, 2.0, seed=6), []
    stream, sent = make_stream(rng, 12, None)
    for number, s in enumerate(sent):
        end = s.start + 4800
        moved, _ = channel(stream[s.start : end], rng)
        parts.append(moved if number % 2 else stream[s.start : end])
    stream = np.concatenate(parts) + gaussian(rng, 12 * 4800) * 0.1
    together, _ = receive(stream)
    assert len(errors(together, sent)) == 12
    for number, burst in enumerate(together):
        alone, _ = receive(np.concatenate([np.zeros(4800 * number), stream[4800 * number :][:4800], np.zeros(2000)]))
        assert np.allclose(alone[0].symbols, burst.symbols, atol=2e-2)
