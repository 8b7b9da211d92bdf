"""Known bursts: what the link itself sends, with a payload that the receiver knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from gr_jscc.modem import BurstHeader, BurstKind, ReceivedBurst, StreamDemodulator, modulate

BURSTS = 16  # of different payloads, sent again and again
SYMBOLS = 2400
TRANSFER = 970
GAP = 800  # samples of silence between bursts, in which the noise alone is seen


def known_symbols(index: int) -> np.ndarray:
    """Payload of burst `index`, Gaussian as analog symbols nearly are: complex64[SYMBOLS] of mean power 1."""
    rng = np.random.default_rng([TRANSFER, index])
    symbols = rng.standard_normal((SYMBOLS, 2)) @ [1, 1j]
    return (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)


@lru_cache(maxsize=BURSTS)
def known_burst(index: int) -> np.ndarray:
    """Burst `index` as the modulator makes it: complex64, each used carrier of power 1."""
    samples = modulate(BurstHeader(BurstKind.ANALOG, TRANSFER, 0, index, BURSTS, SYMBOLS), known_symbols(index))
    samples.setflags(write=False)
    return samples


def burst_samples() -> np.ndarray:
    """What to send, again and again: all known bursts, each followed by silence."""
    silence = np.zeros(GAP, np.complex64)
    return np.concatenate([part for index in range(BURSTS) for part in (known_burst(index), silence)])


def receive_bursts(samples: np.ndarray) -> list[ReceivedBurst]:
    """The known bursts in a capture complex64[n]; others are left out."""
    demodulator = StreamDemodulator()
    found: Sequence[ReceivedBurst] = demodulator.push(samples) + demodulator.flush()
    return [
        burst
        for burst in found
        if burst.header.transfer == TRANSFER and burst.header.symbols == SYMBOLS and burst.header.index < BURSTS
    ]
