"""The CBR of the pictures to come, by the SNR that the receiver tells of."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.link.outgoing import adapted_cbr
from gr_jscc.link.policy import SendingPolicy

MOST_SNR_DB = 100.0  # that is believed of a receiver's report, to either side
OLD_SECONDS = 60.0  # after which what a receiver told of pictures holds no more
OLD_STREAM_SECONDS = 5.0  # and of frames, each of which it tells of
HOLD_SECONDS = 1.0  # between two steps of a stream
LEAST_STEP = 1.12  # factor: 1 to 2 dB of SNR; less is not worth a manifest, and an estimate wavers by less
LARGEST_STEP = 1.5  # factor, so that one report that is wrong does little


class SendingRate:
    """What a sender makes of the SNR that it is told.

    Args:
        codec: whose CBR it is.
        policy: whether the CBR follows the SNR; a stream's in steps, see `SteadyRate`.
        clock: seconds.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> rate = SendingRate(load_codec("deepjscc"), SendingPolicy(adapt=True), clock=lambda: 0.0)
        >>> rate.heard(20.0)
        >>> round(rate.now(1 / 12), 4)
        0.0433
    """

    def __init__(self, codec: Codec, policy: SendingPolicy, clock: Callable[[], float]) -> None:
        self._codec, self._policy, self._clock = codec, policy, clock
        self._snr_db: float | None = None
        self._heard_at = 0.0
        self._steady: SteadyRate | None = None

    @property
    def snr_db(self) -> float | None:
        """As the receiver last told; None before, and where that is long ago."""
        lasts = OLD_STREAM_SECONDS if self._policy.listens_only else OLD_SECONDS
        if self._snr_db is not None and self._clock() - self._heard_at > lasts:
            self.forget()
        return self._snr_db

    def heard(self, snr_db: float) -> None:
        """The receiver told of an Es/N0 in dB; NaN says nothing."""
        if np.isfinite(snr_db):
            self._snr_db, self._heard_at = float(np.clip(snr_db, -MOST_SNR_DB, MOST_SNR_DB)), self._clock()

    def forget(self) -> None:
        """Another receiver is there, or none."""
        self._snr_db = self._steady = None

    def now(self, cbr: float) -> float:
        """The CBR of the next picture, where ``cbr`` is meant for 10 dB."""
        snr_db = self.snr_db
        if not self._policy.adapt or snr_db is None:
            return cbr
        wanted = adapted_cbr(cbr, snr_db, *self._codec.cbr_range)
        if not self._policy.listens_only:
            return wanted
        self._steady = self._steady or SteadyRate(cbr, self._clock)
        return self._steady.towards(wanted)


class SteadyRate:
    """Goes towards the CBR that is wanted, in steps: not every frame of a stream is to need a manifest of its own.

    Args:
        cbr: to begin with.
        clock: seconds.

    Example:
        >>> now = 0.0
        >>> rate = SteadyRate(0.1, clock=lambda: now)
        >>> rate.towards(0.105), round(rate.towards(0.2), 3), round(rate.towards(0.2), 3)
        (0.1, 0.15, 0.15)
        >>> now = 1.0
        >>> rate.towards(0.2)
        0.2
    """

    def __init__(self, cbr: float, clock: Callable[[], float]) -> None:
        self._cbr, self._clock = cbr, clock
        self._changed = -math.inf

    def towards(self, wanted: float) -> float:
        """The CBR of the next frame, where another is wanted."""
        factor, now = wanted / self._cbr, self._clock()
        if max(factor, 1 / factor) >= LEAST_STEP and now - self._changed >= HOLD_SECONDS:
            bounded = min(max(factor, 1 / LARGEST_STEP), LARGEST_STEP)
            self._cbr, self._changed = wanted if bounded == factor else bounded * self._cbr, now
        return self._cbr
