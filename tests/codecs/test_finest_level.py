"""The search for the finest quality that fits: what bisection finds, in fewer steps."""

import numpy as np
import pytest

from gr_jscc.codecs.rate_adaptive import finest_level


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
