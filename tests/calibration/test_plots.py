"""Every step leaves a plot that shows something."""

import numpy as np
import pytest
from faulty_link import SAMPLE_RATE, FaultyLink
from PIL import Image

from gr_jscc.calibration.bursts import burst_samples
from gr_jscc.calibration.comb import comb_samples, receive_comb
from gr_jscc.calibration.compression import amplitude_curve, staircase
from gr_jscc.calibration.noise_floor import noise_floor
from gr_jscc.calibration.plots import draw
from gr_jscc.calibration.snr_estimator import estimator_trial
from gr_jscc.channel import Awgn, PowerAmplifier
from gr_jscc.channel.noise import noise


@pytest.fixture(scope="module")
def data():
    """What each step leaves."""
    sent = comb_samples(2**16, 0.5)
    captures = [FaultyLink.drawn(1).carry(sent), FaultyLink().carry(sent)]
    steps = PowerAmplifier(-3.0, mean_power=1).process(np.tile(staircase(), 3))
    bursts = burst_samples()
    table = [(0.0, -40.0), (10.0, -30.0), (20.0, -21.0)]
    return {
        "noise": noise_floor(noise((2**16,), 1e-4, np.random.default_rng(1)) + np.complex64(0.01)),
        "carrier": (receive_comb(captures[0]), SAMPLE_RATE),
        "dc": captures,
        "iq": captures,
        "compression": (amplitude_curve(steps), -10.0),
        "power": table,
        "snr": table,
        "estimator": [estimator_trial(Awgn(snr_db).process(bursts)) for snr_db in (5, 15)],
    }


@pytest.mark.parametrize("step", ["noise", "carrier", "dc", "iq", "compression", "power", "snr", "estimator"])
def test_draws(tmp_path, data, step):
    path = draw(tmp_path / "plots", step, data[step])
    assert [file.name for file in path.parent.iterdir()] == [f"{step}.png"]
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 20
