"""Channels that move while a burst lasts, for `gr_jscc.benchmarks.modem`."""

from __future__ import annotations

import numpy as np

from gr_jscc.benchmarks.modem import Channel, opening
from gr_jscc.channel.fading import DopplerFading
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology


def moving_fading(
    doppler_hz: float, delay_spread: float, seed: int, layout: Numerology = DEFAULT_NUMEROLOGY
) -> Channel:
    """Rayleigh taps that move while a burst lasts, another piece of the air for every burst.

    Args:
        doppler_hz: at 1 Msps; 0 stands still.
        delay_spread: rms of the exponential profile, samples.
        seed: of the taps.
        layout: of the bursts.
    """
    pieces = iter(range(10**6))

    def channel(samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        fading = DopplerFading(doppler_hz, delay_spread, seed=[seed, next(pieces)])
        middles = np.arange(opening(layout) * layout.symbol_len, len(samples), layout.symbol_len)
        taps = fading.taps_at(middles + layout.cp_len + layout.fft_size / 2)
        delays = np.arange(len(taps))
        response = np.exp(-2j * np.pi * np.outer(layout.used_carriers, delays) / layout.fft_size) @ taps
        return fading.process(samples), response.T.astype(np.complex64)

    return channel
