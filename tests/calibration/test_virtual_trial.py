"""Faults of virtual radios, and what is recovered of them through the blocks that tx and rx use."""

import pytest

from gr_jscc.calibration import virtual_trial as trial
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.calibration.virtual_trial import Faults

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(150)]


@pytest.mark.parametrize(("model", "seed"), [("b210", 0), ("b210", 1), ("hackrf", 2)])
def test_front_ends_at_10_db(model, seed):
    """Carrier, DC and IQ of both ends at once; measured again with other noise once they are corrected."""
    sender, receiver = Faults.drawn(2 * seed), Faults.drawn(2 * seed + 1, noise_dbfs=-19.0)
    benches = [trial.virtual_bench(model, sender, receiver, seed=noise) for noise in (seed, 1000 + seed)]
    left = trial.recovered_front_end(*benches, trial.relative_ppm(sender, receiver))
    assert abs(left.ppm_error) < 0.02
    assert min(left.tx_rejection_db, left.rx_rejection_db) >= 45
    assert max(left.tx_dc_dbc, left.rx_dc_dbc) <= -50


def test_carrier_offset_of_bursts_at_10_db():
    sender, receiver = Faults(ppm=-5.7), Faults(ppm=5.1, noise_dbfs=-24.0)
    rig = trial.virtual_bench("b210", sender, receiver)
    assert abs(trial.burst_ppm_error(rig, trial.relative_ppm(sender, receiver), 0.2, 0.2)) < 0.02


@pytest.mark.parametrize("snr_db", [0, 10, 25])
def test_snr_estimator(snr_db):
    rig = trial.virtual_bench("b210", Faults(), Faults(noise_dbfs=-14.0 - snr_db), seed=snr_db)
    against_formula, against_payload = trial.estimator_bias(rig, 10 ** (-14 / 20), snr_db)
    assert abs(against_formula) < 0.3 and abs(against_payload) < 0.3


@pytest.mark.parametrize(("model", "point"), [("b210", -8.5), ("hackrf", -5.0)])
def test_compression(model, point):
    rig = trial.virtual_bench(model, Faults(compression_dbfs=point), Faults(loss_db=3.0))
    assert abs(trial.compression_error(rig, point)) < 0.5


@pytest.mark.parametrize("delay", [0.0, 2000.25])
def test_latency(delay):
    rig = trial.virtual_bench("b210", Faults(), Faults(delay=delay, noise_dbfs=-40.0))
    assert abs(trial.latency_error(rig, delay)) < 1


def test_latency_needs_times():
    rig = trial.virtual_bench("hackrf", Faults(), Faults())
    assert trial.latency_samples(rig) is None


def test_different_rates_are_refused():
    rig = trial.virtual_bench("b210", Faults(), Faults())
    slow = rig.rx_profile.adjusted("rx", sample_rate=1e6)
    with pytest.raises(CalibrationError, match="the same sample rate"):
        trial.Rig(rig.tx, rig.rx, rig.tx_profile, slow)
