"""Bursts that start at a time of the device's clock: when, and what must be sent again because it came too late.

A device drops what reaches it after its time and says so. That the transmitter alone knows, so it sends the burst again
at once. Without GNU Radio.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from gr_jscc.radio.address import RadioError

SURE_SECONDS = 0.05  # after its start, by which a device has told that a burst came too late
MOST_LEAD_SECONDS = 0.5
MOST_TRIES = 12  # of one burst

_log = logging.getLogger(__name__)


class TimedBursts:
    """Gives every burst its time, and keeps it until it is sure that it was not too late for that.

    After a late burst the next ones are handed over twice as long before their time, up to `MOST_LEAD_SECONDS`.

    Args:
        address: of the device, for messages.
        sample_rate: samples per second.
        lead: seconds before its time in which the beginning of a burst is handed over.
        clock: seconds.

    Attributes:
        late: bursts that came too late, each attempt counted.
        pending: whether a burst has begun of which it is not sure yet; no other may begin before.

    Example:
        >>> bursts = TimedBursts("uhd:", sample_rate=1e6, lead=0.05, clock=lambda: 0.0)
        >>> bursts.begin(now=10.0)
        10.05
        >>> bursts.handed_over(np.ones(1000, np.complex64))
        >>> len(bursts.listen(lambda: [10.06])), bursts.late  # the device got it too late: it is sent again
        (1000, 1)
    """

    def __init__(
        self, address: str, sample_rate: float, lead: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address, self._rate, self._lead, self._clock = address, sample_rate, lead, clock
        self.late = 0
        self.forget()

    def forget(self) -> None:
        """The device is another one, or was opened anew."""
        self.pending = False
        self._starts, self._ends = math.inf, 0.0  # of the latest burst, by the device's clock
        self._sure = 0.0  # by ours
        self._tries = 0
        self._kept: list[np.ndarray] = []

    def begin(self, now: float) -> float:
        """The time at which a burst that is handed over from now on starts, seconds of the device's clock.

        Args:
            now: the device's time.
        """
        self._starts = self._ends = max(now + self._lead, self._ends)  # it may still send the burst before
        self._sure = self._clock() + self._starts - now + SURE_SECONDS
        self.pending = True
        return self._starts

    def handed_over(self, samples: np.ndarray) -> None:
        """The next of the burst's samples, complex64[n], as the device gets them."""
        self._ends += len(samples) / self._rate
        if self.pending:
            self._kept.append(samples)

    def listen(self, ask: Callable[[], Sequence[float | None]]) -> np.ndarray | None:
        """Asks the device what came too late.

        Args:
            ask: times of the device's clock, at which it noticed that; None for one that it did not tell.

        Returns:
            complex64[n], all that was handed over of a burst and must be handed over again from its beginning; None
            where there is nothing.

        Raises:
            RadioError: it was too late again and again.
        """
        asked = self._clock()
        # What was noticed before this burst's time belongs to one before: devices tell of every packet.
        told = [when for when in ask() if when is None or when >= self._starts - 0.5 / self._rate]
        if told and self.pending:
            return self._again()
        if self.pending and asked >= self._sure:
            self.pending, self._kept, self._tries = False, [], 0
        return None

    def _again(self) -> np.ndarray:
        self.late += 1
        self._tries += 1
        if self.late == 1:
            _log.warning(
                "%s: a burst missed its transmit time and is sent again; if this continues, close other programs or "
                "raise lead_seconds in the profile's [stream]",
                self._address,
            )
        if self._tries >= MOST_TRIES:
            raise RadioError(
                f"{self._address}: a burst missed its transmit time {self._tries} times, the last although it was "
                f"sent {self._lead:g} s ahead: set timed = false in the profile's [device]"
            )
        self._lead = min(2 * self._lead, MOST_LEAD_SECONDS)
        samples, self._kept = np.concatenate(self._kept), []
        self.pending, self._starts = False, math.inf
        return samples
