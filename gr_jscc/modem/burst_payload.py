"""The payload of bursts whose samples are all here: channel, phase and noise from all known cells, then equalised."""

import numpy as np

from gr_jscc.modem.bridging import credible, lent_cells
from gr_jscc.modem.burst_estimate import estimate_bursts
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
    opening, total = PREAMBLE_SYMBOLS + head, PREAMBLE_SYMBOLS + head + rows
    windows = np.array([burst.window - base for burst in alike])
    cfo = np.array([burst.cfo for burst in alike])
    spectrum = demodulate_rows(samples, windows, cfo, total, layout)

    # All that is known of the burst, as observations of the channel.
    headers = np.stack([burst.header_symbols for burst in alike])
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
        np.stack([burst.response for burst in alike]),
        np.stack([burst.profile for burst in alike]),
        np.array([burst.noise_var for burst in alike]),
        np.stack([burst.shape for burst in alike]),
        places,
        layout,
    )
    payload = np.empty((len(alike), rows * layout.data_count), np.complex64)
    spread = np.empty(payload.shape, np.float32)
    snr_db, evm_db = np.empty(len(alike)), np.empty(len(alike))
    profile = np.stack([burst.profile for burst in alike])
    for course in channel_courses(estimate, profile, places, layout):
        which = course.which
        payload[which], spread[which] = _equalised(spectrum[which], course, head, layout)
        snr_db[which], evm_db[which] = _quality(course, opening, layout)

    cfo = cfo + estimate.line[:, 1] / (2 * np.pi * layout.symbol_len)
    lead = min(CHANNEL_LEAD, layout.cp_len // 8)
    bursts, sound = [], ~bridged | credible(estimate)
    for row, burst in enumerate(alike):
        if not sound[row]:
            continue
        count = burst.header.symbols
        bursts.append(
            ReceivedBurst(
                header=burst.header,
                symbols=payload[row, :count].copy(),
                noise_var=spread[row, :count].copy(),
                start=max(0, burst.window - layout.cp_len + lead),
                cfo=float(cfo[row]),
                snr_db=float(snr_db[row]),
                evm_db=float(evm_db[row]),
                source=burst.source,
            )
        )
    return bursts


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
    strength = (np.square(course.response.real) + np.square(course.response.imag)).mean(axis=1)
    power = (strength + course.variance.mean(axis=1))[:, layout.data_index].mean(axis=1)
    noise = course.noise_var * course.shape[:, layout.data_index].mean(axis=1)
    expected = cell_weights(layout, opening, 0).sum() * strength.sum(axis=1)
    snr_db = 10 * np.log10(np.maximum(power, 1e-30) / noise)
    return snr_db, 10 * np.log10(np.maximum(course.early_error / np.maximum(expected, 1e-30), 1e-12))
