"""What a recording's bursts met on the air, for training to replay: noise of each carrier, fades, losses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from gr_jscc.errors import UserError
from gr_jscc.modem import BurstHeader, BurstKind, Numerology, ReceivedBurst
from gr_jscc.modem.layout import burst_length
from gr_jscc.radio.sigmf_file import Recording
from gr_jscc.recordings.replay import bursts, numerology_of
from gr_jscc.training.heard_air import STEPS, HeardAir

MOST = 20_000  # bursts that are kept: 8 MB


class HeardError(UserError):
    """A recording that no channel can be had from; the message is one line for a person.

    Example:
        >>> from gr_jscc.modem import DEFAULT_NUMEROLOGY
        >>> heard_air(iter([]), DEFAULT_NUMEROLOGY, samples=0)
        Traceback (most recent call last):
            ...
        gr_jscc.recordings.heard.HeardError: no analog burst in the recording
    """


def heard_in(recording: Recording) -> HeardAir:
    """What the bursts of a recording met, of the first `MOST`; they are demodulated anew.

    Raises:
        RadioError, ReplayError: see `gr_jscc.recordings.replay.bursts`.
        HeardError: there is none.
    """
    layout = numerology_of(recording)
    try:
        return heard_air(bursts(recording, last=True, layout=layout), layout, recording.samples)
    except HeardError as error:
        raise HeardError(f"{recording.meta}: {error}") from error


def heard_air(received: Iterable[ReceivedBurst], layout: Numerology, samples: int) -> HeardAir:
    """What bursts met, in their order, with those that their rounds lack between them.

    A round's bursts are numbered: a number that is left out is a burst that was lost, unless it would have been sent
    before the stream began or after it ended. What is repeated counts as it came.

    Args:
        received: of one stream.
        layout: of the bursts.
        samples: that the stream has.

    Raises:
        HeardError: no burst is analog.
    """
    carriers, moments = [], []
    for burst in itertools.islice(_with_lost(received, layout, samples), MOST):
        if burst is None or not np.isfinite(burst.noise_var).any():
            carriers.append(np.full(layout.data_count, np.inf, np.float32))
            moments.append(np.ones(STEPS, np.float32))
        else:
            of_carriers, of_moments = _separated(burst.noise_var, layout.data_count)
            carriers.append(of_carriers)
            moments.append(of_moments)
    if not any(np.isfinite(values[0]) for values in carriers):
        raise HeardError("no analog burst in the recording")
    return HeardAir(torch.from_numpy(np.stack(carriers)), torch.from_numpy(np.stack(moments)))


def _with_lost(received: Iterable[ReceivedBurst], layout: Numerology, samples: int) -> Iterator[ReceivedBurst | None]:
    """The analog bursts, and None for each that was lost."""
    last: BurstHeader | None = None
    end = 0
    for burst in received:
        head, length = burst.header, burst_length(burst.header, layout)
        if head.kind != BurstKind.ANALOG:
            continue
        if last is not None and (last.transfer, last.round) == (head.transfer, head.round):
            missing = head.index - last.index - 1
        else:
            missing = head.index + (0 if last is None else last.count - 1 - last.index)
        room = (burst.start - end) // length  # which bursts of a repeat, that others lie between, have none of
        yield from [None] * max(0, min(missing, room))
        yield burst
        last, end = head, burst.start + length
    if last is not None:
        room = (samples - end) // burst_length(last, layout)
        yield from [None] * max(0, min(last.count - 1 - last.index, room))


def _separated(noise_var: np.ndarray, carriers: int) -> tuple[np.ndarray, np.ndarray]:
    """A burst's noise variances float32[k] as those of its carriers, and how many times that there is at each moment.

    The demodulator gives nothing else than such products, ``inf`` in OFDM symbols that are missing.
    """
    rows = -(-len(noise_var) // carriers)
    grid = np.full(rows * carriers, np.nan)
    grid[: len(noise_var)] = noise_var
    grid = grid.reshape(rows, carriers)
    arrived = np.isfinite(grid).any(axis=1)
    of_carriers = np.nanmedian(grid[arrived], axis=0)
    excess = np.full(rows, np.inf)
    excess[arrived] = np.nanmedian(grid[arrived] / of_carriers, axis=1)
    at = np.arange(STEPS) * rows // STEPS
    return of_carriers.astype(np.float32), excess[at].astype(np.float32)
