"""Undoing the channel: unbiased symbols of unit gain, and how far each is to be trusted."""

import numpy as np

__all__ = ["channel_inverse"]

# A carrier this far below the burst's mean power is as good as gone; its noise variance stays finite.
_FADED = 1e-7


def channel_inverse(response: np.ndarray, variance: np.ndarray, noise_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What to multiply received carriers by, and the noise variance of the product for sent symbols of power 1.

    Given what was observed, the channel is `response` plus an independent error; so the quotient is unbiased, and the
    error counts as noise of its variance.

    Args:
        response: complex64[bursts, k].
        variance: float[bursts, k], of the error of `response`.
        noise_var: float[bursts, k], of each carrier.

    Returns:
        complex64[bursts, k] and float32[bursts, k].
    """
    power = np.square(np.abs(response)).astype(np.float64)
    floor = np.maximum(_FADED * power.mean(axis=1, keepdims=True), 1e-30)
    power = np.maximum(power, floor)
    inverse = np.conj(response) / power
    noise = (noise_var + variance) / power
    return inverse.astype(np.complex64), np.clip(noise, 1e-12, 1e12).astype(np.float32)
