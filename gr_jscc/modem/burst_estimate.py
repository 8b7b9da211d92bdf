"""Phase, channel and noise of bursts from all that is known of them, each estimate made better by the others.

Every array is of several bursts, in the first place. `early` are the cells of preamble and header, `late` the payload's
pilots, both as observations of the channel (see `tracking`).
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numba import njit

from gr_jscc.modem.channel_estimation import estimate_channel
from gr_jscc.modem.layout import cell_weights
from gr_jscc.modem.noise_spectrum import noise_spectrum
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.outliers import trusted_symbols
from gr_jscc.modem.phase import coarse_line, drift_precision
from gr_jscc.modem.tracking import correlate, refine_line, residuals, turn_back, whitened
from gr_jscc.modem.turning import FAST

__all__ = ["BurstEstimate", "estimate_bursts", "some_bursts"]

# Radians per OFDM symbol that preamble and header may leave of the carrier offset.
_SLOPE_LEFT = 0.25
# Times what is expected of an OFDM symbol that it may weigh in the first look at the phase.
_MOST_SEEN = 3.0


@dataclass(frozen=True)
class BurstEstimate:
    """What is believed of bursts.

    Attributes:
        response: complex64[bursts, used_count], the channel in the middle of the burst.
        variance: float64[bursts, used_count], of its error.
        profile: float64[bursts, taps], prior variances of its taps.
        line: float64[bursts, 3], the phase over carriers and OFDM symbols (see `tracking`).
        early: complex64[bursts, early symbols, used_count], late: complex64[bursts, payload's symbols, pilot_count]:
            the observations turned back by the line.
        noise_var: float64[bursts], mean of a cell of OFDM symbols that are trusted.
        own_noise: float64[bursts], the same of preamble and header about their own mean: also right where the channel
            moves later on.
        shape: float64[bursts, used_count], noise of each carrier in proportion to that.
        matched: complex64[bursts, used_count], the channel over the shape: what observations are weighted by.
        trust: float64[bursts, payload's symbols], weights of the OFDM symbols; 0 for those that an interferer hit, or
            that a gap in the stream shifted, and 1 for the others.
        early_error: float64[bursts], squared errors of the early cells times their weights, summed.
        pilot_error: float64[bursts, payload's symbols], mean squared error of each symbol's pilots times their weight,
            each carrier's in proportion to its shape.

    Example:
        >>> from gr_jscc.modem.layout import pilot_places
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY as layout
        >>> rng = np.random.default_rng(1)
        >>> early = np.ones((1, 8, layout.used_count), np.complex64)  # as over a flat channel
        >>> late = np.ones((1, 20, layout.pilot_count), np.complex64)
        >>> places = pilot_places(layout, 6, 20)
        >>> late += 0.1 * rng.standard_normal(late.shape, np.float32)
        >>> early += 0.1 * rng.standard_normal(early.shape, np.float32)
        >>> noise_var, shape = np.full(1, 0.01), np.ones((1, layout.used_count))
        >>> counts = np.full(shape.shape, 8.0)
        >>> first = estimate_channel(early.sum(axis=1), counts, noise_var, shape, None, layout, steps=2)
        >>> estimate = estimate_bursts(early, late, first.response, first.profile, noise_var, shape, places, layout)
        >>> bool(np.abs(estimate.response - 1).max() < 0.1), bool(estimate.trust.all())
        (True, True)
    """

    response: np.ndarray
    variance: np.ndarray
    profile: np.ndarray
    line: np.ndarray
    early: np.ndarray
    late: np.ndarray
    noise_var: np.ndarray
    own_noise: np.ndarray
    shape: np.ndarray
    matched: np.ndarray
    trust: np.ndarray
    early_error: np.ndarray
    pilot_error: np.ndarray


def estimate_bursts(
    early: np.ndarray,
    late: np.ndarray,
    response: np.ndarray,
    profile: np.ndarray,
    noise_var: np.ndarray,
    shape: np.ndarray,
    places: np.ndarray,
    numerology: Numerology,
) -> BurstEstimate:
    """What is to be believed of bursts, all their known cells together.

    Args:
        early, late: of `observe`.
        response, profile, noise_var, shape: what the preamble alone says, as in `BurstEstimate`.
        places: int64[payload's symbols, pilot_count], where its pilots stand.
    """
    used = numerology.used_carriers.astype(np.float32)
    weights = cell_weights(numerology, early.shape[1], len(places))
    trust = np.ones(late.shape[:2])
    matched = (response / shape).astype(np.complex64)
    line = coarse_line(correlate(early, late, response, matched, _MOST_SEEN, places, weights), _SLOPE_LEFT)
    turned_early, turned_late, *_ = turn_back(early, late, line, trust, used, places, weights)
    nothing = np.empty((len(early), 0))
    guess = BurstEstimate(
        response,
        nothing,
        profile,
        line,
        turned_early,
        turned_late,
        noise_var,
        noise_var,
        shape,
        matched,
        trust,
        nothing,
        nothing,
    )
    guess = _better(early, late, guess, places, numerology)
    doubtful = ~guess.trust.all(axis=1)
    if doubtful.any():
        # What is no longer trusted has spoilt the guess, and so the trust in what is sound.
        again = _better(early[doubtful], late[doubtful], some_bursts(guess, doubtful), places, numerology)
        guess = _replaced(guess, doubtful, again)
    return _better(early, late, guess, places, numerology, last=True)


def _better(
    early: np.ndarray,
    late: np.ndarray,
    guess: BurstEstimate,
    places: np.ndarray,
    numerology: Numerology,
    last: bool = False,
) -> BurstEstimate:
    """A better estimate after a guess; the last one takes more trouble, and leaves it at what was trusted."""
    used = numerology.used_carriers.astype(np.float32)
    opening, noise, shape, trust = early.shape[1], guess.noise_var, guess.shape, guess.trust
    weights = cell_weights(numerology, opening, len(places))
    line = refine_line(
        guess.line, guess.early, guess.late, trust, guess.response, guess.matched, used, places, weights,
        drift_precision(noise, numerology), numerology.fft_size,
    )  # fmt: skip
    turned_early, turned_late, sums, counts = turn_back(early, late, line, trust, used, places, weights)
    channel = estimate_channel(sums, counts, noise, shape, guess.profile, numerology, steps=3 if last else 1, last=last)
    early_error, scatter, late_error = residuals(turned_early, turned_late, channel.response, places, weights)
    own_noise, shape = noise_spectrum(scatter, opening - 1, channel.response)
    white_error, pilot_error = whitened(early_error, late_error, shape, places)
    if not last:
        power = numerology.pilot_power
        trust = trusted_symbols(turned_late, pilot_error, channel.response, own_noise, shape, places, power)
    # The line takes 1.5 degrees of freedom; 1 more makes the mean of the inverse right.
    taken, pilots = channel.freedom + 2.5, places.shape[1]
    noise_var, matched = _summed_up(white_error, pilot_error, trust, pilots, taken, channel.response, shape, opening)
    return BurstEstimate(
        response=channel.response,
        variance=channel.variance if last else guess.variance,
        profile=channel.profile,
        line=line,
        early=turned_early,
        late=turned_late,
        noise_var=noise_var,
        own_noise=own_noise,
        shape=shape,
        matched=matched,
        trust=trust,
        early_error=early_error.sum(axis=1),
        pilot_error=pilot_error,
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _summed_up(white_error, pilot_error, trust, pilots, taken, response, shape, opening):
    """The noise of a cell, float64[c], and the channel over the shape, complex64[c, used_count].

    Args:
        white_error, pilot_error: of `whitened`.
        trust: float64[c, payload's symbols], weights of its OFDM symbols, each of so many pilots.
        taken: float64[c], degrees of freedom.
        response, shape: as in `BurstEstimate`.
        opening: OFDM symbols of preamble and header.
    """
    count, used = response.shape
    noise, matched = np.empty(count), np.empty(response.shape, np.complex64)
    for c in range(count):
        error, cells = white_error[c], np.float64(opening * used)
        for row in range(trust.shape[1]):
            error += pilots * pilot_error[c, row] * trust[c, row]
            cells += pilots * trust[c, row]
        noise[c] = max(error / (cells - taken[c]), 1e-30)
        for k in range(used):
            matched[c, k] = response[c, k] / np.float32(shape[c, k])
    return noise, matched


def some_bursts(estimate: BurstEstimate, which: np.ndarray) -> BurstEstimate:
    """The estimate of some of the bursts, bool[bursts] or their numbers."""
    return BurstEstimate(**{field.name: getattr(estimate, field.name)[which] for field in fields(estimate)})


def _replaced(estimate: BurstEstimate, which: np.ndarray, others: BurstEstimate) -> BurstEstimate:
    """The estimate with that of some of the bursts, bool[bursts], replaced."""
    changed = {}
    for field in fields(estimate):
        changed[field.name] = getattr(estimate, field.name).copy()
        changed[field.name][which] = getattr(others, field.name)
    return replace(estimate, **changed)
