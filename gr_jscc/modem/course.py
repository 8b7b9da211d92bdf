"""The course of each burst's channel: still, or moving where the burst shows that it moved."""

from dataclasses import dataclass, replace

import numpy as np

from gr_jscc.modem.burst_estimate import BurstEstimate, some_bursts
from gr_jscc.modem.layout import cell_weights
from gr_jscc.modem.motion import DOPPLER_SPREADS, doppler_index
from gr_jscc.modem.moving_channel import (
    MovingChannel,
    follow_channel,
    likeliest_spread,
    response_variance,
    widened,
)
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.outliers import outlying
from gr_jscc.modem.time_functions import LONGEST_WHOLE
from gr_jscc.modem.tracking import turn_back

__all__ = ["ChannelCourse", "channel_courses"]

# Times the taps' powers and the noise of a moving channel are learnt once its Doppler spread is known.
_STEPS = 2
# Doppler spreads, each twice the one before, that long bursts are first looked at with beyond what they show.
_FASTER = 2
# Number of the Doppler spread beyond which the first look is one with half the spread.
_FAST = 6
# Doppler cycles in a burst from which on its drift cannot be told from its motion.
_TURNED = 0.2
# Natural logarithm of how much likelier than a still channel a moving one must be where not all symbols fit.
_EVIDENCE = 8.0
# How many more of them it must fit: a cut within the header looks like a channel that fades away.
_MORE = 8
# OFDM symbols that are looked at together where not all of a burst's fit.
_BLOCK = 13


@dataclass(frozen=True)
class ChannelCourse:
    """What is believed of some bursts whose channels all stand still, or all move.

    Attributes:
        which: those bursts among all, slice or int64[n].
        response: complex64[n, 1 or payload's symbols, used_count], the channel, at all times or at each.
        variance: float, as `response`, of its error.
        line, late, noise_var, shape, trust, early_error, pilot_error: of those bursts, as in `BurstEstimate`.

    Example:
        >>> still = np.ones((2, 1, 52), np.complex64)  # two bursts through a channel of gain 1
        >>> late, one = np.ones((2, 50, 4), np.complex64), np.ones(2)
        >>> errors = 0.1 * np.ones((2, 50))
        >>> line, shape = np.zeros((2, 3)), np.ones((2, 52))
        >>> course = ChannelCourse(
        ...     slice(None), still, 0.01 * still.real, line, late, 0.1 * one, shape, np.ones((2, 50)), 52 * one, errors
        ... )
        >>> course.response.shape[1] == 1  # it stands still
        True
    """

    which: slice | np.ndarray
    response: np.ndarray
    variance: np.ndarray
    line: np.ndarray
    late: np.ndarray
    noise_var: np.ndarray
    shape: np.ndarray
    trust: np.ndarray
    early_error: np.ndarray
    pilot_error: np.ndarray


def channel_courses(
    estimate: BurstEstimate, profile: np.ndarray, places: np.ndarray, numerology: Numerology
) -> list[ChannelCourse]:
    """The bursts by how fast their channels moved, each with its channel's course.

    Args:
        estimate: of still channels.
        profile: float64[bursts, taps], powers of the taps from the preamble alone.
        places: int64[payload's symbols, pilot_count], where the pilots stand.
    """
    spreads = doppler_index(estimate, np.ones(estimate.trust.shape), places, numerology)
    which = np.flatnonzero(spreads >= 0)
    if not len(which):
        return [_still(estimate, slice(None))]
    some, profile, spreads = some_bursts(estimate, which), widened(profile[which]), spreads[which]
    if estimate.early.shape[1] + len(places) > LONGEST_WHOLE:
        # Slow functions of so long a time see little of motion that is fast.
        spreads = np.minimum(spreads + _FASTER, len(DOPPLER_SPREADS) - 1)
    trust, noise_var, spreads = _trusted(some, profile, spreads, places, numerology)
    moves = spreads >= 0
    some, profile, trust, noise_var, spreads = (
        some_bursts(some, moves), profile[moves], trust[moves], noise_var[moves], spreads[moves],
    )  # fmt: skip
    still = np.setdiff1d(np.arange(len(estimate.early)), which[moves])
    courses = [_still(estimate, still)] if len(still) else []
    if len(spreads):
        some = _without_drift(some, spreads, places, numerology)
        channel = follow_channel(some, trust, profile, noise_var, spreads, places, numerology, _STEPS)
        courses.append(_moving(some, which[moves], trust, channel, numerology))
    return courses


def _without_drift(
    estimate: BurstEstimate, spreads: np.ndarray, places: np.ndarray, numerology: Numerology
) -> BurstEstimate:
    """The estimates, those of channels that move far with observations from which no drift of the window was taken.

    What a still channel makes of a drift is then mostly echoes that come and go; one that there is, taps that move can
    follow.
    """
    far = DOPPLER_SPREADS[spreads] * (estimate.early.shape[1] + len(places)) > _TURNED
    drift = estimate.line * [0, 0, 1] * far[:, None]
    used = numerology.used_carriers.astype(np.float32)
    weights = cell_weights(numerology, estimate.early.shape[1], len(places))
    early, late, *_ = turn_back(estimate.early, estimate.late, -drift, estimate.trust, used, places, weights)
    return replace(estimate, line=estimate.line - drift, early=early, late=late)


def _still(estimate: BurstEstimate, which: slice | np.ndarray) -> ChannelCourse:
    return ChannelCourse(
        which=which,
        response=estimate.response[which][:, None],
        variance=estimate.variance[which][:, None],
        line=estimate.line[which],
        late=estimate.late[which],
        noise_var=estimate.noise_var[which],
        shape=estimate.shape[which],
        trust=estimate.trust[which],
        early_error=estimate.early_error[which],
        pilot_error=estimate.pilot_error[which],
    )


def _trusted(
    estimate: BurstEstimate, profile: np.ndarray, spreads: np.ndarray, places: np.ndarray, numerology: Numerology
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which OFDM symbols of the payload to trust if the channel moves.

    All are trusted if they fit together, and better than a still channel with what it trusts. If not, the burst is gone
    through from its beginning: each few OFDM symbols must fit those before, from which a channel cannot have moved far.

    Returns:
        weights as in `BurstEstimate`; the noise of a cell, float64[bursts]; and a better Doppler spread, int64[bursts],
        -1 where a still channel is likelier.
    """
    trust, pilots = np.ones(estimate.late.shape[:2]), places.shape[1]
    noise_var, better, evidence, apart = _first_look(
        estimate, profile, np.minimum(spreads, np.maximum(spreads - 1, _FAST)), places, numerology
    )
    # What a still channel leaves overstates fast motion, mostly.
    again = apart & (spreads > _FAST)
    if again.any():
        looks = _first_look(some_bursts(estimate, again), profile[again], spreads[again], places, numerology)
        noise_var[again], better[again], evidence[again], apart[again] = looks
    doubtful = np.flatnonzero(apart | ~estimate.trust.all(axis=1))
    if len(doubtful):
        some, apart, whole = some_bursts(estimate, doubtful), apart[doubtful], evidence[doubtful]
        start = profile[doubtful], some.own_noise
        channel = follow_channel(some, some.trust, *start, -np.ones(len(some.late), int), places, numerology, steps=1)
        still = channel.evidence + _evidence_lost(some, some.trust, channel.pilot_error, places, numerology)
        apart |= whole < still
        better[doubtful[apart]] = -1
        doubtful, still = doubtful[apart], still[apart]
    if len(doubtful):
        some, grown = some_bursts(estimate, doubtful), np.zeros((len(doubtful), len(places)))
        start, spreads = (profile[doubtful], some.own_noise), spreads[doubtful]
        for first in range(0, len(places), _BLOCK):
            block, end = slice(first, first + _BLOCK), min(first + _BLOCK, len(places))
            grown[:, block] = 1
            channel = follow_channel(some, grown, *start, spreads, places, numerology, steps=1)
            grown[:, block] -= outlying(channel.pilot_error[:, :end], some.own_noise, pilots)[:, block]
        # Motion must be what makes the difference, and not what is trusted.
        channel = follow_channel(some, grown, *start, -np.ones(len(some.late), int), places, numerology, steps=1)
        still = np.maximum(
            still, channel.evidence + _evidence_lost(some, grown, channel.pilot_error, places, numerology)
        )
        channel = follow_channel(some, grown, *start, spreads, places, numerology, steps=1)
        moving = channel.evidence + _evidence_lost(some, grown, channel.pilot_error, places, numerology)
        trust[doubtful], noise_var[doubtful] = grown, channel.noise_var
        likelier = (moving > still + _EVIDENCE) & (grown.sum(axis=1) >= some.trust.sum(axis=1) + _MORE)
        better[doubtful] = np.where(likelier, likeliest_spread(channel), -1)
    return trust, noise_var, better


def _first_look(
    estimate: BurstEstimate, profile: np.ndarray, spreads: np.ndarray, places: np.ndarray, numerology: Numerology
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a moving channel makes of bursts if all is trusted.

    Returns:
        the noise of a cell, float64[bursts]; a better Doppler spread, int64[bursts]; the evidence, float64[bursts]; and
        whether there are OFDM symbols that do not fit the others, bool[bursts].
    """
    trust, noise = np.ones(estimate.late.shape[:2]), estimate.own_noise
    channel = follow_channel(estimate, trust, profile, noise, spreads, places, numerology, steps=1)
    apart = outlying(channel.pilot_error, noise, places.shape[1]).any(axis=1)
    return channel.noise_var, likeliest_spread(channel), channel.evidence, apart


def _evidence_lost(
    estimate: BurstEstimate, trust: np.ndarray, pilot_error: np.ndarray, places: np.ndarray, numerology: Numerology
) -> np.ndarray:
    """What OFDM symbols that are not trusted add to the evidence: float64[bursts].

    Each has a power of its own, of what is added to its pilots or stands in their place.
    """
    pilots = places.shape[1]
    power = numerology.pilot_power * (np.square(np.abs(estimate.late)) / estimate.shape[:, places]).mean(axis=2)
    level = np.maximum(np.minimum(power, pilot_error), estimate.own_noise[:, None])
    return -((1 - trust) * (pilots * (np.log(level) + 1) + 1)).sum(axis=1)


def _moving(
    estimate: BurstEstimate, which: np.ndarray, trust: np.ndarray, channel: MovingChannel, numerology: Numerology
) -> ChannelCourse:
    opening = estimate.early.shape[1]
    return ChannelCourse(
        which=which,
        response=channel.response[:, opening:],
        variance=response_variance(channel, opening, numerology),
        line=estimate.line,
        late=estimate.late,
        noise_var=channel.noise_var,
        shape=estimate.shape,
        trust=trust,
        early_error=channel.early_error,
        pilot_error=channel.pilot_error,
    )
