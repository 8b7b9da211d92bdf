"""What the modem's estimates leave of channel and phase: the constants of `gr_jscc.training.link_channel`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gr_jscc.benchmarks.modem import USUAL, Channel, Trial, trials
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.training.link_channel import Residue

WEAK = 0.1  # power gain below which a carrier's error says more of the noise than of the estimate
SNRS_DB = (5.0, 10.0, 15.0, 20.0)


def residue_of(channel: Channel, bursts: int, rng: np.random.Generator, settings: LinkSettings = USUAL) -> Residue:
    """Measures the residue of a receiver on a channel.

    An error that grows with the symbol is one of channel or phase; across the symbol both show, along it the channel
    alone. Squared errors over the noise, in either direction, are therefore fitted as constant + slope·|s|².

    Args:
        channel: see `gr_jscc.benchmarks.modem`.
        bursts: at each of `SNRS_DB`.
        rng: of everything random.
        settings: numerology and length of bursts.
    """
    rows: list[np.ndarray] = []
    levels: list[np.ndarray] = []
    for snr_db in SNRS_DB:
        got = list(_errors(trials(bursts, snr_db, rng, channel, settings=settings), 10 ** (-snr_db / 10)))
        rows += [errors for errors, _ in got]
        told = np.array([level for _, level in got])
        levels.append(told - told.mean())
    power, along, across = np.concatenate(rows, axis=1)
    known = np.stack([np.ones_like(power), power], axis=1)
    (_, (slope_along, slope_across)), *_ = np.linalg.lstsq(known, np.stack([along, across], axis=1), rcond=None)
    spread = np.std(np.concatenate(levels))
    return Residue(gain=float(2 * slope_along), phase=float(slope_across - slope_along), spread=float(spread))


def _errors(results: Iterator[Trial], noise_var: float) -> Iterator[tuple[np.ndarray, float]]:
    """Of each burst float64[3, k], |s|² and the squared errors along and across s; and the log of the noise told."""
    for trial in results:
        if trial.received is None:
            continue
        symbols = trial.symbols
        gain = np.resize(np.abs(trial.response) ** 2, len(symbols))
        sound = gain > WEAK
        error = (trial.received.symbols - symbols) * np.exp(-1j * np.angle(symbols)) * np.sqrt(gain / noise_var)
        errors = np.stack([np.abs(symbols) ** 2, error.real**2, error.imag**2])
        told = float(np.log(np.mean((trial.received.noise_var * gain)[sound])))
        yield errors[:, sound].astype(np.float64), told
