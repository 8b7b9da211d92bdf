"""A stream of samples to bursts of equalised symbols.

The stream is worked on in steps of a fixed number of samples counted from its beginning, so that what comes out does
not depend on how the samples came in, and many bursts share every numpy call. Nothing is carried from burst to burst:
each is found, aligned and estimated anew, so a gap, a jump in time or an interferer costs the bursts it touches and no
others. Only a burst whose opening was not heard is read with the help of its neighbours (see `bridging`).
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gr_jscc.errors import UserError
from gr_jscc.modem.bridging import HeardBursts
from gr_jscc.modem.burst_opening import BurstOpening, opening_samples, read_openings
from gr_jscc.modem.burst_payload import demodulate_payloads
from gr_jscc.modem.candidates import find_candidates, grid, metric_span
from gr_jscc.modem.header import BurstHeader, BurstKind
from gr_jscc.modem.layout import payload_ofdm_symbols
from gr_jscc.modem.modulator import modulate
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.received_burst import HeaderSource, ReceivedBurst
from gr_jscc.modem.sample_cleaner import SampleCleaner
from gr_jscc.threads import one_blas_thread

__all__ = ["DemodulatorCounters", "StreamDemodulator"]

# Bursts worked on together: enough to share numpy's overhead, few enough to stay in the cache.
_TOGETHER = 64
_STEP = 65536


@dataclass
class DemodulatorCounters:
    """What a demodulator has seen since it was made.

    Attributes:
        samples: samples taken in.
        candidates: places that looked like a preamble.
        headers_failed: of those, how many had no valid header.
        other_versions: of those, how many had a sound one of another version, whose bursts are not understood.
        bursts: bursts handed out.
        bridged: of those, how many whose header was not read.
        truncated: bursts whose header was read but whose payload the end of the stream cut off.

    Example:
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> demodulator = StreamDemodulator()
        >>> demodulator.push(modulate(header, np.ones(480, np.complex64))[:-200])
        []
        >>> demodulator.flush()
        []
        >>> demodulator.counters.candidates, demodulator.counters.bursts, demodulator.counters.truncated
        (1, 0, 1)
    """

    samples: int = 0
    candidates: int = 0
    headers_failed: int = 0
    other_versions: int = 0
    bursts: int = 0
    bridged: int = 0
    truncated: int = 0


def check_findable(numerology: Numerology, step: int = _STEP) -> int:
    """Makes sure that a demodulator which works on ``step`` samples at once can find bursts.

    Returns:
        samples that it must see after the beginning of what may be a burst.

    Raises:
        UserError: these are more than a step.
    """
    # The peaks it must beat, then its header, with room for the timing to move.
    ahead = max(
        metric_span(numerology) + 4 * numerology.symbol_len, opening_samples(numerology) + 3 * numerology.symbol_len
    )
    if step < ahead:
        raise UserError(
            f"bursts of numerology {numerology.description} cannot be found: preamble and header take {ahead} samples "
            f"with their margins, and the receiver looks at {step} together"
        )
    return ahead


class StreamDemodulator:
    """Finds and demodulates bursts in a stream.

    Memory is bounded by the step and the longest burst that a header can state; work per sample is constant. Samples
    that are not finite, or beyond 1e7, count as zero.

    Args:
        numerology: that of the transmitter.
        step: samples worked on at once, in whole fours. A burst is handed out by the `push` that completes the step it
            ends in (or the next, when its preamble lies within a dozen OFDM symbols of the step's end): a smaller step
            means less delay and more work per sample. A transmitter that falls silent must be followed by as many
            samples of silence, or by `flush`.

    Attributes:
        step: samples worked on at once.

    Raises:
        UserError: `step` is too small for the numerology.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.modem import BurstHeader, BurstKind, modulate
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> samples = modulate(header, np.ones(480, np.complex64))
        >>> demodulator = StreamDemodulator()
        >>> bursts = demodulator.push(np.concatenate([samples, np.zeros(2000, np.complex64)])) + demodulator.flush()
        >>> [burst.header == header for burst in bursts], bool(np.abs(bursts[0].symbols - 1).max() < 0.01)
        ([True], True)
    """

    def __init__(self, numerology: Numerology = DEFAULT_NUMEROLOGY, step: int = _STEP) -> None:
        _compile()
        self._set_up(numerology, step)

    def _set_up(self, numerology: Numerology, step: int) -> None:
        self.numerology = numerology
        self.counters = DemodulatorCounters()
        self._ahead = check_findable(numerology, step)
        self._behind = 4 * numerology.symbol_len
        self.step = int(step) // 4 * 4
        self._incoming: deque[np.ndarray] = deque()
        self._waiting = 0
        self._cleaner = SampleCleaner(self.step // 2)
        self._restart(0)

    def _restart(self, base: int) -> None:
        # Silence before the stream, so that a burst at its very beginning has room before it.
        self._base = base - self._behind
        self._buffer = np.zeros(self._behind, np.complex64)
        self._looked = base - 2 * self.numerology.symbol_len // 4 * 4
        self._tried: list[int] = []
        self._pending: list[BurstOpening] = []
        self._heard = HeardBursts(self.numerology)

    def push(self, samples: np.ndarray) -> list[ReceivedBurst]:
        """Take in samples of the stream, complex64[n], any n; hand out the bursts that are complete, in order."""
        self.take(samples)
        bursts: list[ReceivedBurst] = []
        while self.is_ready:
            bursts += self.work()
        return bursts

    def take(self, samples: np.ndarray) -> None:
        """The first half of `push`, for who has other things to do before the second: only takes samples in."""
        samples = np.array(samples, np.complex64).reshape(-1)  # the caller's buffer may be used again
        self.counters.samples += len(samples)
        if len(samples):
            self._incoming.append(samples)
            self._waiting += len(samples)

    @property
    def is_ready(self) -> bool:
        """Whether samples of a whole step wait to be worked on."""
        return self._waiting >= self.step

    def work(self) -> list[ReceivedBurst]:
        """The second half of `push`, once it `is_ready`: works on a step and hands out the bursts complete then."""
        self._take(self.step)
        with one_blas_thread():
            return self._advance(last=False)

    def flush(self) -> list[ReceivedBurst]:
        """The stream has ended: hand out what is still inside. Another stream may follow, counted on from this one."""
        self._take(self._waiting)
        end = self._base + len(self._buffer)
        self._buffer = np.concatenate([self._buffer, np.zeros(self._ahead, np.complex64)])
        with one_blas_thread():
            bursts = self._advance(last=True, end=end)
        self._restart(end)
        return bursts

    @property
    def settled(self) -> int:
        """Sample of the stream before which no further burst will be found to begin, but for those that are bridged."""
        return max(0, min([self._looked] + [burst.window for burst in self._pending]))

    def _take(self, count: int) -> None:
        """Move the next samples into the buffer, made fit to be worked on."""
        parts, missing = [self._buffer], count
        while missing:
            part = self._incoming.popleft()
            if len(part) > missing:
                self._incoming.appendleft(part[missing:])
            parts.append(part[:missing])
            missing -= len(parts[-1])
        self._waiting -= count
        self._buffer = np.concatenate(parts)
        self._cleaner.clean(self._buffer[len(self._buffer) - count :])

    def _advance(self, last: bool, end: int = 0) -> list[ReceivedBurst]:
        stop = self._base + len(self._buffer)
        self._acquire_until(stop - self._ahead if not last else end)
        limit = end if last else stop
        # The window starts a little inside the prefix, so the last samples of a burst are not needed.
        ready = [p for p in self._pending if p.end <= limit]
        self._pending = [p for p in self._pending if p.end > limit]
        bursts = self._demodulate(ready)
        if last:
            self.counters.truncated += len(self._pending)
            return bursts
        windows = [p.window for p in self._pending] + [self._heard.keep_from(self._looked)]
        keep = min([self._looked - self._behind] + [window - 4 for window in windows])
        keep = min(max(keep, self._base), stop) // 4 * 4
        self._buffer = self._buffer[keep - self._base :]
        self._base = keep
        return bursts

    def _acquire_until(self, limit: int) -> None:
        """Look for bursts that start before `limit`, a sample of the stream."""
        layout = self.numerology
        # A burst at the border of two steps must be named in one of them: look a little back, and skip what was tried.
        again = 3 * layout.symbol_len
        begin = max(self._base, (self._looked - again) // 4 * 4)
        found, offsets = find_candidates(self._buffer[begin - self._base :], layout)
        found = found + begin
        fresh = (found >= self._looked - 2 * grid(layout)) & (found < limit)
        for tried in self._tried:
            fresh &= np.abs(found - tried) >= layout.symbol_len
        fresh &= (found - self._base >= layout.symbol_len) & (found + self._ahead <= self._base + len(self._buffer))
        found, offsets = found[fresh], offsets[fresh]
        self._looked = max(limit, self._looked) // 4 * 4
        self._tried = [int(p) for p in found if p >= self._looked - 2 * again]
        for first in range(0, len(found), _TOGETHER):
            self._read_headers(found[first : first + _TOGETHER] - self._base, offsets[first : first + _TOGETHER])

    def _read_headers(self, positions: np.ndarray, offsets: np.ndarray) -> None:
        read = read_openings(self._buffer, positions, offsets, self.numerology, self._base)
        self.counters.candidates += read.candidates
        self.counters.headers_failed += read.failed
        self.counters.other_versions += read.foreign
        for opening in read.openings:
            missing = self._heard.missing_before(opening)
            self._pending += [*(burst for burst in missing if burst.window >= self._base), opening]

    def _demodulate(self, ready: list[BurstOpening]) -> list[ReceivedBurst]:
        """Demodulate bursts whose samples are all here, those of equal length together."""
        by_length: dict[int, list[BurstOpening]] = {}
        for burst in ready:
            by_length.setdefault(payload_ofdm_symbols(burst.header.symbols, self.numerology), []).append(burst)
        bursts: list[ReceivedBurst] = []
        for rows, alike in by_length.items():
            together = max(1, min(_TOGETHER, _TOGETHER * 80 // (rows + 10)))
            for first in range(0, len(alike), together):
                these = alike[first : first + together]
                bursts += demodulate_payloads(self._buffer, self._base, these, rows, self.numerology)
        self.counters.bursts += len(bursts)
        self.counters.bridged += sum(burst.source != HeaderSource.READ for burst in bursts)
        return sorted(bursts, key=lambda burst: burst.start)


@lru_cache(maxsize=1)
def _compile() -> None:
    """Have numba compile what it compiles (seconds, once on a machine) before samples are waiting."""
    header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 1000)
    demodulator = StreamDemodulator.__new__(StreamDemodulator)
    demodulator._set_up(DEFAULT_NUMEROLOGY, _STEP)
    # Samples that are missing call for code of their own, and so do channels that move.
    samples = modulate(header, np.ones(1000, np.complex64))
    silence = np.zeros(200, np.complex64)
    moving = samples * np.linspace(1, 3, len(samples), dtype=np.float32)
    demodulator.push(np.concatenate([np.delete(samples, slice(1500, 1700)), silence, moving, silence]))
    demodulator.flush()
