"""The benchmark of interferers and cuts sees a receiver that does not know of them."""

import numpy as np
import pytest

from gr_jscc.benchmarks.interference import cut_quality, interfered_quality
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import burst_estimate, numerology, outliers

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("width", [0, 3])
def test_noise_taken_for_white_shows(rng, monkeypatch, width):
    good = interfered_quality(20, 10, 20, width, rng)
    assert good.missed <= 2
    assert 0.7 < good.hit_ratio < 1.4 and 0.9 < good.clear_ratio < 1.1 and good.mmse_loss_db < 0.3
    spectrum = burst_estimate.noise_spectrum

    def white(*arguments):
        noise, shape = spectrum(*arguments)
        return noise, np.ones_like(shape)

    monkeypatch.setattr(burst_estimate, "noise_spectrum", white)
    bad = interfered_quality(20, 10, 20, width, rng)
    assert bad.hit_ratio > 5 * bad.clear_ratio and bad.clear_ratio < 0.7 and bad.mmse_loss_db > 1


def test_another_numerology_is_measured_as_well(rng):
    own = LinkSettings(2000, numerology=numerology(128, 12, 100))  # whose last OFDM symbol is not full
    good = interfered_quality(60, 10, 20, 0, rng, settings=own)
    assert 0.7 < good.hit_ratio < 1.4 and 0.9 < good.clear_ratio < 1.1 and good.mmse_loss_db < 0.3
    good = cut_quality(20, 10, 500, rng, settings=own)
    assert 0.95 < good.mmse_ratio < 1.05 and good.erased_before < 0.005 and good.erased_after > 0.95


def test_cuts_that_go_unnoticed_show(rng, monkeypatch):
    good = cut_quality(20, 10, 500, rng)
    assert 0.95 < good.mmse_ratio < 1.05 and 0.85 < good.noise_var_ratio < 1.15
    assert good.erased_before < 0.005 and good.erased_after > 0.95
    whole = cut_quality(20, 10, 0, rng)
    assert whole.erased_before == 0 and np.isnan(whole.erased_after) and 0.95 < whole.mmse_ratio < 1.05
    monkeypatch.setattr(outliers, "lost_from", lambda late, outlying, *_: np.zeros_like(outlying))
    bad = cut_quality(20, 10, 500, rng)
    assert bad.erased_after == 0 and bad.mmse_ratio > 1.2
