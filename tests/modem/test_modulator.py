"""Bursts that are made together are those made one by one."""

from dataclasses import replace

import numpy as np
import pytest
from modem_streams import gaussian

from gr_jscc.modem import NUMEROLOGIES, BurstHeader, BurstKind, modulate
from gr_jscc.modem.header import BurstHeaders, HeaderError
from gr_jscc.modem.modulator import modulate_bursts


def as_arrays(headers):
    return BurstHeaders.unpack(b"".join(header.pack() for header in headers))


@pytest.mark.parametrize("name", ["64", "256-wide"])
@pytest.mark.parametrize("boosts", [(0.0, 0.0), (3.0, 2.0)])
@pytest.mark.parametrize("papr_limit_db", [None, 6.0])
def test_bursts_together_are_bursts_one_by_one(rng, name, boosts, papr_limit_db):
    layout = replace(NUMEROLOGIES[name], pilot_boost_db=boosts[0], preamble_boost_db=boosts[1])
    counts = [2400, 1, 48, 700, 2400]
    headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, 5, count) for index, count in enumerate(counts)]
    payloads = [gaussian(rng, count) for count in counts]
    together = modulate_bursts(as_arrays(headers), np.concatenate(payloads), layout, papr_limit_db)
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
        modulate_bursts(as_arrays(headers), symbols)
    with pytest.raises(ValueError, match="200 symbols"):
        modulate_bursts(as_arrays(headers), symbols[:-1])


def test_headers_as_arrays_are_the_headers_one_by_one():
    headers = [
        BurstHeader(BurstKind.ANALOG, 262_143, 63, 16_383, 16_384, 16_384),
        BurstHeader(BurstKind.DIGITAL, 5, 1, 0, 1, 400, mcs=14),
        BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 1),
    ]
    arrays = as_arrays(headers)
    assert arrays.symbols.tolist() == [16_384, 400, 1] and arrays.analog.tolist() == [True, False, True]
    assert [arrays[: n + 1].last for n in range(3)] == headers and len(arrays[1:]) == 2
    assert len(BurstHeaders.unpack(b"")) == 0


@pytest.mark.parametrize("place, byte", [(0, 0xFF), (4, 0xFF)])
def test_headers_as_arrays_are_refused_like_headers(place, byte):
    packed = bytearray(BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 100).pack())
    packed[place] = byte
    wrong = []
    for unpack in (BurstHeader.unpack, lambda data: BurstHeaders.unpack(BurstHeader(0, 1, 0, 0, 1, 9).pack() + data)):
        with pytest.raises(HeaderError) as told:
            unpack(bytes(packed))
        wrong.append(str(told.value))
    assert wrong[0] == wrong[1]
    with pytest.raises(HeaderError, match="9 bytes each"):
        BurstHeaders.unpack(bytes(10))
