"""The payload of bursts whose samples are all here: channel, phase and noise from all known cells, then equalised."""

import numpy as np
from numba import njit

from gr_jscc.modem.bridging import credible, lent_cells
from gr_jscc.modem.burst_estimate import BurstEstimate, estimate_bursts, some_bursts
from gr_jscc.modem.burst_opening import BurstOpening
from gr_jscc.modem.channel_estimation import CHANNEL_LEAD
from gr_jscc.modem.course import ChannelCourse, channel_courses
from gr_jscc.modem.equaliser import channel_inverse, equalise
from gr_jscc.modem.layout import (
    cell_weights,
    displaced,
    header_ofdm_symbols,
    pilot_places,
    pilot_values,
    scramble,
    unscramble,
)
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.outliers import excess_noise
from gr_jscc.modem.phase import smooth_walk
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS, preamble_carriers
from gr_jscc.modem.received_burst import ReceivedBurst
from gr_jscc.modem.rows import demodulate_rows
from gr_jscc.modem.tracking import observe, pilot_phases
from gr_jscc.modem.turning import FAST

__all__ = ["demodulate_payloads"]


def demodulate_payloads(
    samples: np.ndarray, base: int, alike: list[BurstOpening], rows: int, numerology: Numerology
) -> list[ReceivedBurst]:
    """Demodulates bursts of equal length.

    Args:
        samples: complex64[n], with all of theirs in it.
        base: sample of the stream at which those begin, from which the openings' samples are counted.
        alike: their openings, windows counted from the stream's beginning.
        rows: OFDM symbols of their payloads.
        numerology: the transmitter's.

    Returns:
        the bursts; of those with a lender, only such as prove to be there.
    """
    layout = numerology
    head = header_ofdm_symbols(layout)
    opening = PREAMBLE_SYMBOLS + head
    windows = np.array([burst.window - base for burst in alike])
    cfo = np.array([burst.cfo for burst in alike])
    spectrum = demodulate_rows(samples, windows, cfo, opening + rows, layout)

    # All that is known of the burst, as observations of the channel.
    headers = _stacked([burst.header_symbols for burst in alike])
    profile = _stacked([burst.profile for burst in alike])
    training = preamble_carriers(layout) / np.float32(np.sqrt(layout.preamble_power))
    pilots = pilot_values(layout, 0, head + rows).copy()
    pilots[head:] /= np.float32(np.sqrt(layout.pilot_power))
    places = pilot_places(layout, head, rows)
    early, late = observe(
        spectrum, headers, training, scramble(layout, 0, head), pilots, layout.used_bins, layout.data_index,
        layout.pilot_index, places,
    )  # fmt: skip
    bridged = np.array([burst.lender is not None for burst in alike])
    if bridged.any():
        early[bridged] = _lent(samples, base, [b for b in alike if b.lender], late[bridged], places, layout)
    estimate = estimate_bursts(
        early,
        late,
        _stacked([burst.response for burst in alike]),
        profile,
        np.array([burst.noise_var for burst in alike]),
        _stacked([burst.shape for burst in alike]),
        places,
        layout,
    )
    payload, spread, *qualities = _received(spectrum, estimate, profile, places, opening, layout)
    qualities = zip(cfo + estimate.line[:, 1] / (2 * np.pi * layout.symbol_len), *qualities)
    early = layout.cp_len - min(CHANNEL_LEAD, layout.cp_len // 8)
    sound = ~bridged
    if bridged.any():
        sound[bridged] = credible(some_bursts(estimate, bridged), places)
    return [
        ReceivedBurst(
            header=burst.header,
            symbols=payload[row, : burst.header.symbols].copy(),  # whoever keeps one burst does not keep them all
            noise_var=spread[row, : burst.header.symbols].copy(),
            start=max(0, burst.window - early),
            cfo=float(cfo),
            snr_db=float(snr_db),
            evm_db=float(evm_db),
            source=burst.source,
        )
        for row, (burst, (cfo, snr_db, evm_db)) in enumerate(zip(alike, qualities))
        if sound[row]
    ]


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    """Arrays of one length as the rows of one; ``numpy.stack`` takes several times as long."""
    return np.concatenate(rows).reshape(len(rows), -1)


def _received(
    spectrum: np.ndarray,
    estimate: BurstEstimate,
    profile: np.ndarray,
    places: np.ndarray,
    opening: int,
    layout: Numerology,
) -> tuple[np.ndarray, ...]:
    """The payloads and the noise variance of each symbol, as of `equalise`; and Es/N0 and EVM of the bursts, dB."""
    courses = channel_courses(estimate, profile, places, layout)
    parts = [
        (*_equalised(spectrum[course.which], course, opening - PREAMBLE_SYMBOLS, layout),
        *_quality(course, opening, layout))
        for course in courses
    ]  # fmt: skip
    if len(courses) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([course.which for course in courses]))
    return tuple(np.concatenate(kind)[order] for kind in zip(*parts))


def _lent(
    samples: np.ndarray,
    base: int,
    alike: list[BurstOpening],
    late: np.ndarray,
    places: np.ndarray,
    layout: Numerology,
) -> np.ndarray:
    """What stands in for the openings of bursts that have lenders: complex64[bursts, opening, used_count]."""
    head = header_ofdm_symbols(layout)
    lenders = [burst.lender for burst in alike]
    windows, cfo = np.array([one.window - base for one in lenders]), np.array([one.cfo for one in lenders])
    spectrum = demodulate_rows(samples, windows, cfo, PREAMBLE_SYMBOLS + head, layout)
    lent, _ = observe(
        spectrum, np.stack([one.header_symbols for one in lenders]),
        preamble_carriers(layout) / np.float32(np.sqrt(layout.preamble_power)), scramble(layout, 0, head),
        pilot_values(layout, 0, head), layout.used_bins, layout.data_index, layout.pilot_index, places[:0],
    )  # fmt: skip
    return np.stack(
        [lent_cells(*one, burst.response, burst.noise_var, places) for *one, burst in zip(lent, late, alike)]
    )


def _equalised(
    spectrum: np.ndarray, course: ChannelCourse, head: int, layout: Numerology
) -> tuple[np.ndarray, np.ndarray]:
    """The payloads of bursts whose channels are known, and the noise variance of each symbol, as of `equalise`."""
    rows = course.late.shape[1]
    used, places = layout.used_carriers.astype(np.float32), pilot_places(layout, head, rows)
    # Phase noise, where the pilots show any.
    measured, strength = pilot_phases(course.late, course.response, course.shape, places)
    walk = smooth_walk(measured, layout.pilot_power * strength * course.trust, course.noise_var)

    carrier_noise = course.noise_var[:, None] * course.shape
    inverse, noise_var = channel_inverse(course.response, course.variance, carrier_noise, walk.variance)
    excess = np.ones((len(inverse), rows), np.float32)
    if not course.trust.all():
        moments = np.arange(rows)[:, None] if course.response.shape[1] > 1 else 0
        excess = excess_noise(
            course.late, course.pilot_error, course.trust, course.response[:, moments, places], walk.phase,
            course.noise_var, course.shape, places, layout.pilot_power,
        )  # fmt: skip
    payload, spread = equalise(
        spectrum, spectrum.shape[1] - rows, layout.data_index, displaced(layout, head, rows), layout.used_bins, used,
            inverse, unscramble(layout, head, rows), course.line, walk.phase, noise_var, excess,
    )  # fmt: skip
    if np.isinf(excess).any():
        payload[np.isinf(spread)] = 0
    return payload, spread


def _quality(course: ChannelCourse, opening: int, layout: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Es/N0 per data subcarrier and error of the known cells of preamble and header, dB: float64[bursts] each."""
    power, noise, strength = _levels(
        course.response, course.variance, course.noise_var, course.shape, layout.data_index
    )
    expected = cell_weights(layout, opening, 0).sum() * strength
    snr_db = 10 * np.log10(np.maximum(power, 1e-30) / noise)
    return snr_db, 10 * np.log10(np.maximum(course.early_error / np.maximum(expected, 1e-30), 1e-12))


@njit(cache=True, nogil=True, fastmath=FAST)
def _levels(response, variance, noise_var, shape, data_index):
    """Mean power and noise of the data carriers, and the power of all carriers together: float64[c] each.

    Args:
        response: complex64[c, moments, used_count]; variance: float32, as `response`.
        noise_var: float64[c]; shape: float64[c, used_count].
        data_index: int64[data_count], places of the data carriers.
    """
    count, moments, used = response.shape
    power, noise, strength = np.zeros(count), np.zeros(count), np.zeros(count)
    each = np.empty(used)
    for c in range(count):
        each[:] = 0
        for m in range(moments):
            for k in range(used):
                own = response[c, m, k].real * response[c, m, k].real + response[c, m, k].imag * response[c, m, k].imag
                strength[c] += own / moments
                each[k] += (own + variance[c, m, k]) / moments
        for k in data_index:
            power[c] += each[k] / len(data_index)
            noise[c] += shape[c, k] * noise_var[c] / len(data_index)
    return power, noise, strength
