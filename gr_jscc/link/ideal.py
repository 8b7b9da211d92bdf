"""The channel that papers simulate, in place of the whole OFDM link.

Symbols get white Gaussian noise of variance 1/snr per complex symbol; the receiver is told the truth
about it, and side information arrives without error.
"""

from __future__ import annotations

import numpy as np

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Payload, Reception
from gr_jscc.link.interleaver import deinterleave
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology


def ideal_reception(
    payload: Payload,
    snr_db: float,
    taps: np.ndarray,
    rng: np.random.Generator,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
) -> Reception:
    """One round over parallel Gaussian channels: the data subcarriers, perfectly known and equalised.

    Args:
        payload: the round.
        snr_db: Es/N0 in dB for a power gain of 1.
        taps: complex64[n], impulse response of the channel.
        rng: of the noise.
        numerology: says which subcarriers carry data.
    """
    response = np.fft.fft(taps, numerology.fft_size)[numerology.data_bins]
    count = len(payload.symbols)
    gain = deinterleave(np.resize(np.abs(response) ** 2, count))
    variance = (10 ** (-snr_db / 10) / np.maximum(gain, 1e-6)).astype(np.float32)
    return Reception(payload.symbols + noise((count,), variance, rng), variance, payload.side_info)
