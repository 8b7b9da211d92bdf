"""A channel that moves while a burst lasts, from the same cells that a still one is estimated from.

Each tap is a random process of its own in time, all of one Doppler spread, and the estimate is the mean of what they
can be after the cells that are known (Wiener smoothing: Hoeher, Kaiser and Robertson, IEEE ICASSP 1997). A tap so slow
is a sum of few functions of time, those of Karhunen and Loève, so the whole channel has a few dozen unknowns: a delay
and a function each. The taps' powers are learnt from the burst as those of a still channel are (see
`channel_estimation`). A long burst is taken in stretches that overlap, so that the work grows with its length.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gr_jscc.modem.burst_estimate import BurstEstimate
from gr_jscc.modem.channel_estimation import tap_transforms
from gr_jscc.modem.layout import cell_weights, pilot_places
from gr_jscc.modem.motion import DOPPLER_SPREADS, correlation_in_time
from gr_jscc.modem.moving_solution import misfit, posterior, projected
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS
from gr_jscc.modem.time_functions import (
    STRETCH,
    cut,
    functions_of_time,
    interpolation_nodes,
    products_of_pairs,
    stretches_of,
    whole,
)

__all__ = ["MovingChannel", "follow_channel", "likeliest_spread", "response_variance", "widened"]

# Least noise variance that is reckoned with, over the mean energy of a cell: sums of single precision are not better.
_QUIETEST = 1e-6
# Share of its neighbour's power that a tap may have to begin with, however little the preamble saw of it.
_NEXT = 0.1
# Polynomials in time that tell Doppler spreads apart.
_DEGREES = 8


@dataclass(frozen=True)
class MovingChannel:
    """The courses of several bursts' channels.

    Attributes:
        taps: complex64[bursts, OFDM symbols, taps], those of preamble and header included.
        profile: float64[bursts, taps], powers learnt.
        response: complex64[bursts, OFDM symbols, used_count].
        spreads: int64[bursts], numbers of the Doppler spreads.
        covariance: complex64[bursts, stretches, n * n, taps], of the coefficients of each two functions of time, summed
            over pairs of taps equally far apart.
        noise_var: float64[bursts], mean of a cell.
        cells: float64[bursts], how many were known and trusted, each counted by its weight.
        evidence: float64[bursts], natural logarithm of the likelihood of those cells, less a constant, whatever the
            channel's course, with the noise that the last step began with.
        early_error, pilot_error: as in `BurstEstimate`.

    Example:
        >>> from gr_jscc.modem.burst_estimate import estimate_bursts
        >>> from gr_jscc.modem.channel_estimation import estimate_channel
        >>> from gr_jscc.modem.layout import pilot_places
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> rng = np.random.default_rng(1)
        >>> course = 1 + 0.02 * np.arange(60)[:, None]  # a path that grows stronger
        >>> cells = np.broadcast_to(course, (60, 52)) + 0.1 * (rng.standard_normal((60, 52, 2)) @ [1, 1j])
        >>> places, white = pilot_places(layout, 6, 50), np.ones((1, 52))
        >>> early, late = cells[None, :10].astype(np.complex64), np.take_along_axis(cells[10:], places, 1)[None]
        >>> late, noise_var = late.astype(np.complex64), np.full(1, 0.02)
        >>> first = estimate_channel(early.sum(axis=1), 10 * white, noise_var, white, None, layout, steps=2)
        >>> still = estimate_bursts(early, late, first.response, first.profile, noise_var, white, places, layout)
        >>> start = np.ones((1, 50)), first.profile, still.own_noise, np.array([4])
        >>> moving = follow_channel(still, *start, places, layout, steps=3)
        >>> bool(np.abs(np.abs(moving.response[0]) - course).mean() < 0.05)
        True
    """

    taps: np.ndarray
    profile: np.ndarray
    response: np.ndarray
    spreads: np.ndarray
    covariance: np.ndarray
    noise_var: np.ndarray
    cells: np.ndarray
    evidence: np.ndarray
    early_error: np.ndarray
    pilot_error: np.ndarray


def follow_channel(
    estimate: BurstEstimate,
    trust: np.ndarray,
    profile: np.ndarray,
    noise_var: np.ndarray,
    spreads: np.ndarray,
    places: np.ndarray,
    numerology: Numerology,
    steps: int,
) -> MovingChannel:
    """The courses of channels that move.

    Args:
        estimate: of still channels.
        trust: float64[bursts, payload's symbols], weights of the OFDM symbols, 0 or 1.
        profile: float64[bursts, taps], powers of the taps to begin with; noise_var: float64[bursts], the same of noise.
        spreads: int64[bursts], numbers of the Doppler spreads among `DOPPLER_SPREADS`; -1 for a channel that stands
            still.
        places: int64[payload's symbols, pilot_count], where the pilots stand.
        steps: solutions; after each, powers and noise are learnt anew.
    """
    bursts, opening, used = estimate.early.shape
    count = opening + len(places)
    forward, back, _, to_gram = _transforms(numerology)
    weights = cell_weights(numerology, opening, len(places))
    begins, owner = stretches_of(count)
    length = count if len(begins) == 1 else STRETCH
    functions = functions_of_time(length, spreads)
    matched, energy, within, cells = projected(
        estimate.early, estimate.late, estimate.shape, trust, places, weights, functions, begins
    )
    matched = matched @ back
    # Where nothing sets a burst apart, how its functions overlap is known beforehand.
    plain = trust.all(axis=1) & (estimate.shape == 1).all(axis=1)
    gram = np.zeros((bursts, len(begins), functions.shape[1], functions.shape[1], back.shape[1]), np.complex64)
    for spread in set(spreads[plain].tolist()):
        known = _plain_gram(numerology, opening, len(places), spread)
        gram[plain & (spreads == spread), :, : known.shape[1], : known.shape[1]] = known
    if not plain.all():
        pairs = products_of_pairs(functions[~plain])[:, None]
        weight = _weights(estimate.shape[~plain], trust[~plain], places, weights)
        gram[~plain] = (pairs @ cut(weight, begins, length) @ to_gram).reshape(gram[~plain].shape)
    matched, gram = (values.reshape(-1, *values.shape[2:]) for values in (matched, gram))
    # Stretches overlap: of what they say together, the burst's cells have this share.
    share = cells / within
    # On air without noise its variance would be nothing but rounding, and solutions could explain more than there is.
    noise_var = np.maximum(noise_var, _QUIETEST * energy / cells)
    for _ in range(steps):
        evidence = -cells * np.log(noise_var) - share * energy / noise_var
        powers, noises = (np.repeat(values, len(begins), axis=0) for values in (profile, noise_var))
        mean, covariance, freedom, gain, explained, profile = posterior(matched, gram, powers, noises)
        profile = profile.reshape(bursts, len(begins), -1).mean(axis=1)
        freedom, gain, explained = (values.reshape(bursts, -1).sum(axis=1) for values in (freedom, gain, explained))
        evidence += share * gain
        left = np.maximum(cells - share * freedom - 2.5, 1)
        noise_var = share * np.maximum(energy - explained, 1e-6 * energy) / left + 1e-30
    mean = mean.reshape(bursts, len(begins), *mean.shape[1:])
    # Complex, as products of real with complex matrices are slow.
    in_time = np.swapaxes(functions, 1, 2)[:, None].astype(np.complex64)
    within = np.arange(count) - begins[owner]
    taps, response = (whole(in_time @ values, owner, within) for values in (mean, mean @ forward))
    total, early_error, pilot_error = misfit(
        estimate.early, estimate.late, response, estimate.shape, trust, places, weights
    )
    return MovingChannel(
        taps=taps,
        profile=profile,
        response=response,
        spreads=spreads,
        covariance=covariance.reshape(bursts, len(begins), -1, covariance.shape[-1]),
        noise_var=total / left + 1e-30,
        cells=weights[:opening].sum() * used + numerology.pilot_power * (cells - opening * used),
        evidence=evidence,
        early_error=early_error,
        pilot_error=pilot_error,
    )


def response_variance(channel: MovingChannel, opening: int, numerology: Numerology) -> np.ndarray:
    """Variance of the response's error in the payload: float32[bursts, payload's symbols, used_count]."""
    count = channel.response.shape[1]
    begins, owner = stretches_of(count)
    nodes, between = interpolation_nodes(opening, count)
    functions = functions_of_time(count if len(begins) == 1 else STRETCH, channel.spreads)
    pairs = np.swapaxes(products_of_pairs(functions[:, :, nodes - begins[owner[nodes]]]), 1, 2).astype(np.complex64)
    if len(begins) == 1:
        lags = pairs @ channel.covariance[:, 0]
    else:
        lags = (pairs[:, :, None] @ channel.covariance[:, owner[nodes]])[:, :, 0]
    return between @ np.maximum((lags @ _transforms(numerology)[2]).real, 0)


@lru_cache(maxsize=128)
def _plain_gram(numerology: Numerology, opening: int, rows: int, spread: int) -> np.ndarray:
    """How functions of time overlap in what is known of a burst in white noise: complex64[stretches, n, n, taps]."""
    places = pilot_places(numerology, opening - PREAMBLE_SYMBOLS, rows)
    weights = cell_weights(numerology, opening, rows)
    weight = _weights(np.ones((1, numerology.used_count)), np.ones((1, rows)), places, weights)
    begins, _ = stretches_of(opening + rows)
    length = opening + rows if len(begins) == 1 else STRETCH
    functions = functions_of_time(length, np.array([spread]))
    gram = products_of_pairs(functions) @ cut(weight, begins, length)[0] @ _transforms(numerology)[3]
    return gram.reshape(len(begins), functions.shape[1], functions.shape[1], -1)


@lru_cache(maxsize=32)
def _transforms(numerology: Numerology) -> tuple[np.ndarray, ...]:
    return tuple(matrix.astype(np.complex64) for matrix in tap_transforms(numerology))


def likeliest_spread(channel: MovingChannel) -> np.ndarray:
    """The number of the Doppler spread that makes the courses of the taps likeliest: int64[bursts]."""
    begins, _ = stretches_of(channel.taps.shape[1])
    length = channel.taps.shape[1] if len(begins) == 1 else STRETCH
    functions, shares = _polynomials(length)
    power = np.square(np.abs(functions @ cut(channel.taps, begins, length))).mean(axis=1)[:, None]
    # Per unknown of a function whose squares sum to 1.
    noise = (channel.noise_var / channel.cells * channel.taps.shape[1])[:, None, None, None]
    expected = shares[:, :, None] * channel.profile[:, None, None, :] + noise
    return (np.log(expected) + power / expected).sum(axis=(2, 3)).argmin(axis=1)


@lru_cache(maxsize=64)
def _polynomials(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal polynomials in time, and the power that a tap of power 1 has on them for each Doppler spread.

    Returns:
        complex64[n, count] and float64[spreads, n].
    """
    powers = np.linspace(-1, 1, count)[:, None] ** np.arange(min(_DEGREES, count))
    functions = np.linalg.qr(powers)[0].T
    shares = [np.einsum("jt,ts,js->j", functions, correlation_in_time(count, s), functions) for s in DOPPLER_SPREADS]
    return functions.astype(np.complex64), np.maximum(shares, 0)  # rounding leaves some a little below


def widened(profile: np.ndarray) -> np.ndarray:
    """Powers of taps, float64[bursts, taps], none of them far below its neighbours'."""
    wide = profile.copy()
    wide[:, 1:] = np.maximum(wide[:, 1:], _NEXT * profile[:, :-1])
    wide[:, :-1] = np.maximum(wide[:, :-1], _NEXT * profile[:, 1:])
    return wide


def _weights(shape: np.ndarray, trust: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The inverse noise of known and trusted cells in proportion to that of data, 0 where nothing is known.

    Returns:
        float32[bursts, all OFDM symbols, used_count].
    """
    weight = np.zeros((len(shape), len(weights), shape.shape[1]), np.float32)
    opening = len(weights) - len(places)
    weight[:, :opening] = weights[:opening, None]
    weight[:, opening + np.arange(len(places))[:, None], places] = (trust * weights[opening:])[:, :, None]
    return weight / shape[:, None].astype(np.float32)
