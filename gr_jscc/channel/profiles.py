"""Named simulated channels: what `--channel` takes."""

from __future__ import annotations

import numpy as np

from gr_jscc.errors import UserError

# Power-delay profiles as fixed taps at the sample rate; `taps` scales them to unit energy, so that the
# mean Es/N0 over the band stays what the user asked for.
PROFILES: dict[str, list[complex]] = {
    "awgn": [1],
    "multipath": [0.9, 0, 0.35 - 0.25j, 0.2j, 0, -0.12 + 0.08j],
}


def taps(name: str) -> np.ndarray:
    """Impulse response of a named channel, complex64[n], unit energy.

    Raises:
        UserError: unknown name.
    """
    if name not in PROFILES:
        raise UserError(f"unknown channel {name!r}; known: {', '.join(PROFILES)}")
    values = np.array(PROFILES[name], np.complex64)
    return values / np.linalg.norm(values)
