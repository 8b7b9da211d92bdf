"""The channel on every used carrier, from all that is known of a burst.

A channel shorter than the prefix has fewer degrees of freedom than there are carriers, and noise outside them can be
dropped. Least squares for the taps will not do: the carriers at the band's edges are empty, so it is ill-conditioned.
Instead each tap gets a prior variance and the estimate is the posterior mean; the variances themselves are learnt from
the burst (sparse Bayesian learning: Tipping, JMLR 2001; for OFDM channels Prasad, Murthy and Rao, IEEE Trans. Signal
Processing 2014). A single path so costs little more than one unknown.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from .numerology import Numerology

__all__ = ["CHANNEL_LEAD", "ChannelEstimate", "estimate_channel"]

#: Samples before the first path at which the FFT's window is aimed to start, where the prefix allows.
CHANNEL_LEAD = 2

# Taps looked at before and after the prefix: a path between two samples spreads over its neighbours.
_BEFORE, _AFTER = 3, 3
_MOST_TAPS = 48
# A tap whose prior variance is this share of the noise on it changes nothing that could be measured.
_NEGLIGIBLE = 0.02


@dataclass(frozen=True)
class ChannelEstimate:
    """Channels of several bursts.

    Attributes:
        response: complex64[bursts, used_count].
        variance: float64[bursts, used_count], of its error.
        freedom: float64[bursts], degrees of freedom that the estimate took from the observations.
        profile: float64[bursts, taps], prior variances learnt, to start the next estimate from.
    """

    response: np.ndarray
    variance: np.ndarray
    freedom: np.ndarray
    profile: np.ndarray


@lru_cache(maxsize=32)
def _transform(numerology: Numerology) -> np.ndarray:
    """From taps to used carriers: complex128[used_count, taps]."""
    taps = np.arange(-_BEFORE, numerology.cp_len + _AFTER + 1)
    return np.exp(-2j * np.pi * numerology.used_carriers[:, None] * taps / numerology.fft_size)


def estimate_channel(
    total: np.ndarray,
    counts: np.ndarray,
    noise_var: np.ndarray,
    profile: np.ndarray | None,
    numerology: Numerology,
    steps: int = 2,
    with_variance: bool = True,
) -> ChannelEstimate:
    """The posterior mean of the channel and its variance.

    Args:
        total: complex[bursts, used_count], sum over the known cells of a carrier of received times conj(sent), sent
            being of power 1.
        counts: float[bursts, used_count], how many cells were summed.
        noise_var: float[bursts], of one cell.
        profile: prior variances learnt by an earlier estimate, or None to start from the matched filter's output.
        steps: of learning the prior variances.
        with_variance: False saves time where the variance is not asked for; it is then zero.
    """
    transform = _transform(numerology)
    total = np.asarray(total, np.complex128)
    power = np.square(np.abs(total) / counts).mean(axis=1) - noise_var / counts.mean(axis=1)
    power = np.maximum(power, 1e-3 * noise_var + 1e-30)
    # A noise of zero has no posterior; 80 dB below the channel it is below what float32 samples can show.
    noise = np.maximum(noise_var, 1e-8 * power)
    seen = total @ transform.conj()
    weight = counts.sum(axis=1)
    if profile is None:
        profile = np.square(np.abs(seen) / weight[:, None])
    # Evenly spaced taps: their Gram matrix is Toeplitz, and these its first columns.
    gram = counts @ (transform.conj() * transform[:, :1])
    response = np.zeros(total.shape, np.complex128)
    variance = np.zeros(total.shape)
    freedom = np.zeros(len(total))
    learnt = np.zeros(seen.shape)
    _learn(transform, gram, weight, seen, noise, profile, steps, with_variance, response, variance, freedom, learnt)
    return ChannelEstimate(response.astype(np.complex64), variance, freedom, learnt)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _learn(transform, gram, weight, seen, noise, profile, steps, with_variance, response, variance, freedom, learnt):
    """Prior variances that make the observations likely, and the posterior under them, burst by burst.

    The variances move by MacKay's fixed point |mean|² / (1 - posterior / prior variance): it ends where expectation
    maximisation ends, in two or three steps instead of tens. Taps that fall far below the noise are left out, so the
    work goes with the paths there are and not with the length of the prefix.
    """
    carriers = transform.shape[0]
    for burst in range(len(seen)):
        prior = profile[burst].copy()
        least = _NEGLIGIBLE * noise[burst] / weight[burst]
        strongest = np.argsort(-prior)
        if len(strongest) > _MOST_TAPS:
            prior[strongest[_MOST_TAPS:]] = 0.0
        for step in range(steps + 1):
            active = np.flatnonzero(prior > least)
            count = len(active)
            if count == 0:
                active = strongest[:1].copy()
                prior[active[0]] = least
                count = 1
            # I + D G D / noise = L L^H with D² the prior variances: well conditioned whatever they are.
            scale = np.sqrt(prior[active])
            lower = np.zeros((count, count), np.complex128)
            for i in range(count):
                for j in range(i + 1):
                    apart = active[i] - active[j]
                    total = gram[burst, apart] * (scale[i] * scale[j] / noise[burst])
                    if i == j:
                        total += 1.0
                    for k in range(j):
                        total -= lower[i, k] * np.conj(lower[j, k])
                    lower[i, j] = np.sqrt(max(total.real, 1e-12)) if i == j else total / lower[j, j].real
            # Its inverse, also lower triangular; the posterior covariance is D L^-H L^-1 D.
            inverse = np.zeros((count, count), np.complex128)
            for j in range(count):
                inverse[j, j] = 1.0 / lower[j, j].real
                for i in range(j + 1, count):
                    total = 0.0j
                    for k in range(j, i):
                        total -= lower[i, k] * inverse[k, j]
                    inverse[i, j] = total / lower[i, i].real
            half = np.zeros(count, np.complex128)
            left = np.zeros(count)
            mean = np.zeros(count, np.complex128)
            for i in range(count):
                for j in range(i + 1):
                    half[i] += inverse[i, j] * scale[j] * seen[burst, active[j]]
                    left[j] += inverse[i, j].real ** 2 + inverse[i, j].imag ** 2
            for i in range(count):
                for j in range(i + 1):
                    mean[j] += np.conj(inverse[i, j]) * half[i]
            mean *= scale / noise[burst]
            if step == steps:
                break
            prior[:] = 0.0
            for i in range(count):
                prior[active[i]] = (mean[i].real ** 2 + mean[i].imag ** 2) / max(1.0 - left[i], 1e-3)
        learnt[burst] = prior
        freedom[burst] = count - left.sum()
        weighted = inverse * scale
        for carrier in range(carriers):
            value = 0.0j
            for i in range(count):
                value += transform[carrier, active[i]] * mean[i]
            response[burst, carrier] = value
            if not with_variance:
                continue
            spread = 0.0
            for i in range(count):
                value = 0.0j
                for j in range(i + 1):
                    value += weighted[i, j] * np.conj(transform[carrier, active[j]])
                spread += value.real**2 + value.imag**2
            variance[burst, carrier] = spread
