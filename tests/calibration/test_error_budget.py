"""The error budget names what was put in, and how strong it is."""

import dataclasses

import numpy as np
import pytest

from gr_jscc.calibration.advice import advice
from gr_jscc.calibration.bursts import burst_samples
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.calibration.error_budget import error_budget, together
from gr_jscc.channel import (
    Awgn,
    CarrierOffset,
    Chain,
    DcOffset,
    IqImbalance,
    PhaseNoise,
    PowerAmplifier,
    Quantiser,
    SampleOffset,
)

RATE = 2e6


@pytest.fixture(scope="module")
def sent():
    return burst_samples()


def budget(sent, before=(), after=(), snr_db=40.0, cfo=0.01, level=0.15, bits=14):
    air = [CarrierOffset(cfo), Awgn(snr_db)]
    received = Chain([*before, *air, *after]).process(sent) * np.float32(level)
    return error_budget(Quantiser(bits, 0, mean_power=1).process(received))


def db(power):
    return 10 * np.log10(max(power, 1e-12))


@pytest.mark.parametrize("snr_db", [10, 20, 30])
def test_noise(sent, snr_db):
    found = budget(sent, snr_db=snr_db)
    assert found.largest == "noise" and db(found.noise) == pytest.approx(-snr_db, abs=0.2)
    assert db(found.total) == pytest.approx(-snr_db, abs=0.3)
    assert found.bursts == 16 and found.missed == 0 and found.cfo == pytest.approx(0.01, abs=1e-6)
    assert "Receiver noise" in advice(found)


@pytest.mark.parametrize("where", ["before", "after"])
def test_iq_imbalance_of_either_end(sent, where):
    mixer = IqImbalance(0.5, 3.0)  # rejects the image by 28.3 dB
    found = budget(sent, **{where: [mixer]})
    assert found.largest == "image" and db(found.image) == pytest.approx(-28.3, abs=0.3)
    assert "IQ imbalance" in advice(found)


def test_iq_imbalance_without_a_carrier_offset(sent):
    found = budget(sent, before=[IqImbalance(0.5, 3.0)], cfo=0.0)
    assert found.largest == "image" and db(found.image) == pytest.approx(-28.3, abs=0.3)


def test_phase_noise(sent):
    found = budget(sent, after=[PhaseNoise(1.0, 50e3, sample_rate=RATE)])
    assert found.largest == "phase_noise"
    assert db(found.phase_noise) == pytest.approx(20 * np.log10(np.radians(1.0)), abs=1.5)
    assert "Phase noise" in advice(found)


def test_compression(sent):
    found = budget(sent, before=[PowerAmplifier(6.0)])
    assert found.largest == "compression" and found.without_db("compression") > 10
    assert "Compression" in advice(found)


def test_clipping(sent):
    found = budget(sent, level=0.6)
    assert found.clipped > 1e-3 and found.peak_dbfs == pytest.approx(0, abs=0.1)
    assert "receiver clips" in advice(found)


def test_coarse_steps(sent):
    found = budget(sent, level=0.02, bits=8, snr_db=60)
    assert found.largest == "rest" and "Converter resolution" in advice(found)
    louder = budget(sent, level=0.1, bits=6, snr_db=70)  # noise of a hundredth of a step
    assert louder.peak_dbfs > -15 and "noise does not change its output" in advice(louder)
    assert "converter" not in advice(dataclasses.replace(louder, noise=louder.rest / 10))


@pytest.mark.parametrize("level_db", [-20.0, 5.0])
def test_dc_is_told_but_the_link_bears_it(sent, level_db):
    found = budget(sent, after=[DcOffset(level_db, 40.0)])
    assert found.dc_dbc == pytest.approx(level_db, abs=0.3) and db(found.total) == pytest.approx(-40, abs=0.3)
    assert ("DC offset" in advice(found)) == (level_db > 0)


def test_leakage_of_the_transmitter_is_not_taken_for_noise(sent):
    found = budget(sent, before=[DcOffset(-20.0)], snr_db=35)
    assert db(found.noise) == pytest.approx(-35, abs=0.3) and db(found.total) == pytest.approx(-35, abs=0.5)


def test_a_slow_clock_is_no_error(sent):
    received = SampleOffset(20.0).process(np.concatenate([sent, np.zeros(500, np.complex64)]))
    found = budget(received, snr_db=30)
    assert db(found.total) == pytest.approx(-30, abs=0.5) and found.largest == "noise"


def test_several_captures_together(sent):
    one, two = budget(sent, snr_db=20), budget(sent, snr_db=30)
    both = together([one, two])
    assert both.bursts == 32 and both.noise == pytest.approx((one.noise + two.noise) / 2)


def test_what_is_lost_comes_first(sent):
    found = budget(sent, snr_db=20)
    assert "3 overflows" in advice(found, overflows=3)
    assert "are missed" in advice(dataclasses.replace(found, missed=0.2))


def test_silence_has_no_budget():
    with pytest.raises(CalibrationError, match="no burst arrives"):
        error_budget(np.zeros(200_000, np.complex64))
