"""Named simulated channels: what `--channel` takes."""

from __future__ import annotations

import numpy as np

from gr_jscc.errors import UserError
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology

# Fixed taps at the sample rate; `taps` scales them.
PROFILES: dict[str, list[complex]] = {
    "awgn": [1],
    "multipath": [0.9, 0, 0.35 - 0.25j, 0.2j, 0, -0.12 + 0.08j],
}
SNR_RANGE_DB = (-20.0, 60.0)


def check_snr(snr_db: float, name: str) -> float:
    """An Es/N0 in dB that makes sense.

    Args:
        snr_db: the Es/N0.
        name: of what was set to it, for the message.

    Raises:
        UserError: not a number or out of `SNR_RANGE_DB`.
    """
    low, high = SNR_RANGE_DB
    if not low <= snr_db <= high:
        raise UserError(f"{name} must be from {low:g} to {high:g} dB, not {snr_db}")
    return float(snr_db)


def taps(name: str, numerology: Numerology = DEFAULT_NUMEROLOGY) -> np.ndarray:
    """Impulse response of a named channel, complex64[n].

    Scaled so that the data subcarriers' mean power gain is 1: the Es/N0 that a user asks for is then the
    mean over the data subcarriers.

    Raises:
        UserError: unknown name.
    """
    if name not in PROFILES:
        raise UserError(f"unknown channel {name!r}; known: {', '.join(PROFILES)}")
    values = np.array(PROFILES[name], np.complex64)
    response = np.fft.fft(values, numerology.fft_size)[numerology.data_bins]
    return (values / np.sqrt(np.mean(np.abs(response) ** 2))).astype(np.complex64)
