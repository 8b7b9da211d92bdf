"""What the receiver makes of a burst: how close to the ideal channel, and whether it knows how close."""

import numpy as np
import pytest
from modem_streams import errors, exponential_channel, gaussian, make_stream, on_symbols, receive

from gr_jscc.modem import NUMEROLOGIES, BurstHeader, BurstKind, burst_length, modulate, numerology

pytestmark = pytest.mark.timeout(60)


def decibels(ratio) -> float:
    return float(10 * np.log10(ratio))


@pytest.mark.parametrize("name", NUMEROLOGIES)
def test_without_noise_every_numerology_is_exact(rng, name):
    layout = NUMEROLOGIES[name]
    stream, sent = make_stream(rng, 3, None, layout, symbols=500)
    received, _ = receive(stream, layout)
    assert [burst.header for burst in received] == [s.header for s in sent]
    for burst, s, error in errors(received, sent):
        assert decibels(np.mean(error)) < -60
        assert abs(burst.start - s.start) <= 2
        assert burst.cfo == pytest.approx(s.cfo, abs=1e-6)


@pytest.mark.parametrize("name", ["64-cp4", "128", "256-cp32", "1024"])
def test_other_numerologies_in_noise(rng, name):
    layout = NUMEROLOGIES[name]
    stream, sent = make_stream(rng, 12, 10.0, layout, cfo=2)
    received, _ = receive(stream, layout)
    results = errors(received, sent)
    assert len(results) == 12
    assert 10 + decibels(np.mean([np.mean(error) for _, _, error in results])) < 0.5


@pytest.mark.parametrize(("snr_db", "bar"), [(0, 0.25), (5, 0.2), (10, 0.15), (20, 0.15)])
def test_on_white_noise(rng, snr_db, bar):
    stream, sent = make_stream(rng, 60, snr_db)
    received, _ = receive(stream)
    results = errors(received, sent)
    assert len(results) == 60
    assert snr_db + decibels(np.mean([np.mean(error) for _, _, error in results])) < bar
    assert 0.95 < np.mean([np.mean(error / burst.noise_var) for burst, _, error in results]) < 1.06
    estimates = [burst.snr_db for burst, _, _ in results]
    assert abs(np.mean(estimates) - snr_db) < 0.2
    assert np.std(estimates) < 0.4


@pytest.mark.parametrize("snr_db", [5, 10, 20])
def test_in_multipath(rng, snr_db):
    stream, sent = make_stream(rng, 60, snr_db, taps=exponential_channel)
    received, _ = receive(stream)
    results = errors(received, sent)
    assert len(results) >= 59
    layout = NUMEROLOGIES["64"]
    ratios = []
    for _, s, error in results:
        response = on_symbols(np.fft.fft(s.taps, layout.fft_size)[layout.used_bins], len(error))
        ratios.append(np.mean(error * np.square(np.abs(response)) * 10 ** (snr_db / 10)))
    assert decibels(np.median(ratios)) < 0.5  # their mean is ruled by the odd carrier in a deep fade
    assert 0.9 < np.mean([np.mean(error / burst.noise_var) for burst, _, error in results]) < 1.1


def resample(samples: np.ndarray, ppm: float) -> np.ndarray:
    """Samples as a clock fast by `ppm` takes them: windowed-sinc interpolation."""
    places = np.arange(len(samples)) * (1 + ppm * 1e-6)
    whole = np.floor(places).astype(int)
    result = np.zeros(len(samples), complex)
    for tap in range(-15, 17):
        x = places - whole - tap
        result += samples[np.clip(whole + tap, 0, len(samples) - 1)] * np.sinc(x) * np.cos(np.pi * x / 33) ** 2
    return result


@pytest.mark.parametrize("ppm", [-20, 20])
def test_sample_clock_offset(rng, ppm):
    total = []
    for _ in range(15):
        stream, sent = make_stream(rng, 1, None)
        samples = resample(stream, ppm)
        received, _ = receive(samples + gaussian(rng, len(samples)) * 10 ** (-15 / 20))
        total += [np.mean(error) for _, _, error in errors(received, sent)]
    assert len(total) == 15
    assert 15 + decibels(np.mean(total)) < 0.3


def impaired(rng, change, snr_db: float) -> float:
    """Implementation loss in dB after `change` of the clean samples."""
    stream, sent = make_stream(rng, 20, None)
    received, _ = receive(change(stream) + gaussian(rng, len(stream)) * 10 ** (-snr_db / 20))
    results = errors(received, sent)
    assert len(results) == 20
    return snr_db + decibels(np.mean([np.mean(error) for _, _, error in results]))


def test_dc_offset(rng):
    assert impaired(rng, lambda x: x + 0.5 * np.exp(1j), 15) < 0.3


def test_iq_imbalance(rng):
    skew = 10 ** (1 / 20) * np.exp(1j * np.deg2rad(5))
    assert impaired(rng, lambda x: (1 + skew) / 2 * x + (1 - skew) / 2 * np.conj(x), 15) < 0.6


def test_phase_noise(rng):
    # A Wiener phase of 6e-4 rad² per OFDM symbol: 11 degrees over a burst, far worse than a B210's.
    def turn(x):
        return x * np.exp(1j * np.cumsum(rng.normal(size=len(x)) * np.sqrt(6e-4 / 80)))

    assert impaired(rng, turn, 15) < 0.5


def test_an_interferer_spoils_what_it_hits_and_says_so(rng):
    stream, sent = make_stream(rng, 1, 10.0, gap=0)
    stream[2500:3200] += 5 * gaussian(rng, 700)
    received, _ = receive(stream)
    ((burst, _, error),) = errors(received, sent)
    hit = burst.noise_var > 1.0
    assert 300 < hit.sum() < 900
    assert decibels(np.mean(error[~hit])) < -9.4
    assert 0.5 < np.mean(error[hit] / burst.noise_var[hit]) < 2.0


def test_power_and_length(rng):
    layout = numerology(64, 16)
    header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 2400)
    samples = modulate(header, gaussian(rng, 2400), layout)
    assert samples.dtype == np.complex64 and len(samples) == burst_length(header, layout) == burst_length(2400, layout)
    assert np.mean(np.abs(samples) ** 2) == pytest.approx(52 / 64, rel=0.02)


def test_modulate_refuses_what_does_not_fit(rng):
    header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 10)
    with pytest.raises(ValueError, match="10 symbols"):
        modulate(header, gaussian(rng, 11))
    with pytest.raises(ValueError, match="finite"):
        modulate(header, np.full(10, np.nan))


@pytest.mark.parametrize(
    "arguments", [(63,), (16,), (64, 1), (64, 33), (64, 16, 63), (64, 16, 64), (64, 16, 4), (64.0,), (64, None, 12.0)]
)
def test_numerology_refuses(arguments):
    with pytest.raises(ValueError):
        numerology(*arguments)


def test_numerologies_are_well_formed():
    for name, layout in NUMEROLOGIES.items():
        assert not set(layout.data_carriers) & set(layout.pilot_carriers)
        if name.endswith("-wide"):
            continue
        assert layout.data_count == 48 * layout.fft_size // 64
        assert layout.pilot_count == 4 * layout.fft_size // 64
    assert NUMEROLOGIES["64"].pilot_carriers == (-21, -7, 7, 21)
    odd = numerology(64, 15, used=40)
    assert odd.used_count == 40 and 0 not in odd.used_carriers


@pytest.mark.parametrize("name", ["64", "1024"])
@pytest.mark.parametrize("count", [1, 47, 48, 49, 385, 16384])
def test_every_length_of_payload(rng, name, count):
    layout = NUMEROLOGIES[name]
    stream, sent = make_stream(rng, 2, 20.0, layout, symbols=count)
    received, _ = receive(stream, layout)
    assert [burst.header for burst in received] == [s.header for s in sent]
    for burst, _, error in errors(received, sent):
        assert burst.symbols.shape == burst.noise_var.shape == (count,)
        assert burst.symbols.dtype == np.complex64 and burst.noise_var.dtype == np.float32
        assert np.mean(error) < (0.1 if count == 1 else 0.015)


@pytest.mark.parametrize(
    "payload",
    [
        np.zeros(2400),
        np.ones(2400),
        np.tile([1, -1], 1200),
        np.where(np.arange(2400) % 100, 0, 10),
        np.linspace(0, 2, 2400) * 1j,
    ],
    ids=["zeros", "ones", "alternating", "spikes", "ramp"],
)
def test_payloads_with_structure(rng, payload):
    # What a codec sends need not look random; the pilots and the synchroniser must not mind.
    header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 2400)
    stream = np.tile(modulate(header, payload), 6)
    received, demodulator = receive(stream + gaussian(rng, len(stream)) * 0.1)
    assert len(received) == 6 and demodulator.counters.candidates < 10
    for burst in received:
        assert np.mean(np.abs(burst.symbols - payload) ** 2) < 0.0115
