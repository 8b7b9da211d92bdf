"""Bursts that are made together are those made one by one."""

from dataclasses import replace

import numpy as np
import pytest
from modem_streams import gaussian

from gr_jscc.modem import NUMEROLOGIES, BurstHeader, BurstKind, modulate
from gr_jscc.modem.modulator import modulate_bursts


@pytest.mark.parametrize("name", ["64", "256-wide"])
@pytest.mark.parametrize("boosts", [(0.0, 0.0), (3.0, 2.0)])
@pytest.mark.parametrize("papr_limit_db", [None, 6.0])
def test_bursts_together_are_bursts_one_by_one(rng, name, boosts, papr_limit_db):
    layout = replace(NUMEROLOGIES[name], pilot_boost_db=boosts[0], preamble_boost_db=boosts[1])
    counts = [2400, 1, 48, 700, 2400]
    headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, 5, count) for index, count in enumerate(counts)]
    payloads = [gaussian(rng, count) for count in counts]
    together = modulate_bursts(headers, np.concatenate(payloads), layout, papr_limit_db)
    parts = np.split(together.samples, together.ends)
    assert len(parts.pop()) == 0
    for number, (header, payload) in enumerate(zip(headers, payloads)):
        power = np.square(np.abs(parts[number]))
        assert together.peaks[number] == pytest.approx(power.max(), rel=1e-5)
        assert together.energies[number] == pytest.approx(power.sum(), rel=1e-5)
        assert np.allclose(parts[number], modulate(header, payload, layout, papr_limit_db), atol=1e-5)


def test_a_symbol_that_is_no_number_is_refused(rng):
    headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, 2, 100) for index in range(2)]
    symbols = gaussian(rng, 200)
    symbols[150] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        modulate_bursts(headers, symbols)
    with pytest.raises(ValueError, match="200 symbols"):
        modulate_bursts(headers, symbols[:-1])
