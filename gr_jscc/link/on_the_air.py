"""Which rounds are still on the air: when a receiver need not wait any longer for the rest of one.

How long it waits is a matter of samples, see `AirClock`: of how many must pass before a burst cannot come any more.
Seconds count where none pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gr_jscc.link.air_clock import AirClock, Round
from gr_jscc.link.assembly import Assembler
from gr_jscc.link.back_channel import RoundSent

QUIET_SAMPLES = 1 << 17  # without a burst, some 25 long: the train that was on the air has ended
QUIET_SECONDS = 0.3  # that they take at least: a transmitter may falter
PIPE_SAMPLES = 1 << 20  # more than all buffers between the two ends hold: what had been sent before them has come
LOST_SAMPLES = 1 << 23  # the same, where the count of samples says otherwise: then some were lost
PIPE_SECONDS = 1.0  # that they take at least: so long a radio's driver may hold samples
STILL_SECONDS = 0.3  # without a sample when all that was sent must have come
ENDED_SECONDS = 2.0  # without a sample when nothing tells what was sent: there was no more
LOST_SECONDS = 10.0  # without a sample though some must be under way: a channel that ended took them with it


@dataclass
class Announced:
    """A round that the transmitter says has left.

    Attributes:
        attempt: 0 for the first sending, then the number of the repeat.
        last: no more of it will be sent.
        since: when the transmitter said so, seconds.
        settled: of the `AirClock`, then.
        told: when the transmitter was last told that it is still coming in, seconds.
        heard: a burst of it came since then.
        again: nothing was sent since it was answered: only ``last`` is new.

    Example:
        >>> announced = Announced(attempt=1, last=False, since=0.0, settled=0, told=0.0)
        >>> announced.heard, announced.again
        (False, False)
    """

    attempt: int
    last: bool
    since: float
    settled: int
    told: float
    heard: bool = False
    again: bool = False


class OnTheAir:
    """Rounds that were announced or heard, and what tells that they are over.

    Args:
        assembler: that puts them together.
        clock: seconds.

    Attributes:
        announced: rounds that the transmitter says have left, and that were not answered yet; oldest first.
        samples: how far the stream has come.
        last_burst: when one last came, seconds.

    Example:
        >>> air = OnTheAir(Assembler(), clock=lambda: 0.0)
        >>> air.announce(RoundSent(transfer=7, round=0, attempt=0, last=False), again=False)
        >>> air.is_over((7, 0))  # its bursts may still come
        False
    """

    def __init__(self, assembler: Assembler, clock: Callable[[], float]) -> None:
        self._assembler, self._clock = assembler, clock
        self.announced: dict[Round, Announced] = {}
        self.samples = AirClock(clock)
        self.last_burst = clock()
        self._last_of: dict[Round, float] = {}
        self._first_heard: dict[Round, int] = {}  # of open rounds, in the order of the air
        self._heard = 0

    def heard(self, key: Round, start: int) -> None:
        """A burst came that began at a sample of the stream; of no stranger."""
        self.last_burst = self._clock()
        self.samples.heard(key, start)

    def needed(self, key: Round) -> int:
        """A burst came of a round that is not handed over yet; returns the round's place on the air."""
        self._last_of[key] = self._clock()
        if key not in self._first_heard:
            self._first_heard[key] = self._heard
            self._heard += 1
        if key in self.announced:
            self.announced[key].heard = True
        return self._first_heard[key]

    def announce(self, message: RoundSent, again: bool) -> None:
        """The transmitter says that a round has left; ``again`` when nothing was sent since it was last answered."""
        now = self._clock()
        self.announced[message.transfer, message.round] = Announced(
            message.attempt, message.last, now, self.samples.settled, now, again=again
        )

    def handed_over(self, key: Round) -> None:
        """Nothing more of a round is waited for."""
        self._first_heard.pop(key, None)
        self._last_of.pop(key, None)

    def forget(self) -> None:
        """The transmitter is another process."""
        self.announced.clear()
        self._first_heard.clear()
        self._last_of.clear()
        self.samples.forget()

    def is_over(self, key: Round, latest: Round | None = None, place: int = -1) -> bool:
        """Whether nothing more of what was sent of an announced round can come.

        Args:
            key: the round.
            latest: the round of the burst that just came: those before it on the air are over.
            place: of that round among all, see `needed`.
        """
        announced = self.announced[key]
        if self._assembler.is_done(*key) or announced.again:
            return True
        if latest not in (None, key):
            if announced.attempt > 0 and announced.heard or self.samples.is_after(latest, key):
                return True
            # First sendings keep their order on the air.
            if announced.attempt == 0 and key in self._first_heard and place > self._first_heard[key]:
                return True
        elapsed, passed = self._clock() - announced.since, self.samples.settled - announced.settled
        sure = self.samples.has_come(key) or not self.samples.knows(key)
        if passed >= (PIPE_SAMPLES if sure else LOST_SAMPLES) and elapsed >= PIPE_SECONDS:
            return True
        if key in self._first_heard and (announced.attempt == 0 or announced.heard):
            since = max(self.last_burst, announced.since)
            quiet = self.samples.settled - self.samples.last_start >= QUIET_SAMPLES
            if quiet and self._clock() - since >= QUIET_SECONDS:
                return True
        if self.samples.has_come(key):
            longest = STILL_SECONDS
        else:
            longest = LOST_SECONDS if self.samples.knows(key) else ENDED_SECONDS
        return min(self.samples.still_seconds, elapsed) > longest

    @property
    def is_quiet(self) -> bool:
        """Whether the air has been quiet since the last burst."""
        if self.samples.settled - self.samples.last_start >= QUIET_SAMPLES:
            if self._clock() - self.last_burst >= QUIET_SECONDS:
                return True
        # A round with holes may have the rest of its bursts in a buffer.
        sure = self.samples.counted and not self._assembler.open_rounds()
        return self.samples.still_seconds > (ENDED_SECONDS if sure else LOST_SECONDS)

    def last_of(self, key: Round, otherwise: float) -> float:
        """When a burst of a round last came, seconds; ``otherwise`` where none did."""
        return self._last_of.get(key, otherwise)

    def has_passed(self, key: Round, otherwise: float) -> bool:
        """Whether an open round has left the air: it is quiet, or long busy with others; ``otherwise``: `last_of`."""
        start = self.samples.start_of(key)
        passed = start is not None and self.samples.settled - start >= QUIET_SAMPLES
        if passed and self._clock() - self.last_of(key, otherwise) >= ENDED_SECONDS:
            return True
        return self.is_quiet
