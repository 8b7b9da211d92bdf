"""The search for the finest quality that fits: what bisection finds, in fewer steps."""

import numpy as np
import pytest

from gr_jscc.codecs.rate_adaptive import NEAR, finest_by_sample, finest_level


@pytest.mark.parametrize("levels", [1, 2, 17])
def test_it_finds_the_highest_that_fits(levels, rng):
    for _ in range(300):
        taken = np.cumsum(rng.integers(0, 500, levels)) if rng.random() < 0.5 else np.geomspace(30, 9000, levels) // 1
        budget = int(rng.integers(0, taken[-1] * 1.2 + 2))
        looked = []

        def symbols_at(level, taken=taken, looked=looked):
            looked.append(level)
            return int(taken[level])

        fits = np.flatnonzero(taken <= budget)
        assert finest_level(levels, symbols_at, budget) == (fits[-1] if len(fits) else 0)
        assert len(set(looked)) == len(looked) and all(0 <= level < levels for level in looked)


def test_levels_like_a_pictures_take_two_or_three_looks():
    taken, looked = 9000 * np.exp(0.12 * np.arange(17)), []
    for budget in np.geomspace(9500, 60000, 50):
        finest_level(17, lambda level: looked.append(level) or int(taken[level]), int(budget))
    assert len(looked) <= 3 * 50


@pytest.mark.parametrize(("error", "looks"), [(0, 2), (0.05, 3), (0.5, 3), (3, 5)])
def test_a_sample_leaves_few_looks_at_all_of_a_picture(error, looks, rng):
    for _ in range(300):
        taken = 9000 * np.exp(np.cumsum(rng.uniform(0.08, 0.2, 17)))
        sampled = taken * np.exp(rng.normal(0, error) + rng.normal(0, 0.005, 17))
        budget, looked = int(rng.uniform(taken[0], taken[-1])), []

        def symbols_at(level, taken=taken, looked=looked):
            looked.append(level)
            return int(taken[level])

        level = finest_by_sample(17, symbols_at, lambda level, sampled=sampled: sampled[level], budget)
        exact = np.flatnonzero(taken.astype(int) <= budget)[-1]
        assert level in looked and len(set(looked)) == len(looked) <= looks
        assert abs(level - exact) <= 1 and taken[level] < budget * np.exp(NEAR)


def test_nothing_fits_or_a_sample_says_nothing():
    assert finest_by_sample(9, lambda level: 50 + level, lambda level: 0.0, symbols=10) == 0
    assert finest_by_sample(9, lambda level: 50 + level, lambda level: 0.0, symbols=1000) == 8
    assert finest_by_sample(1, lambda level: 0, lambda level: 7.0, symbols=0) == 0
