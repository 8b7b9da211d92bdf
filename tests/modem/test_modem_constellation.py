"""Bits on symbols and back: power, neighbours, and ratios that mean what they say."""

import numpy as np
import pytest
from modem_streams import gaussian

from gr_jscc.modem import BITS_PER_SYMBOL, demap_symbols, map_bits

pytestmark = pytest.mark.timeout(30)


def all_points(bits_per_symbol: int) -> tuple[np.ndarray, np.ndarray]:
    bits = np.arange(1 << bits_per_symbol)[:, None] >> np.arange(bits_per_symbol)[::-1] & 1
    return bits.astype(np.uint8), map_bits(bits, bits_per_symbol)


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
def test_power_and_gray_mapping(bits_per_symbol):
    bits, points = all_points(bits_per_symbol)
    assert points.dtype == np.complex64
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1.0, abs=1e-6)
    assert abs(np.mean(points)) < 1e-6
    distance = np.abs(points[:, None] - points[None])
    nearest = distance[distance > 0].min()
    one, other = np.nonzero((distance > 0) & (distance < 1.01 * nearest))
    assert len(one) and np.all((bits[one] != bits[other]).sum(axis=1) == 1)


def test_points_of_the_standard():
    assert map_bits([0, 1], 1) == pytest.approx([1, -1])
    assert map_bits([0, 1], 2) * np.sqrt(2) == pytest.approx([1 - 1j])
    assert map_bits([1, 0, 0, 1], 4) * np.sqrt(10) == pytest.approx([-1 + 3j])
    assert map_bits([0, 1, 1, 0, 1, 1], 6) * np.sqrt(42) == pytest.approx([7 - 1j])


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
def test_ratios_are_the_max_log_rule(rng, bits_per_symbol):
    bits, points = all_points(bits_per_symbol)
    received = gaussian(rng, 300)
    noise_var = rng.uniform(0.01, 1, 300)
    llr = demap_symbols(received, noise_var, bits_per_symbol)
    assert llr.dtype == np.float32 and llr.shape == (300 * bits_per_symbol,)
    exponent = -(np.abs(received[:, None] - points) ** 2) / noise_var[:, None]
    for column in range(bits_per_symbol):
        zero, one = (exponent[:, bits[:, column] == bit].max(axis=1) for bit in (0, 1))
        assert llr[column::bits_per_symbol] == pytest.approx(zero - one, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("bits_per_symbol", "snr_db"), [(1, 0.0), (2, 3.0), (4, 11.0), (6, 17.0)])
def test_ratios_are_calibrated(rng, bits_per_symbol, snr_db):
    bits = rng.integers(0, 2, 60000 * bits_per_symbol, dtype=np.uint8)
    noise_var = 10 ** (-snr_db / 10)
    sent = map_bits(bits, bits_per_symbol)
    llr = demap_symbols(sent + gaussian(rng, len(sent)) * np.sqrt(noise_var), noise_var, bits_per_symbol)
    for low in range(-4, 4):
        inside = (llr >= low) & (llr < low + 1)
        stated = np.mean(1 / (1 + np.exp(llr[inside].astype(np.float64))))
        assert np.mean(bits[inside]) == pytest.approx(stated, abs=0.04)


def test_what_is_not_known_says_nothing():
    symbols = np.array([0.5, np.nan, 0.5, 0.5, 0.5, np.inf, 0.5j], np.complex64)
    noise_var = np.array([0.1, 0.1, np.inf, np.nan, -1.0, 0.1, 0.0], np.float32)
    for bits_per_symbol in BITS_PER_SYMBOL:
        with np.errstate(all="raise"):
            llr = demap_symbols(symbols, noise_var, bits_per_symbol).reshape(-1, bits_per_symbol)
        assert np.all(np.isfinite(llr)) and not llr[1:6].any() and llr[0].any()


def test_wrong_use_is_refused():
    with pytest.raises(ValueError):
        map_bits(np.zeros(6, np.uint8), 3)
    with pytest.raises(ValueError):
        map_bits(np.zeros(7, np.uint8), 2)
    with pytest.raises(ValueError):
        demap_symbols(np.zeros(3, np.complex64), 1.0, 8)
