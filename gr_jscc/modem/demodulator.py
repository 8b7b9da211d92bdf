"""A stream of samples to bursts of equalised symbols.

The stream is worked on in steps of a fixed number of samples counted from its beginning, so that what comes out does
not depend on how the samples came in, and many bursts share every numpy call. Nothing is carried from burst to burst:
each is found, aligned and estimated anew, so a gap, a jump in time or an interferer costs the bursts it touches and no
others.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.errors import UserError
from gr_jscc.modem.burst_estimate import estimate_bursts
from gr_jscc.modem.channel_estimation import CHANNEL_LEAD, estimate_channel
from gr_jscc.modem.course import ChannelCourse, channel_courses
from gr_jscc.modem.equaliser import channel_inverse
from gr_jscc.modem.header import BurstHeader, BurstKind, decode_header_llr
from gr_jscc.modem.header_cells import header_correlations, header_ratios, training_totals
from gr_jscc.modem.layout import (
    burst_length,
    displaced,
    header_ofdm_symbols,
    payload_ofdm_symbols,
    pilot_places,
    pilot_values,
    scramble,
    unscramble,
)
from gr_jscc.modem.modulator import modulate
from gr_jscc.modem.noise_spectrum import noise_spectrum
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.outliers import excess_noise
from gr_jscc.modem.phase import fit_header_phase, smooth_walk
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS, preamble_carriers
from gr_jscc.modem.rows import demodulate_rows
from gr_jscc.modem.synchroniser import acquire, find_candidates, grid, metric_span
from gr_jscc.modem.tracking import equalise, observe, pilot_phases
from gr_jscc.modem.turning import FAST
from gr_jscc.threads import one_blas_thread

__all__ = ["DemodulatorCounters", "ReceivedBurst", "StreamDemodulator"]

# Bursts worked on together: enough to share numpy's overhead, few enough to stay in the cache.
_TOGETHER = 32
_STEP = 65536
# A DC offset stands out when its power is this many times that of the mean of so many random samples.
_OFFSET_STANDS_OUT = 30.0
# Samples beyond this count as zero, as those do that are not finite; 16-bit samples left unscaled are far below.
_LARGEST = np.float32(1e7)


@dataclass(frozen=True)
class ReceivedBurst:
    """A burst as received.

    Attributes:
        header: its header, CRC checked.
        symbols: complex64[header.symbols], equalised, of unit gain and without bias, in the order of sending; 0 where
            nothing arrived.
        noise_var: float32[header.symbols], variance of the complex error of each, for sent symbols of mean power 1;
            ``inf`` where nothing arrived because samples are missing.
        start: sample of the stream, counted from 0, at which the burst began.
        cfo: carrier frequency offset in cycles per sample.
        snr_db: Es/N0 per data subcarrier as received, before equalisation, in dB.
        evm_db: error of the known cells of preamble and header relative to their power, in dB.

    Example:
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> samples = np.concatenate([np.zeros(700), modulate(header, np.ones(480, np.complex64)), np.zeros(2000)])
        >>> demodulator = StreamDemodulator()
        >>> (burst,) = demodulator.push(samples) + demodulator.flush()
        >>> burst.start, len(burst.symbols), bool(burst.noise_var.max() < 1e-3)
        (700, 480, True)
    """

    header: BurstHeader
    symbols: np.ndarray
    noise_var: np.ndarray
    start: int
    cfo: float
    snr_db: float
    evm_db: float


@dataclass
class DemodulatorCounters:
    """What a demodulator has seen since it was made.

    Attributes:
        samples: samples taken in.
        candidates: places that looked like a preamble.
        headers_failed: of those, how many had no valid header.
        other_versions: of those, how many had a sound one of another version, whose bursts are not understood.
        bursts: bursts handed out.
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
    truncated: int = 0


@dataclass(frozen=True)
class _Pending:
    header: BurstHeader
    header_symbols: np.ndarray  # complex64[240], as sent
    window: int  # first sample of the FFT's first window, from the beginning of the stream
    cfo: float
    end: int  # first sample that the burst does not need
    response: np.ndarray  # complex64[used_count], the channel from the preamble alone
    profile: np.ndarray  # float64[taps], its prior variances
    noise_var: float  # mean of a carrier, from the preamble alone
    shape: np.ndarray  # float64[used_count], noise of each carrier in proportion to that


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _survey(samples):
    """Whether all samples, complex64[n], are surely numbers below the largest; their mean, and their mean power."""
    sound, real, imag, power = True, 0.0, 0.0, 0.0
    for first in range(0, len(samples), 1024):
        # Single precision over blocks, double over the sums of blocks.
        re, im, energy = np.float32(0), np.float32(0), np.float32(0)
        for i in range(first, min(first + 1024, len(samples))):
            x, y = samples[i].real, samples[i].imag
            re += x
            im += y
            energy += x * x + y * y
        # One sample that is no number or too large shows in the sum.
        sound = sound and energy < _LARGEST * _LARGEST
        real, imag, power = real + re, imag + im, power + energy
    count = max(len(samples), 1)
    return sound, complex(real, imag) / count, power / count


def _opening(numerology: Numerology) -> int:
    """Samples of preamble and header."""
    return (PREAMBLE_SYMBOLS + header_ofdm_symbols(numerology)) * numerology.symbol_len


def check_findable(numerology: Numerology, step: int = _STEP) -> int:
    """Makes sure that a demodulator which works on ``step`` samples at once can find bursts.

    Returns:
        samples that it must see after the beginning of what may be a burst.

    Raises:
        UserError: these are more than a step.
    """
    # The peaks it must beat, then its header, with room for the timing to move.
    ahead = max(metric_span(numerology) + 4 * numerology.symbol_len, _opening(numerology) + 3 * numerology.symbol_len)
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
        step: samples worked on at once. A burst is handed out by the `push` that completes the step it ends in (or the
            next, when its preamble lies within a dozen OFDM symbols of the step's end): a smaller step means less
            delay and more work per sample. A transmitter that falls silent must be followed by as many samples of
            silence, or by `flush`.

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
        self._opening = _opening(numerology)
        self._ahead = check_findable(numerology, step)
        self._behind = 4 * numerology.symbol_len
        self._step = int(step) // 4 * 4
        self._incoming: deque[np.ndarray] = deque()
        self._waiting = 0
        self._offset = 0j
        self._restart(0)

    def _restart(self, base: int) -> None:
        # Silence before the stream, so that a burst at its very beginning has room before it.
        self._base = base - self._behind
        self._buffer = np.zeros(self._behind, np.complex64)
        self._looked = base - 2 * self.numerology.symbol_len // 4 * 4
        self._tried: list[int] = []
        self._pending: list[_Pending] = []

    def push(self, samples: np.ndarray) -> list[ReceivedBurst]:
        """Take in samples of the stream, complex64[n], any n; hand out the bursts that are complete, in order."""
        samples = np.array(samples, np.complex64, copy=True).reshape(-1)
        self.counters.samples += len(samples)
        bursts: list[ReceivedBurst] = []
        if len(samples):
            self._incoming.append(samples)
            self._waiting += len(samples)
        while self._waiting >= self._step:
            self._take(self._step)
            with one_blas_thread():
                bursts += self._advance(last=False)
        return bursts

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
        """Sample of the stream before which no further burst will be found to begin."""
        return max(0, min([self._looked] + [burst.window for burst in self._pending]))

    def would_search(self, count: int) -> bool:
        """Whether to `push` so many samples takes a search, and so some time."""
        return self._waiting + count >= self._step

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
        taken = self._buffer[len(self._buffer) - count :]
        sound, mean, power = _survey(taken)
        if not sound:
            taken[~((np.abs(taken.real) < _LARGEST) & (np.abs(taken.imag) < _LARGEST))] = 0
            _, mean, power = _survey(taken)
        # The receiver's DC offset, unremoved, is moved by a carrier offset from the empty carrier 0 onto data. Only one
        # that stands out is taken for one, so that a clean signal is not touched.
        if count >= self._step // 2 or not self._offset:
            stands_out = count and abs(mean) ** 2 > _OFFSET_STANDS_OUT * power / count
            self._offset = mean if stands_out else 0j
        if self._offset:
            taken -= np.complex64(self._offset)

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
        keep = min([self._looked - self._behind] + [p.window - 4 for p in self._pending])
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
        fresh &= np.array([all(abs(p - t) >= layout.symbol_len for t in self._tried) for p in found], bool)
        fresh &= (found - self._base >= layout.symbol_len) & (found + self._ahead <= self._base + len(self._buffer))
        found, offsets = found[fresh], offsets[fresh]
        self._looked = max(limit, self._looked) // 4 * 4
        self._tried = [int(p) for p in found if p >= self._looked - 2 * again]
        for first in range(0, len(found), _TOGETHER):
            self._read_headers(found[first : first + _TOGETHER] - self._base, offsets[first : first + _TOGETHER])

    def _read_headers(self, positions: np.ndarray, offsets: np.ndarray) -> None:
        layout = self.numerology
        acquired = acquire(self._buffer, positions, offsets, layout)
        if not len(acquired.window):
            return
        head = header_ofdm_symbols(layout)
        # Timing may have moved by a prefix or so; never out of the buffer.
        window = acquired.window.clip(0, len(self._buffer) - self._opening)
        spectrum = demodulate_rows(self._buffer, window, acquired.cfo, PREAMBLE_SYMBOLS + head, layout)
        training = preamble_carriers(layout)
        totals, energy = training_totals(spectrum, layout.used_bins, training)
        noise, shape = noise_spectrum(energy, PREAMBLE_SYMBOLS - 1, totals / PREAMBLE_SYMBOLS)
        counts = np.full(totals.shape, float(PREAMBLE_SYMBOLS))
        channel = estimate_channel(totals, counts, noise, shape, None, layout, steps=2)
        matched = (channel.response / shape).astype(np.complex64)
        pilots = pilot_values(layout, 0, head)
        offset, slope = fit_header_phase(
            header_correlations(spectrum, layout.used_bins, training, layout.pilot_index, pilots, matched)
        )
        cells = unscramble(layout, 0, head)
        matched = np.take(matched / noise[:, None].astype(np.float32), layout.data_index, axis=1)
        ratios = header_ratios(spectrum, PREAMBLE_SYMBOLS, layout.data_bins, cells, matched, offset, slope)
        headers, sent, foreign = decode_header_llr(ratios)
        self.counters.candidates += len(headers)
        self.counters.other_versions += int(foreign.sum())
        cfo = acquired.cfo + slope / (2 * np.pi * layout.symbol_len)
        for row, header in enumerate(headers):
            if header is None:
                self.counters.headers_failed += 1
                continue
            begin = int(window[row]) + self._base
            self._pending.append(
                _Pending(
                    header=header,
                    header_symbols=sent[row],
                    window=begin,
                    cfo=float(cfo[row]),
                    end=begin + burst_length(header, layout) - layout.cp_len,
                    response=channel.response[row],
                    profile=channel.profile[row],
                    noise_var=float(noise[row]),
                    shape=shape[row],
                )
            )

    def _demodulate(self, ready: list[_Pending]) -> list[ReceivedBurst]:
        """Demodulate bursts whose samples are all here, those of equal length together."""
        by_length: dict[int, list[_Pending]] = {}
        for burst in ready:
            by_length.setdefault(payload_ofdm_symbols(burst.header.symbols, self.numerology), []).append(burst)
        bursts: list[ReceivedBurst] = []
        for rows, alike in by_length.items():
            together = max(1, min(_TOGETHER, _TOGETHER * 80 // (rows + 10)))
            for first in range(0, len(alike), together):
                bursts += self._demodulate_alike(alike[first : first + together], rows)
        self.counters.bursts += len(bursts)
        return sorted(bursts, key=lambda burst: burst.start)

    def _demodulate_alike(self, alike: list[_Pending], rows: int) -> list[ReceivedBurst]:
        layout = self.numerology
        head = header_ofdm_symbols(layout)
        opening, total = PREAMBLE_SYMBOLS + head, PREAMBLE_SYMBOLS + head + rows
        windows = np.array([burst.window - self._base for burst in alike])
        cfo = np.array([burst.cfo for burst in alike])
        spectrum = demodulate_rows(self._buffer, windows, cfo, total, layout)

        # All that is known of the burst, as observations of the channel.
        headers = np.stack([burst.header_symbols for burst in alike])
        training, pilots = preamble_carriers(layout), pilot_values(layout, 0, head + rows)
        places = pilot_places(layout, head, rows)
        early, late = observe(
            spectrum, headers, training, scramble(layout, 0, head), pilots, layout.used_bins, layout.data_index,
            layout.pilot_index, places,
        )  # fmt: skip
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
        bursts = []
        for row, burst in enumerate(alike):
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
                )
            )
        return bursts


def _equalised(
    spectrum: np.ndarray, course: ChannelCourse, head: int, layout: Numerology
) -> tuple[np.ndarray, np.ndarray]:
    """The payloads of bursts whose channels are known, and the noise variance of each symbol, as of `equalise`."""
    rows = course.late.shape[1]
    used, places = layout.used_carriers.astype(np.float32), pilot_places(layout, head, rows)
    # Phase noise, where the pilots show any.
    measured, strength = pilot_phases(course.late, course.response, course.shape, places)
    walk = smooth_walk(measured, strength * course.trust, course.noise_var)

    carrier_noise = course.noise_var[:, None] * course.shape
    inverse, noise_var = channel_inverse(course.response, course.variance, carrier_noise, walk.variance)
    excess = np.ones((len(inverse), rows), np.float32)
    if not course.trust.all():
        moments = np.arange(rows)[:, None] if course.response.shape[1] > 1 else 0
        excess = excess_noise(
            course.late, course.pilot_error, course.trust, course.response[:, moments, places], walk.phase,
            course.noise_var, course.shape, places,
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
    expected = opening * strength.sum(axis=1)
    snr_db = 10 * np.log10(np.maximum(power, 1e-30) / noise)
    return snr_db, 10 * np.log10(np.maximum(course.early_error / np.maximum(expected, 1e-30), 1e-12))


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
