"""PSNR is that of the textbook, whatever the picture's size, in memory that does not grow with it."""

import tracemalloc

import numpy as np
import pytest

from gr_jscc.metrics.picture import psnr_db


@pytest.mark.parametrize("shape", [(1, 1, 3), (64, 5, 3), (65, 40, 3), (300, 20, 3)])
def test_psnr_is_that_of_the_mean_squared_error(shape):
    rng = np.random.default_rng(1)
    original = rng.integers(0, 256, shape, np.uint8)
    received = rng.integers(0, 256, shape, np.uint8)
    mse = np.mean((original.astype(np.float64) - received.astype(np.float64)) ** 2)
    assert psnr_db(original, received) == 10 * np.log10(255**2 / mse)
    assert psnr_db(original, original) == 100


def test_psnr_of_a_large_picture_takes_little_memory():
    original = np.zeros((4000, 1000, 3), np.uint8)
    tracemalloc.start()
    psnr_db(original, original)
    assert tracemalloc.get_traced_memory()[1] < original.nbytes  # all at once it was 16 times as much
    tracemalloc.stop()
