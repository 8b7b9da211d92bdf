"""Peak power: measured between the samples too, and limited without a bias or spill into other carriers."""

import numpy as np
import pytest

from gr_jscc.modem import DEFAULT_NUMEROLOGY, BurstHeader, BurstKind, StreamDemodulator, modulate, numerology
from gr_jscc.modem.layout import pilot_places
from gr_jscc.modem.papr import clip_and_filter, papr_db

pytestmark = pytest.mark.timeout(60)
HEADER = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 2400)


def gaussian(seed):
    rng = np.random.default_rng(seed)
    return ((rng.standard_normal(2400) + 1j * rng.standard_normal(2400)) / np.sqrt(2)).astype(np.complex64)


def test_papr_by_hand():
    tone = np.exp(2j * np.pi * 5 * np.arange(256) / 256).astype(np.complex64)
    assert papr_db(tone) == pytest.approx(0, abs=1e-3)
    assert papr_db(tone + tone.conj()) == pytest.approx(10 * np.log10(2), abs=0.01)
    late = np.exp(2j * np.pi * (64 * np.arange(256) / 256 + 1 / 8))  # real part sampled beside its peaks
    assert papr_db(late.real.astype(np.complex64)) == pytest.approx(10 * np.log10(2), abs=0.05)
    assert papr_db(np.zeros(100, np.complex64)) == 0


@pytest.mark.parametrize("limit_db", [8.0, 6.0])
def test_the_limit_lowers_peaks_and_costs_little(limit_db):
    before, after, errors = [], [], []
    for seed in range(5):
        symbols = gaussian(seed)
        before.append(papr_db(modulate(HEADER, symbols)))
        samples = modulate(HEADER, symbols, papr_limit_db=limit_db)
        after.append(papr_db(samples))
        demodulator = StreamDemodulator()
        (burst,) = demodulator.push(samples) + demodulator.flush()
        errors.append(burst.symbols - symbols)
        gain = np.vdot(symbols, burst.symbols) / np.vdot(symbols, symbols)
        assert abs(gain - 1) < 0.01  # clipping leaves noise, next to no bias
    assert np.mean(after) < np.mean(before) - 0.8 and max(after) < limit_db + 1.8
    evm_db = 10 * np.log10(np.mean(np.abs(errors) ** 2))
    assert evm_db < {8.0: -34, 6.0: -23}[limit_db]


@pytest.mark.parametrize("layout", [DEFAULT_NUMEROLOGY, numerology(256, 32)])
def test_clipping_keeps_unused_carriers_empty_and_pilots_exact(layout):
    rng = np.random.default_rng(3)
    spectrum = np.zeros((20, layout.fft_size), np.complex64)
    shape = (20, layout.used_count)
    spectrum[:, layout.used_bins] = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    limited = clip_and_filter(spectrum, 6.0, layout)
    unused = np.setdiff1d(np.arange(layout.fft_size), layout.used_bins)
    assert (limited[:, unused] == 0).all()
    pilots = layout.used_bins[pilot_places(layout, 0, 20)]
    assert np.array_equal(np.take_along_axis(limited, pilots, 1), np.take_along_axis(spectrum, pilots, 1))


def test_a_limit_above_all_peaks_changes_nothing():
    symbols = gaussian(1)
    assert np.allclose(modulate(HEADER, symbols), modulate(HEADER, symbols, papr_limit_db=20.0), atol=1e-5)
