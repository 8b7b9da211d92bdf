"""Pilots and preamble stronger or weaker than the data: the mean power stays, and the receiver reckons with it."""

from dataclasses import replace

import numpy as np
import pytest
from modem_streams import errors, gaussian, make_stream, receive

from gr_jscc.benchmarks.interference import cut_quality
from gr_jscc.benchmarks.modem import link_quality, trials
from gr_jscc.benchmarks.moving import moving_fading
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES, BurstHeader, BurstKind, Numerology, modulate
from gr_jscc.modem.layout import burst_gain, header_ofdm_symbols, payload_ofdm_symbols

pytestmark = pytest.mark.timeout(60)
BOOSTS = [(6.0, 0.0), (-6.0, 0.0), (0.0, 6.0), (0.0, -3.0), (6.0, -3.0)]


def boosted(pilot_db: float, preamble_db: float, layout: Numerology = DEFAULT_NUMEROLOGY) -> Numerology:
    return replace(layout, pilot_boost_db=pilot_db, preamble_boost_db=preamble_db)


@pytest.mark.parametrize("name", ["64", "256-wide"])
@pytest.mark.parametrize(("pilot_db", "preamble_db"), BOOSTS)
def test_bursts_have_the_mean_power_of_those_without(rng, name, pilot_db, preamble_db):
    header, layout = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 9600), boosted(pilot_db, preamble_db, NUMEROLOGIES[name])
    symbols = gaussian(rng, 9600)
    symbols /= np.sqrt(np.mean(np.square(np.abs(symbols))))
    samples = modulate(header, symbols, layout)
    power = np.square(np.abs(samples)).mean() * layout.fft_size / layout.used_count
    assert power == pytest.approx(1, abs=0.01)
    preamble = np.square(np.abs(samples[: 4 * layout.symbol_len])).mean() * layout.fft_size / layout.used_count
    gain = burst_gain(layout, header_ofdm_symbols(layout) + payload_ofdm_symbols(9600, layout))
    assert preamble == pytest.approx(gain**2 * 10 ** (preamble_db / 10), rel=0.02)


@pytest.mark.parametrize(("pilot_db", "preamble_db"), BOOSTS)
def test_noise_is_told_as_it_is_on_still_air(rng, pilot_db, preamble_db):
    layout = boosted(pilot_db, preamble_db)
    stream, sent = make_stream(rng, 40, 10.0, layout)
    received, _ = receive(stream, layout)
    results = errors(received, sent)
    assert len(results) == 40
    assert 0.95 < np.mean([np.mean(error / burst.noise_var) for burst, _, error in results]) < 1.06
    of_data_db = 10 + 20 * np.log10(burst_gain(layout, header_ofdm_symbols(layout) + 50))
    assert np.mean([burst.snr_db for burst, *_ in results]) == pytest.approx(of_data_db, abs=0.2)
    error_db = 10 * np.log10(np.mean([np.mean(error) for *_, error in results]))
    assert of_data_db + error_db < 0.15  # as without boosts: what data pays is in its SNR


@pytest.mark.parametrize(("pilot_db", "preamble_db"), BOOSTS)
def test_moving_air_is_followed(rng, pilot_db, preamble_db):
    layout = boosted(pilot_db, preamble_db)
    channel, settings = moving_fading(50, 2.0, seed=2, layout=layout), LinkSettings(numerology=layout)
    quality = link_quality(trials(20, 20, rng, channel, settings=settings), 20)
    assert quality.missed == 0 and quality.mmse_loss_db < 1.5 and 0.9 < quality.noise_var_ratio < 1.1


def test_weak_pilots_cost_more_where_the_channel_moves_and_gain_where_it_does_not(rng):
    loss = {}
    for pilot_db in (0.0, -6.0):
        layout = boosted(pilot_db, 0.0)
        for doppler_hz in (0, 100):
            channel, settings = moving_fading(doppler_hz, 2.0, seed=2, layout=layout), LinkSettings(numerology=layout)
            found = trials(20, 20, np.random.default_rng(5), channel, settings=settings)
            loss[pilot_db, doppler_hz] = link_quality(found, 20).mmse_loss_db
    assert loss[-6.0, 0] < loss[0.0, 0] - 0.05 and loss[-6.0, 100] > loss[0.0, 100] + 0.3


@pytest.mark.parametrize(("pilot_db", "preamble_db"), [(6.0, 0.0), (-3.0, 3.0)])
def test_cuts_show_and_sound_bursts_are_not_called_cut(rng, pilot_db, preamble_db):
    settings = LinkSettings(numerology=boosted(pilot_db, preamble_db))
    sound, cut = (cut_quality(20, 10.0, dropped, rng, settings=settings) for dropped in (0, 500))
    assert sound.erased_before == 0 and cut.erased_before < 0.01 and cut.erased_after > 0.9
    assert 0.9 < sound.noise_var_ratio < 1.1 and 0.9 < cut.noise_var_ratio < 1.15
