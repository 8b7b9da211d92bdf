"""Everything that can be chosen crosses a channel without noise: bytes to the bit, analog symbols below -40 dB EVM."""

import numpy as np
import pytest
from modem_streams import gaussian, receive

from gr_jscc.modem import (
    MCS,
    NUMEROLOGIES,
    BurstHeader,
    BurstKind,
    Numerology,
    decode_digital,
    encode_digital,
    modulate,
    numerology,
)

pytestmark = pytest.mark.timeout(60)

ROBUST, MIDDLE, DENSEST = 0, 6, max(MCS, key=lambda mcs: MCS[mcs].efficiency)
#: What Companion lets a person choose beyond the table: the shortest prefix, the longest, and odd ones.
OTHER_PREFIXES = [(64, cp_len) for cp_len in range(2, 33)] + [
    (fft_size, cp_len) for fft_size in (128, 256, 512, 1024) for cp_len in (2, 3, fft_size // 3, fft_size // 2)
]


def loop(rng: np.random.Generator, layout: Numerology, schemes: list[int], length: int = 300) -> None:
    """One analog burst, then one of `length` bytes for each scheme; out of a stream with a phase and an offset."""
    analog = gaussian(rng, 1000)
    data = [rng.bytes(length) for _ in schemes]
    payloads = [analog] + [encode_digital(part, mcs) for part, mcs in zip(data, schemes)]
    headers = [BurstHeader(BurstKind.ANALOG, 5, 0, 0, 1, len(analog))] + [
        BurstHeader(BurstKind.DIGITAL, 5, 0, i, len(schemes), len(payload), mcs)
        for i, (mcs, payload) in enumerate(zip(schemes, payloads[1:]))
    ]
    parts = [modulate(header, payload, layout) for header, payload in zip(headers, payloads)]
    stream = np.concatenate([np.zeros(int(rng.integers(0, 300))), *parts, np.zeros(100)])
    offset = rng.uniform(-0.5, 0.5) / layout.fft_size
    stream = stream * np.exp(2j * np.pi * (offset * np.arange(len(stream)) + rng.uniform()))

    received, _ = receive(stream.astype(np.complex64), layout)

    assert [burst.header for burst in received] == headers
    for burst, payload in zip(received, payloads):
        evm = np.mean(np.abs(burst.symbols - payload) ** 2) / np.mean(np.abs(payload) ** 2)
        assert 10 * np.log10(evm) < -40
    for burst, sent in zip(received[1:], data):
        assert decode_digital(burst.symbols, burst.noise_var, burst.header.mcs) == sent


@pytest.mark.parametrize("name", NUMEROLOGIES)
def test_every_numerology(rng, name):
    loop(rng, NUMEROLOGIES[name], [ROBUST, MIDDLE, DENSEST])


@pytest.mark.parametrize(("fft_size", "cp_len"), OTHER_PREFIXES)
def test_every_other_prefix(rng, fft_size, cp_len):
    loop(rng, numerology(fft_size, cp_len), [MIDDLE, DENSEST], 100)


@pytest.mark.filterwarnings("error::RuntimeWarning")  # without noise, estimates must not divide by it
@pytest.mark.parametrize("length", [1, 600])
@pytest.mark.parametrize("name", ["64", "64-cp4", "1024"])
def test_every_scheme(rng, name, length):
    loop(rng, NUMEROLOGIES[name], sorted(MCS), length)
