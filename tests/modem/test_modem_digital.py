"""Bytes cross as digital payloads, whole or not at all."""

import numpy as np
import pytest
from modem_streams import gaussian, receive

from gr_jscc.modem import (
    MAX_SYMBOLS,
    MCS,
    BurstHeader,
    BurstKind,
    decode_digital,
    digital_symbol_count,
    encode_digital,
    max_digital_bytes,
    modulate,
)

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("mcs", sorted(MCS))
@pytest.mark.parametrize("length", [0, 1, 40, 333])
def test_round_trip(rng, mcs, length):
    data = rng.bytes(length)
    symbols = encode_digital(data, mcs)
    assert symbols.dtype == np.complex64 and len(symbols) == digital_symbol_count(length, mcs)
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1.0, abs=1e-6)
    assert decode_digital(symbols, 0.01, mcs) == data


@pytest.mark.parametrize(("mcs", "snr_db"), [(0, 0.0), (1, 5.0)])
def test_40_bytes_arrive(rng, mcs, snr_db):
    lost = 0
    for _ in range(200):
        data = rng.bytes(40)
        sent = encode_digital(data, mcs)
        noise = 10 ** (-snr_db / 10)
        received = decode_digital(sent + gaussian(rng, len(sent)) * np.sqrt(noise), noise, mcs)
        assert received in (data, None)
        lost += received is None
    assert lost <= 2


def test_erased_symbols_do_not_count(rng):
    data = rng.bytes(40)
    sent = encode_digital(data, 0)
    noise_var = np.full(len(sent), 0.1, np.float32)
    gone = rng.random(len(sent)) < 0.3
    noise_var[gone] = np.inf
    assert decode_digital(np.where(gone, np.nan, sent), noise_var, 0) == data


def test_noise_and_scraps_are_refused(rng):
    for count in (0, 1, 17, 200, 1122):
        for mcs in MCS:
            assert decode_digital(gaussian(rng, count), 1.0, mcs) is None
    with pytest.raises(ValueError):
        encode_digital(b"", 15)
    with pytest.raises(ValueError):
        encode_digital(bytes(max_digital_bytes(0) + 1), 0)
    assert digital_symbol_count(max_digital_bytes(0), 0) <= MAX_SYMBOLS


def test_over_the_modem_at_0_db(rng):
    stream, sent = [], []
    for number in range(30):
        data = rng.bytes(40)
        symbols = encode_digital(data)
        sent.append(data)
        stream.append(modulate(BurstHeader(BurstKind.DIGITAL, 1, 0, number, 30, len(symbols)), symbols))
    samples = np.concatenate(stream)
    bursts, _ = receive(samples + gaussian(rng, len(samples)))
    received = {b.header.index: decode_digital(b.symbols, b.noise_var, b.header.mcs) for b in bursts}
    assert sum(received.get(number) == data for number, data in enumerate(sent)) >= 29
