"""DC, IQ imbalance and carrier offset of both ends, recovered from one capture of the comb."""

import numpy as np
import pytest
from faulty_link import FREQUENCY, SAMPLE_RATE, FaultyLink

from gr_jscc.calibration.carrier_offset import tone_offset
from gr_jscc.calibration.comb import CalibrationError, comb_samples, components, receive_comb
from gr_jscc.calibration.dc_offset import receiver_dc, transmitter_dc
from gr_jscc.calibration.iq_imbalance import receiver_iq, rejection_db, transmitter_iq
from gr_jscc.channel.noise import noise
from gr_jscc.radio.correction import correct_receive, predistort

AMPLITUDE = 0.5
COUNT = 2**18


def sent(seed=0):
    """The comb from an unknown place in its period on."""
    return comb_samples(COUNT + 64, AMPLITUDE)[np.random.default_rng(seed).integers(64) :]


def measured(link, samples):
    """Corrections of receiver and transmitter, as the procedure finds them one after the other."""
    capture = link.carry(samples)
    parts = components(capture, receive_comb(capture))
    dc, iq = receiver_dc(parts), receiver_iq(parts)
    corrected = correct_receive(capture, dc, iq)
    comb = receive_comb(corrected)
    parts = components(corrected, comb)
    return (dc, iq), (transmitter_dc(parts, comb, AMPLITUDE), transmitter_iq(parts, comb))


@pytest.mark.parametrize("seed", range(4))
def test_faults_of_both_ends_are_told_apart(seed):
    link = FaultyLink.drawn(seed, bits=8, snr_db=10)
    (rx_dc, rx_iq), (tx_dc, tx_iq) = measured(link, sent(seed))
    for got, true in ((rx_iq, link.rx_correction[1]), (tx_iq, link.tx_correction[1])):
        assert rejection_db(got - true) > 50
    # dBc: over the comb's power at the receiver (half of path gain) and at the transmitter.
    power = AMPLITUDE**2 / 2
    assert 10 * np.log10(abs(rx_dc - link.rx_correction[0]) ** 2 / (power / 4)) < -55
    assert 10 * np.log10(abs(tx_dc - link.tx_correction[0]) ** 2 / power) < -55


def test_predistortion_leaves_neither_image_nor_leakage():
    link = FaultyLink.drawn(7)
    rx, tx = measured(link, sent())
    plain = correct_receive(link.carry(sent()), *rx)
    clean = correct_receive(link.carry(predistort(sent(), *tx)), *rx)
    levels = []
    for capture in (plain, clean):
        comb = receive_comb(capture)
        parts = components(capture, comb)
        tones = np.mean(np.abs(parts.tones) ** 2)
        levels.append(
            [
                10 * np.log10(abs(transmitter_iq(parts, comb)) ** 2),
                10 * np.log10(abs(parts.leakage.mean()) ** 2 / tones),
                10 * np.log10(abs(parts.offset.mean()) ** 2 / tones),
                10 * np.log10(abs(receiver_iq(parts)) ** 2),
            ]
        )
    before, after = levels
    assert before[0] > -40 and before[1] > -40
    assert after[0] < -50 and after[1] < -50 and after[2] < -50 and after[3] < -50


@pytest.mark.parametrize("ppm", [-17.3, 0.0, 8.91])
def test_carrier_offset_of_the_tones_at_10_db(ppm):
    link = FaultyLink(ppm=ppm, snr_db=10, rx_dc=0.1, rx_iq=(0.5, 2.0), bits=8)
    found = tone_offset(receive_comb(link.carry(sent())), link.lo_offset, FREQUENCY, SAMPLE_RATE)
    assert found.ppm == pytest.approx(-ppm, abs=0.002)
    assert found.clock_ppm == pytest.approx(-ppm, abs=0.2)


def test_a_strong_offset_is_not_taken_for_the_comb():
    link = FaultyLink(snr_db=10, rx_dc=0.6)
    assert receive_comb(link.carry(sent() * np.float32(0.3))).lo == pytest.approx(link.lo_offset, abs=1e-6)


@pytest.mark.parametrize("kind", ["noise", "tone", "silence"])
def test_a_capture_without_the_comb_is_refused(kind, rng):
    samples = {
        "noise": noise((COUNT,), 1e-4, rng),
        "tone": noise((COUNT,), 1e-4, rng) + np.exp(0.7j * np.arange(COUNT)).astype(np.complex64),
        "silence": np.zeros(COUNT, np.complex64),
    }[kind]
    with pytest.raises(CalibrationError, match="the test signal does not arrive"):
        receive_comb(samples)


def test_radios_tuned_alike_are_refused():
    capture = FaultyLink(lo_offset=0.0).carry(sent())
    with pytest.raises(CalibrationError, match="LO offset"):
        components(capture, receive_comb(capture))


def test_short_captures_are_refused():
    with pytest.raises(CalibrationError, match="too short"):
        receive_comb(sent()[:5000])
