"""Noise that differs from carrier to carrier is told apart, and white noise is left white."""

import numpy as np
import pytest
from modem_streams import errors, exponential_channel, gaussian, make_stream, on_symbols, receive

from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES
from gr_jscc.modem.noise_spectrum import noise_spectrum

pytestmark = pytest.mark.timeout(60)

CARRIERS = DEFAULT_NUMEROLOGY.used_carriers


def measured(rng, true, cells: int, bursts: int = 2000):
    """What `noise_spectrum` makes of Gaussian errors of variances float[carriers]: noise and shape."""
    energy = rng.gamma(cells, size=(bursts, len(true))) * true
    return noise_spectrum(energy, cells, np.ones(energy.shape, np.complex64))


@pytest.mark.parametrize(("carriers", "cells"), [(52, 9), (52, 3), (208, 5), (832, 4)])
def test_white_noise_stays_white(rng, carriers, cells):
    noise, shape = measured(rng, np.full(carriers, 0.3), cells, 1000)
    assert np.mean((shape != 1).any(axis=1)) < 0.01
    assert np.mean(0.3 / (noise[:, None] * shape)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("carriers", "cells"), [(52, 3), (208, 3)])
def test_no_few_carriers_are_taken_for_quiet_by_chance(rng, carriers, cells):
    # With three degrees of freedom one carrier in 10,000 shows a hundredth of its noise; it would drown the header.
    _, shape = measured(rng, np.ones(carriers), cells, 1_000_000 // carriers)
    assert shape.min() > 0.1


@pytest.mark.parametrize("quiet", [4, 12, 26])
def test_what_interferers_leave_quiet_is_found_quiet(rng, quiet):
    true = np.full(52, 30.0)
    true[20 : 20 + quiet] = 1
    noise, shape = measured(rng, true, 3)
    ratio = true / (noise[:, None] * shape)
    assert 0.7 < np.mean(ratio[:, true == 1]) < 1.2 and 0.9 < np.mean(ratio[:, true > 1]) < 1.1


@pytest.mark.parametrize(
    ("width", "over", "found"), [(1, 10, 0.99), (1, 100, 1), (3, 4, 0.99), (3, 100, 1), (15, 2, 0.97)]
)
def test_a_stretch_of_carriers_is_found(rng, width, over, found):
    true = np.ones(52)
    true[20 : 20 + width] = over
    noise, shape = measured(rng, true, 9)
    ratio = true / (noise[:, None] * shape)
    assert np.mean((shape != 1).any(axis=1)) >= found
    assert 0.85 < np.mean(ratio[:, true > 1]) < 1.15
    assert 0.95 < np.mean(ratio[:, true == 1]) < 1.05


def test_two_interferers_and_a_slope(rng):
    true = 10 ** (np.linspace(-4, 4, 52) / 10)
    true[[10, 11, 40]] *= 30
    noise, shape = measured(rng, true, 9)
    ratio = np.mean(true / (noise[:, None] * shape), axis=0)
    assert ratio.min() > 0.6 and ratio.max() < 1.5
    flat = true / np.mean(true)
    assert flat.min() < 0.15 and flat.max() > 10


def test_rounding_has_no_spectrum(rng):
    energy = rng.random((50, 52)) ** 20 * 1e-13
    _, shape = noise_spectrum(energy, 9, np.ones(energy.shape, np.complex64))
    assert np.all(shape == 1)


def interfered(rng, snr_db, over_db, width, place, taps=None, bursts=50):
    """Ratios of |error|² to noise_var, float[b, 2400]; the power on each symbol over that of the noise, float[2400]."""
    stream, sent = make_stream(rng, bursts, snr_db, cfo=0.0, taps=taps)
    size, noise = 64, 10 ** (-snr_db / 10)
    strength = noise * 10 ** (over_db / 10)
    if width:
        apart = (np.fft.fftfreq(len(stream)) * size - place + size / 2) % size - size / 2
        spectrum = np.where(np.abs(apart) < width / 2, np.fft.fft(gaussian(rng, len(stream))), 0)
        added = np.fft.ifft(spectrum) * np.sqrt(strength)
    else:
        added = np.sqrt(strength / size) * np.exp(2j * np.pi * place / size * np.arange(len(stream)))
    received, _ = receive((stream + added).astype(np.complex64))
    # The interferer alone through the receiver's FFT, at random places.
    starts = rng.integers(len(stream) - size, size=2000)
    bodies = np.stack([added[start : start + size] for start in starts])
    power = np.mean(np.abs(np.fft.fft(bodies, norm="ortho")) ** 2, axis=0)[CARRIERS % size] / noise
    power = on_symbols(power, 2400)
    results = errors(received, sent)
    ratios = np.stack([error / burst.noise_var for burst, _, error in results])
    lost = []
    for burst, s, _ in results:
        gain = 1.0 if s.taps is None else np.square(np.abs(on_symbols(np.fft.fft(s.taps, size)[CARRIERS % size], 2400)))
        known = noise * (1 + power) / gain
        estimate = burst.symbols / (1 + burst.noise_var)
        lost.append((np.mean(np.abs(estimate - s.symbols) ** 2), np.mean(known / (1 + known))))
    return ratios, power, 10 * np.log10(np.divide(*np.sum(lost, axis=0)))


@pytest.mark.parametrize("taps", [None, exponential_channel], ids=["flat", "fading"])
@pytest.mark.parametrize(("over_db", "width"), [(10, 0), (20, 0), (10, 3), (20, 3)])
@pytest.mark.parametrize("snr_db", [10, 20])
def test_an_interferer_shows_where_it_is(rng, snr_db, over_db, width, taps):
    ratios, power, loss_db = interfered(rng, snr_db, over_db, width, 11.3, taps)
    assert len(ratios) >= 46
    assert 0.7 < np.mean(ratios[:, power > 1]) < 1.4
    assert 0.9 < np.mean(ratios[:, power < 1]) < 1.1
    assert loss_db < 0.25


@pytest.mark.parametrize("snr_db", [5, 20])
def test_a_tone_on_a_pilot_does_not_disturb_the_phase(rng, snr_db):
    ratios, _, loss_db = interfered(rng, snr_db, 20, 0, 21.0)
    assert len(ratios) >= 49
    assert 0.9 < np.mean(ratios) < 1.1
    assert loss_db < 0.15


def test_white_noise_is_reported_white(rng):
    stream, sent = make_stream(rng, 100, 10.0)
    received, _ = receive(stream)
    even = [burst.noise_var.max() < 1.5 * burst.noise_var.min() for burst in received]
    assert len(sent) == len(even) and np.mean(even) > 0.95


def test_on_larger_numerologies(rng):
    layout = NUMEROLOGIES["256"]
    stream, sent = make_stream(rng, 30, 10.0, layout, cfo=0.0)
    stream = stream + np.sqrt(0.1 * 100 / 256) * np.exp(2j * np.pi * 30 / 256 * np.arange(len(stream)))
    received, _ = receive(stream.astype(np.complex64), layout)
    ratio = np.stack([e / b.noise_var for b, _, e in errors(received, sent)])
    hit = on_symbols(layout.used_carriers == 30, 2400, layout)
    assert 10 < hit.sum() < 14 and len(ratio) == 30
    assert 0.7 < np.mean(ratio[:, hit]) < 1.4
    assert 0.9 < np.mean(ratio[:, ~hit]) < 1.1
