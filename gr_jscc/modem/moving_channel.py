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
from numba import njit

from gr_jscc.modem.burst_estimate import BurstEstimate
from gr_jscc.modem.channel_estimation import invert, tap_transforms
from gr_jscc.modem.layout import pilot_places
from gr_jscc.modem.motion import DOPPLER_SPREADS, correlation_in_time
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS
from gr_jscc.modem.turning import FAST

__all__ = ["LONGEST_WHOLE", "MovingChannel", "follow_channel", "likeliest_spread", "response_variance", "widened"]

#: Bursts of up to so many OFDM symbols are taken as a whole, longer ones in stretches.
LONGEST_WHOLE = 144

# Share of a process's power below which a function of time is not worth an unknown.
_SMALL = 1e-6
# The same of an unknown, as a share of the noise on it.
_NEGLIGIBLE = 0.5
_MOST_UNKNOWNS = 90
# Least noise variance that is reckoned with, over the mean energy of a cell.
_QUIETEST = 1e-9
# Share of its neighbour's power that a tap may have to begin with, however little the preamble saw of it.
_NEXT = 0.1
# Polynomials in time that tell Doppler spreads apart.
_DEGREES = 8
# OFDM symbols of a stretch.
_STRETCH = 96
# OFDM symbols from one at which the error's variance is computed to the next.
_STRIDE = 4


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
        cells: float64[bursts], how many were known and trusted.
        evidence: float64[bursts], natural logarithm of the likelihood of those cells, less a constant, whatever the
            channel's course, with the noise that the last step began with.
        early_error: float64[bursts], squared errors of the cells of preamble and header, summed.
        pilot_error: float64[bursts, payload's symbols], mean squared error of each symbol's pilots, each carrier's in
            proportion to its noise.

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
    begins, owner = _stretches(count)
    length = count if len(begins) == 1 else _STRETCH
    functions = _stacked(length, spreads)
    matched, energy, within, cells = _projected(
        estimate.early, estimate.late, estimate.shape, trust, places, functions, begins
    )
    matched = matched @ back
    # Where nothing sets a burst apart, how its functions overlap is known beforehand.
    plain = trust.all(axis=1) & (estimate.shape == 1).all(axis=1)
    gram = np.zeros((bursts, len(begins), functions.shape[1], functions.shape[1], back.shape[1]), np.complex64)
    for spread in set(spreads[plain].tolist()):
        known = _plain_gram(numerology, opening, len(places), spread)
        gram[plain & (spreads == spread), :, : known.shape[1], : known.shape[1]] = known
    if not plain.all():
        pairs = _pairs(functions[~plain])[:, None]
        weight = _weights(estimate.shape[~plain], trust[~plain], places, opening)
        gram[~plain] = (pairs @ _cut(weight, begins, length) @ to_gram).reshape(gram[~plain].shape)
    matched, gram = (values.reshape(-1, *values.shape[2:]) for values in (matched, gram))
    # Stretches overlap: of what they say together, the burst's cells have this share.
    share = cells / within
    # On air without noise its variance would be nothing but rounding, and the solutions with it.
    noise_var = np.maximum(noise_var, _QUIETEST * energy / cells)
    for _ in range(steps):
        evidence = -cells * np.log(noise_var) - share * energy / noise_var
        powers, noises = (np.repeat(values, len(begins), axis=0) for values in (profile, noise_var))
        mean, covariance, freedom, gain, explained, profile = _posterior(matched, gram, powers, noises)
        profile = profile.reshape(bursts, len(begins), -1).mean(axis=1)
        freedom, gain, explained = (values.reshape(bursts, -1).sum(axis=1) for values in (freedom, gain, explained))
        evidence += share * gain
        left = np.maximum(cells - share * freedom - 2.5, 1)
        noise_var = share * np.maximum(energy - explained, 1e-6 * energy) / left + 1e-30
    mean = mean.reshape(bursts, len(begins), *mean.shape[1:])
    # Complex, as products of real with complex matrices are slow.
    in_time = np.swapaxes(functions, 1, 2)[:, None].astype(np.complex64)
    within = np.arange(count) - begins[owner]
    taps, response = (_whole(in_time @ values, owner, within) for values in (mean, mean @ forward))
    total, early_error, pilot_error = _misfit(estimate.early, estimate.late, response, estimate.shape, trust, places)
    return MovingChannel(
        taps=taps,
        profile=profile,
        response=response,
        spreads=spreads,
        covariance=covariance.reshape(bursts, len(begins), -1, covariance.shape[-1]),
        noise_var=total / left + 1e-30,
        cells=cells,
        evidence=evidence,
        early_error=early_error,
        pilot_error=pilot_error,
    )


def response_variance(channel: MovingChannel, opening: int, numerology: Numerology) -> np.ndarray:
    """Variance of the response's error in the payload: float32[bursts, payload's symbols, used_count]."""
    count = channel.response.shape[1]
    begins, owner = _stretches(count)
    nodes, between = _nodes(opening, count)
    functions = _stacked(count if len(begins) == 1 else _STRETCH, channel.spreads)
    pairs = np.swapaxes(_pairs(functions[:, :, nodes - begins[owner[nodes]]]), 1, 2).astype(np.complex64)
    if len(begins) == 1:
        lags = pairs @ channel.covariance[:, 0]
    else:
        lags = (pairs[:, :, None] @ channel.covariance[:, owner[nodes]])[:, :, 0]
    return between @ np.maximum((lags @ _transforms(numerology)[2]).real, 0)


def _cut(values: np.ndarray, begins: np.ndarray, length: int) -> np.ndarray:
    """Stretches of OFDM symbols: [bursts, all of them, k] -> [bursts, stretches, length, k]."""
    return values[:, None] if len(begins) == 1 else values[:, begins[:, None] + np.arange(length)]


def _whole(values: np.ndarray, owner: np.ndarray, within: np.ndarray) -> np.ndarray:
    """From the stretches that each OFDM symbol is best seen in: [bursts, stretches, length, k] -> [bursts, all, k]."""
    return values[:, 0] if values.shape[1] == 1 else values[:, owner, within]


@lru_cache(maxsize=128)
def _plain_gram(numerology: Numerology, opening: int, rows: int, spread: int) -> np.ndarray:
    """How functions of time overlap in what is known of a burst in white noise: complex64[stretches, n, n, taps]."""
    places = pilot_places(numerology, opening - PREAMBLE_SYMBOLS, rows)
    weight = _weights(np.ones((1, numerology.used_count)), np.ones((1, rows)), places, opening)
    begins, _ = _stretches(opening + rows)
    length = opening + rows if len(begins) == 1 else _STRETCH
    functions = _stacked(length, np.array([spread]))
    gram = _pairs(functions) @ _cut(weight, begins, length)[0] @ _transforms(numerology)[3]
    return gram.reshape(len(begins), functions.shape[1], functions.shape[1], -1)


@lru_cache(maxsize=32)
def _transforms(numerology: Numerology) -> tuple[np.ndarray, ...]:
    return tuple(matrix.astype(np.complex64) for matrix in tap_transforms(numerology))


@lru_cache(maxsize=64)
def _stretches(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where stretches begin, int64[n], and which of them each OFDM symbol is best seen in, int64[count]."""
    if count <= LONGEST_WHOLE:
        return np.zeros(1, np.int64), np.zeros(count, np.int64)
    begins = np.linspace(0, count - _STRETCH, -(-2 * (count - _STRETCH) // _STRETCH) + 1).astype(np.int64)
    return begins, np.abs(np.arange(count)[:, None] - begins - (_STRETCH - 1) / 2).argmin(axis=1)


@lru_cache(maxsize=64)
def _nodes(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """OFDM symbols from `first` on, a stride apart, and the weights that interpolate between them.

    Returns:
        int64[n], the last being `count - 1`; float32[count - first, n].
    """
    nodes = np.unique(np.append(np.arange(first, count, _STRIDE), count - 1))
    hats = [np.interp(np.arange(first, count), nodes, row) for row in np.eye(len(nodes))]
    return nodes, np.array(hats, np.float32).T.copy()


def likeliest_spread(channel: MovingChannel) -> np.ndarray:
    """The number of the Doppler spread that makes the courses of the taps likeliest: int64[bursts]."""
    begins, _ = _stretches(channel.taps.shape[1])
    length = channel.taps.shape[1] if len(begins) == 1 else _STRETCH
    functions, shares = _polynomials(length)
    power = np.square(np.abs(functions @ _cut(channel.taps, begins, length))).mean(axis=1)[:, None]
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
    return functions.astype(np.complex64), np.array(shares)


def widened(profile: np.ndarray) -> np.ndarray:
    """Powers of taps, float64[bursts, taps], none of them far below its neighbours'."""
    wide = profile.copy()
    wide[:, 1:] = np.maximum(wide[:, 1:], _NEXT * profile[:, :-1])
    wide[:, :-1] = np.maximum(wide[:, :-1], _NEXT * profile[:, 1:])
    return wide


@lru_cache(maxsize=256)
def _functions(count: int, which: int) -> np.ndarray:
    """The functions of time that make up a tap of power 1 with Doppler spread number `which`, -1 for none.

    Karhunen and Loève's, each times the standard deviation of its coefficient: float64[n, count].
    """
    powers, functions = np.linalg.eigh(correlation_in_time(count, DOPPLER_SPREADS[which] if which >= 0 else 0.0))
    keep = powers > _SMALL * count
    return (functions[:, keep] * np.sqrt(powers[keep])).T[::-1]


def _stacked(count: int, spreads: np.ndarray) -> np.ndarray:
    """Those functions for bursts of Doppler spreads int64[bursts], zeros where others have more.

    Returns:
        float32[bursts, n, count].
    """
    own = {spread: _functions(count, spread) for spread in set(spreads.tolist())}
    functions = np.zeros((len(spreads), max(map(len, own.values())), count), np.float32)
    for burst, spread in enumerate(spreads.tolist()):
        functions[burst, : len(own[spread])] = own[spread]
    return functions


def _pairs(functions: np.ndarray) -> np.ndarray:
    """The products of each two functions: float32[bursts, n, k] -> float32[bursts, n * n, k]."""
    return (functions[:, :, None] * functions[:, None]).reshape(len(functions), -1, functions.shape[2])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _projected(early, late, shape, trust, places, functions, begins):
    """The known cells over their noise in proportion to the mean, on functions of time, carrier by carrier.

    Args:
        early, late, shape, trust, places: as `follow_channel` has them.
        functions: float32[c, n, length]; begins: int64[stretches].

    Returns:
        complex64[c, stretches, n, used_count]; the cells' energy over their noise and how many they are, over all
        stretches, float64[c] each; and how many without those that are in several, float64[c].
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    _, several, length = functions.shape
    projected = np.zeros((count, len(begins), several, used), np.complex64)
    energy, within, cells = np.zeros(count), np.zeros(count), np.zeros(count)
    inverse = np.empty(used, np.float32)
    for c in range(count):
        for k in range(used):
            inverse[k] = 1 / shape[c, k]
        cells[c] = opening * used
        for row in range(rows):
            cells[c] += spread * trust[c, row]
        for s in range(len(begins)):
            for t in range(length):
                row = begins[s] + t
                if row < opening:
                    within[c] += used
                    power = np.float32(0)
                    for k in range(used):
                        value = early[c, row, k]
                        power += (value.real * value.real + value.imag * value.imag) * inverse[k]
                    energy[c] += power
                    for j in range(several):
                        weight = functions[c, j, t]
                        for k in range(used):
                            projected[c, s, j, k] += early[c, row, k] * (weight * inverse[k])
                elif trust[c, row - opening] > 0:
                    within[c] += spread
                    for p in range(spread):
                        k = places[row - opening, p]
                        value = late[c, row - opening, p]
                        energy[c] += (value.real * value.real + value.imag * value.imag) * inverse[k]
                        for j in range(several):
                            projected[c, s, j, k] += value * (functions[c, j, t] * inverse[k])
    return projected, energy, within, cells


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _misfit(early, late, response, shape, trust, places):
    """Squared errors of the known cells against a response, complex64[c, all OFDM symbols, used_count].

    Returns:
        over the noise in proportion to the mean, of all that are trusted, summed: float64[c]; as they are, of preamble
        and header, summed: float64[c]; and the first of each of the payload's symbols, mean of its pilots: float64
        [c, payload's symbols].
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    total, early_error, pilot_error = np.zeros(count), np.zeros(count), np.zeros((count, rows))
    for c in range(count):
        for row in range(opening):
            white, plain = np.float32(0), np.float32(0)
            for k in range(used):
                off = early[c, row, k] - response[c, row, k]
                power = off.real * off.real + off.imag * off.imag
                plain += power
                white += power / np.float32(shape[c, k])
            early_error[c] += plain
            total[c] += white
        for row in range(rows):
            for p in range(spread):
                k = places[row, p]
                off = late[c, row, p] - response[c, opening + row, k]
                pilot_error[c, row] += (off.real * off.real + off.imag * off.imag) / (spread * shape[c, k])
            total[c] += spread * trust[c, row] * pilot_error[c, row]
    return total, early_error, pilot_error


def _weights(shape: np.ndarray, trust: np.ndarray, places: np.ndarray, opening: int) -> np.ndarray:
    """The inverse noise of known and trusted cells in proportion to the mean, 0 where nothing is known.

    Returns:
        float32[bursts, all OFDM symbols, used_count].
    """
    weight = np.zeros((len(shape), opening + len(places), shape.shape[1]), np.float32)
    weight[:, :opening] = 1
    weight[:, opening + np.arange(len(places))[:, None], places] = trust[:, :, None]
    return weight / shape[:, None].astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _posterior(matched, gram, profile, noise_var):
    """The coefficients of taps and functions of time after the observations.

    Args:
        matched: complex64[c, functions, taps], observations; gram: complex64[c, functions, functions, taps], how the
            functions of two taps so far apart overlap in what was observed.
        profile: float64[c, taps], powers of the taps; noise_var: float64[c].

    Returns:
        mean, complex64[c, functions, taps]; sums of their covariance over pairs of taps equally far apart, complex64
        [c, functions, functions, taps], twice those off the diagonal; degrees of freedom, float64[c]; by how much the
        logarithm of the observations' likelihood exceeds that of noise alone, float64[c]; the energy that they
        explain, over their noise in proportion to the mean, float64[c]; and the taps' powers learnt from it, float64
        [c, taps].
    """
    count, functions, delays = matched.shape
    mean = np.zeros((count, functions, delays), np.complex64)
    covariance = np.zeros((count, functions, functions, delays), np.complex64)
    freedom, gain, explained = np.zeros(count), np.zeros(count), np.zeros(count)
    learnt = np.zeros((count, delays))
    most = min(functions * delays, _MOST_UNKNOWNS)
    matrix = np.empty((most, 2 * most))
    column, turned = np.empty(2 * most), np.empty(2 * most)
    tap, function = np.empty(most, np.int64), np.empty(most, np.int64)
    scale, left, at, after = (
        np.empty(most),
        np.empty(most),
        np.empty(most, np.complex128),
        np.empty(most, np.complex128),
    )
    for c in range(count):
        size, least = most + 1, _NEGLIGIBLE * noise_var[c]
        while size > most:
            size = 0
            for d in range(delays):
                for j in range(functions):
                    if profile[c, d] * gram[c, j, j, 0].real > least:
                        if size < most:
                            tap[size], function[size] = d, j
                        size += 1
            least *= 2
        for i in range(size):
            scale[i] = np.sqrt(profile[c, tap[i]])
            at[i] = matched[c, function[i], tap[i]] * scale[i] / noise_var[c]
            after[i] = 0
        for i in range(size):
            for k in range(i + 1):
                value = gram[c, function[i], function[k], tap[i] - tap[k]] * (scale[i] * scale[k] / noise_var[c])
                matrix[i, 2 * k], matrix[i, 2 * k + 1] = value.real, value.imag
            matrix[i, 2 * i] += 1.0
        gain[c] = -invert(matrix, size, column, turned)
        for i in range(size):
            left[i] = matrix[i, 2 * i]
            for k in range(i):
                value = complex(matrix[i, 2 * k], matrix[i, 2 * k + 1])
                after[i] += value * at[k]
                after[k] += np.conj(value) * at[i]
            after[i] += left[i] * at[i]
        got = np.zeros((2, delays))
        for i in range(size):
            mean[c, function[i], tap[i]] = after[i] * scale[i]
            freedom[c] += 1 - left[i]
            along = (np.conj(at[i]) * after[i]).real
            gain[c] += along
            explained[c] += noise_var[c] * (along + after[i].real ** 2 + after[i].imag ** 2)
            got[0, tap[i]] += (after[i].real ** 2 + after[i].imag ** 2) * scale[i] ** 2
            got[1, tap[i]] += 1 - left[i]
            for k in range(i + 1):
                twice = scale[i] * scale[k] * (1.0 if i == k else 2.0)
                value = complex(matrix[i, 2 * k], matrix[i, 2 * k + 1])
                covariance[c, function[i], function[k], tap[i] - tap[k]] += twice * value
        for d in range(delays):
            learnt[c, d] = got[0, d] / max(got[1, d], 1e-3)
    return mean, covariance, freedom, gain, explained, learnt
