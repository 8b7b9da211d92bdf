"""The channel on every used carrier, from all that is known of a burst.

A channel shorter than the prefix has fewer degrees of freedom than there are carriers, and noise outside them can be
dropped. Least squares for the taps will not do: carriers at the band's edges are empty, so the taps are ill-conditioned.
Instead each tap gets a prior variance and the estimate is the posterior mean; the variances themselves are learnt from
the burst by expectation maximisation (sparse Bayesian learning: Tipping, JMLR 2001; for OFDM channels Prasad, Murthy
and Rao, IEEE Trans. Signal Processing 2014). A single path so costs little more than one unknown.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .numerology import Numerology

__all__ = ["CHANNEL_LEAD", "ChannelEstimate", "estimate_channel", "first_estimate"]

#: Samples before the first path at which the FFT's window is aimed to start, where the prefix allows.
CHANNEL_LEAD = 2

# Taps looked at before and after the prefix: a path between two samples spreads over its neighbours.
_BEFORE, _AFTER = 3, 3
_MOST_TAPS = 48
_ITERATIONS = 3


@dataclass(frozen=True)
class ChannelEstimate:
    """Channels of several bursts.

    Attributes:
        response: complex64[bursts, used_count].
        variance: float64[bursts, used_count], of its error.
        freedom: float64[bursts], degrees of freedom that the estimate took from the observations.
        profile: float64[bursts, taps], prior variances, to start the next estimate from.
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


@lru_cache(maxsize=64)
def _smoother(numerology: Numerology, decibels: int) -> np.ndarray:
    """The MMSE smoother of a flat delay profile at a noise-to-channel ratio in dB: complex64[used_count, used_count]."""
    transform = _transform(numerology)
    covariance = transform @ transform.conj().T / transform.shape[1]
    regularised = covariance + 10 ** (decibels / 10) * np.eye(len(covariance))
    return np.linalg.solve(regularised, covariance).conj().T.astype(np.complex64)


def first_estimate(observed: np.ndarray, noise_var: np.ndarray, numerology: Numerology) -> np.ndarray:
    """A channel before anything is known of its profile: observations smoothed over the carriers.

    Args:
        observed: complex64[bursts, used_count], the channel with white noise.
        noise_var: float[bursts], of that noise.

    Returns:
        complex64[bursts, used_count].
    """
    power = np.maximum(np.square(np.abs(observed)).mean(axis=1) - noise_var, 1e-3 * noise_var + 1e-30)
    level = 5 * np.round(2 * np.log10(np.maximum(noise_var, 1e-30) / power)).clip(-8, 4).astype(int)
    smooth = np.empty_like(observed)
    for decibels in np.unique(level):
        chosen = level == decibels
        smooth[chosen] = observed[chosen] @ _smoother(numerology, int(decibels)).T
    return smooth


def estimate_channel(
    total: np.ndarray, counts: np.ndarray, noise_var: np.ndarray, profile: np.ndarray | None, numerology: Numerology
) -> ChannelEstimate:
    """The posterior mean of the channel and its variance.

    Args:
        total: complex[bursts, used_count], sum over the known cells of a carrier of received times conj(sent), sent
            being of power 1.
        counts: float[used_count], how many cells were summed.
        noise_var: float[bursts], of one cell.
        profile: prior variances from an earlier estimate, or None for none.
    """
    transform = _transform(numerology)
    total = np.asarray(total, np.complex128)
    power = np.maximum((np.square(np.abs(total)) / counts).mean(axis=1) / counts.mean() - noise_var / counts.mean(), 1e-30)
    # A noise of zero has no posterior; 80 dB below the channel it is below what float32 samples can show.
    noise = np.maximum(noise_var, 1e-8 * power)
    taps = transform.shape[1]
    if profile is None:
        profile = np.repeat(power[:, None] / taps, taps, axis=1)
        iterations = _ITERATIONS
    else:
        iterations = 1
    gram = (transform.conj().T * counts) @ transform
    seen = total @ transform.conj()
    if taps > _MOST_TAPS:
        return _estimate_long(seen, transform, gram, noise, power, profile, iterations)
    for step in range(iterations):
        covariance, mean = _posterior(gram, seen, noise, profile)
        if step < iterations - 1 or iterations == 1:
            profile = np.maximum(np.square(np.abs(mean)) + np.einsum("bii->bi", covariance).real, 1e-9 * power[:, None])
    if iterations == 1:
        covariance, mean = _posterior(gram, seen, noise, profile)
    return _estimate(mean, covariance, transform, gram, noise, profile)


def _posterior(gram: np.ndarray, seen: np.ndarray, noise: np.ndarray, profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and mean of the taps, written so that a tap of variance zero does no harm."""
    scale = np.sqrt(profile)
    inner = gram * (scale[:, :, None] * scale[:, None, :]) / noise[:, None, None]
    diagonal = np.arange(inner.shape[1])
    inner[:, diagonal, diagonal] += 1
    covariance = np.linalg.inv(inner) * (scale[:, :, None] * scale[:, None, :])
    mean = np.matmul(covariance, seen[:, :, None])[:, :, 0] / noise[:, None]
    return covariance, mean


def _estimate(mean, covariance, transform, gram, noise, profile) -> ChannelEstimate:
    response = mean @ transform.T
    spread = np.matmul(transform, covariance)
    variance = (spread * transform.conj()).sum(axis=2).real
    freedom = np.einsum("bij,ji->b", covariance, gram).real / noise
    return ChannelEstimate(response.astype(np.complex64), np.maximum(variance, 0), freedom, profile)


def _estimate_long(seen, transform, gram, noise, power, profile, iterations) -> ChannelEstimate:
    """As `estimate_channel`, burst by burst over the strongest taps only: a long prefix is mostly empty."""
    parts, profile = [], profile.copy()
    for burst in range(len(seen)):
        if iterations > 1:
            chosen = np.sort(np.argsort(np.abs(seen[burst]))[-_MOST_TAPS:])
        else:
            chosen = np.sort(np.argsort(profile[burst])[-_MOST_TAPS:])
        one = slice(burst, burst + 1)
        some, few = gram[np.ix_(chosen, chosen)], profile[one, chosen]
        for _ in range(max(iterations - 1, 1)):
            covariance, mean = _posterior(some, seen[one, chosen], noise[one], few)
            few = np.maximum(np.square(np.abs(mean)) + np.einsum("bii->bi", covariance).real, 1e-9 * power[burst])
        covariance, mean = _posterior(some, seen[one, chosen], noise[one], few)
        profile[burst] = 1e-12 * power[burst]
        profile[burst, chosen] = few[0]
        parts.append(_estimate(mean, covariance, transform[:, chosen], some, noise[one], profile[one]))
    return ChannelEstimate(*(np.concatenate([getattr(p, f) for p in parts]) for f in ChannelEstimate.__dataclass_fields__))
