"""Noise floor, output power, compression, SNR and latency, against what was put in."""

import numpy as np
import pytest
from faulty_link import FREQUENCY, SAMPLE_RATE

from gr_jscc.calibration.bursts import BURSTS, burst_samples, known_burst, receive_bursts
from gr_jscc.calibration.carrier_offset import burst_offset
from gr_jscc.calibration.comb import CalibrationError, comb_samples
from gr_jscc.calibration.compression import (
    AmplitudeCurve,
    amplitude_curve,
    distortion_db,
    evm_for_quality,
    highest_power,
    staircase,
)
from gr_jscc.calibration.gain_to_snr import link_snr_db
from gr_jscc.calibration.latency import arrival
from gr_jscc.calibration.noise_floor import noise_floor
from gr_jscc.calibration.output_power import check_level, gain_errors, received_dbfs
from gr_jscc.calibration.snr_estimator import estimator_trial
from gr_jscc.channel import Awgn, CarrierOffset, PowerAmplifier, Quantiser, SampleOffset
from gr_jscc.channel.noise import noise


def test_noise_floor_counts_neither_offset_nor_spurs(rng):
    count = 2**18
    spur = 1e-3 * np.exp(2j * np.pi * 0.1 * np.arange(count))
    found = noise_floor((noise((count,), 1e-5, rng) + 0.05 + spur).astype(np.complex64))
    assert found.dbfs == pytest.approx(-50, abs=0.1)
    ((place, level),) = found.spurs
    assert place == pytest.approx(0.1, abs=1e-3) and level == pytest.approx(-60, abs=0.5)


def test_output_power_at_low_snr(rng):
    received = comb_samples(2**17, 0.5) * np.float32(0.01)
    received += noise(received.shape, np.mean(np.abs(received) ** 2) * 3, rng)
    assert received_dbfs(received, 10 * np.log10(0.125)) == pytest.approx(-40, abs=0.1)
    assert gain_errors([(0, -60.0), (10, -50.0), (20, -41.5)]) == pytest.approx([0, 0, -1.5])


def test_clipping_is_told():
    with pytest.raises(CalibrationError, match="the receiver clips"):
        check_level(Quantiser(8, 0, mean_power=1).process(comb_samples(2**16, 1.5)))


@pytest.mark.parametrize(("saturation_dbfs", "smoothness"), [(-3.0, 2.0), (-10.0, 3.0), (0.0, 2.0), (-1.0, 1.5)])
def test_one_db_point(saturation_dbfs, smoothness, rng):
    sent = np.tile(staircase(), 3)[50_000:]
    received = PowerAmplifier(saturation_dbfs, smoothness, mean_power=1).process(sent) * np.float32(0.7)
    received = SampleOffset(20).process(CarrierOffset(0.05).process(received))
    received = Quantiser(8, 0, mean_power=1).process(received + noise(received.shape, 1e-4, rng))
    ratio = (10 ** (2 * smoothness / 20) - 1) ** (1 / (2 * smoothness))  # Rapp's |x|/A where 1 dB is missing
    true = saturation_dbfs + 20 * np.log10(ratio)
    assert amplitude_curve(received).compression_dbfs == pytest.approx(true, abs=0.1)


def test_a_linear_transmitter_has_no_one_db_point(rng):
    received = np.tile(staircase(), 3)[9_999:]
    assert amplitude_curve(received + noise(received.shape, 1e-4, rng)).compression_dbfs is None


def test_a_staircase_is_not_imagined(rng):
    with pytest.raises(CalibrationError, match="the test signal does not arrive"):
        amplitude_curve(noise((3 * len(staircase()),), 1.0, rng))


def test_back_off_follows_the_wanted_error():
    levels = np.arange(-30.0, 0.5)
    sizes = 10 ** (levels / 20)
    gain = -20 * np.log10(1 + (sizes / 0.7) ** 4) / 4
    curve = AmplitudeCurve(levels, gain)
    power = highest_power(curve, -30)
    assert distortion_db(curve, power) <= -30 < distortion_db(curve, power + 0.25)
    # The same through the channel model, on a burst.
    burst = known_burst(0)
    scaled = burst * np.float32(10 ** (power / 20) / np.sqrt(np.mean(np.abs(burst) ** 2)))
    through = PowerAmplifier(20 * np.log10(0.7), 2.0, mean_power=1).process(scaled)
    assert np.mean(np.abs(through - curve.transmit(scaled)) ** 2) < 1e-4 * np.mean(np.abs(scaled) ** 2)
    assert highest_power(curve, -40) < power


def test_error_that_a_picture_can_bear():
    def quality(snr_db):
        return 20 + snr_db / 2

    evm_db = evm_for_quality(26, 15, quality)  # 12 dB are enough
    assert 10 * np.log10(1 / (10 ** (-1.5) + 10 ** (evm_db / 10))) == pytest.approx(12, abs=0.05)
    with pytest.raises(CalibrationError, match="out of reach"):
        evm_for_quality(30, 15, quality)


@pytest.fixture(scope="module")
def stream():
    return burst_samples()


@pytest.mark.parametrize("snr_db", [0, 5, 10, 15, 20, 25])
def test_snr_estimator_and_bursts_against_truth(stream, snr_db):
    cycles = 7.31e-6 * FREQUENCY / SAMPLE_RATE
    received = Awgn(snr_db, seed=snr_db + 1).process(CarrierOffset(cycles).process(np.tile(stream, 2)))
    bursts = receive_bursts(received)
    assert len(bursts) == 2 * BURSTS
    trial = estimator_trial(received)
    assert trial.true_db == pytest.approx(snr_db, abs=0.1) and abs(trial.bias_db) < 0.2
    assert link_snr_db(received) == pytest.approx(snr_db, abs=0.3)
    assert burst_offset(bursts, 0.0, FREQUENCY, SAMPLE_RATE).ppm == pytest.approx(-7.31, abs=0.002)


@pytest.mark.parametrize("late", [0.0, 137.0, 1000.25, 5000.5])
def test_latency_to_a_fraction_of_a_sample(stream, late, rng):
    place = np.fft.fftfreq(len(stream) + 8192)
    padded = np.concatenate([stream, np.zeros(8192, np.complex64)])
    received = np.fft.ifft(np.fft.fft(padded) * np.exp(-2j * np.pi * place * late)).astype(np.complex64)
    received = CarrierOffset(0.01).process(received) + noise(received.shape, 0.1, rng)
    bursts = {burst.header.index: burst for burst in receive_bursts(received)}
    length = len(stream) // BURSTS
    for index in (0, 7):
        assert arrival(received, bursts[index]) - index * length == pytest.approx(late, abs=0.1)


def test_a_burst_cut_off_has_no_arrival(stream):
    (burst, *_) = receive_bursts(stream)
    with pytest.raises(CalibrationError, match="ends within"):
        arrival(stream[:3000], burst)
