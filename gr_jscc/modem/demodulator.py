"""A stream of samples to bursts of equalised symbols.

The stream is worked on in steps of a fixed number of samples counted from its beginning, so that what comes out does
not depend on how the samples came in, and many bursts share every numpy call. Nothing is carried from burst to burst:
each is found, aligned and estimated anew, so a gap, a jump in time or an interferer costs the bursts it touches and no
others.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .channel_estimation import CHANNEL_LEAD, estimate_channel
from .equaliser import channel_inverse, local_mean, outlying_symbols
from .header import HEADER_SYMBOLS, BurstHeader, decode_header_llr
from .layout import burst_length, header_ofdm_symbols, known_prefix, payload_ofdm_symbols, pilot_values, unscramble
from .numerology import DEFAULT_NUMEROLOGY, Numerology
from .phase import PhaseLine, coarse_slope, fit_header_phase, refine_line, smooth_walk, unit_turn
from .preamble import PREAMBLE_SIGNS, PREAMBLE_SYMBOLS, training_carriers
from .synchroniser import acquire, demodulate_rows, find_candidates, grid, metric_span

__all__ = ["DemodulatorCounters", "ReceivedBurst", "StreamDemodulator"]

# Bursts worked on together: enough to share numpy's overhead, few enough to stay in the cache.
_TOGETHER = 32
# A DC offset stands out when its power is this many times that of the mean of so many random samples.
_OFFSET_STANDS_OUT = 30.0
# Samples beyond this count as zero, as those do that are not finite; 16-bit samples left unscaled are far below.
_LARGEST = 1e7
# Radians per OFDM symbol that preamble and header may leave of the carrier offset.
_SLOPE_LEFT = 0.25


@dataclass(frozen=True)
class ReceivedBurst:
    """A burst as received.

    Attributes:
        header: its header, CRC checked.
        symbols: complex64[header.symbols], equalised, of unit gain and without bias, in the order of sending.
        noise_var: float32[header.symbols], variance of the complex error of each, for sent symbols of mean power 1.
        start: sample of the stream, counted from 0, at which the burst began.
        cfo: carrier frequency offset in cycles per sample.
        snr_db: Es/N0 per data subcarrier as received, before equalisation, in dB.
        evm_db: error of the known cells of preamble and header relative to their power, in dB.
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
        bursts: bursts handed out.
        truncated: bursts whose header was read but whose payload the end of the stream cut off.
    """

    samples: int = 0
    candidates: int = 0
    headers_failed: int = 0
    bursts: int = 0
    truncated: int = 0


@dataclass(frozen=True)
class _Pending:
    header: BurstHeader
    header_symbols: np.ndarray  # complex64[288], as sent
    window: int  # first sample of the FFT's first window, from the beginning of the stream
    cfo: float
    end: int  # first sample that the burst does not need
    response: np.ndarray  # complex64[used_count], the channel from the preamble alone
    profile: np.ndarray  # float64[taps], its prior variances
    noise_var: float  # of a carrier, from the preamble alone


@lru_cache(maxsize=1)
def _compile() -> None:
    """Have numba compile what it compiles (seconds, once on a machine) before samples are waiting."""
    decode_header_llr(np.zeros((1, HEADER_SYMBOLS), np.float32))
    used = DEFAULT_NUMEROLOGY.used_count
    estimate_channel(np.ones((1, used), np.complex64), np.ones((1, used)), np.ones(1), None, DEFAULT_NUMEROLOGY)


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
        ValueError: `step` is too small for the numerology.
    """

    def __init__(self, numerology: Numerology = DEFAULT_NUMEROLOGY, step: int = 65536) -> None:
        self.numerology = numerology
        self.counters = DemodulatorCounters()
        self._opening = (PREAMBLE_SYMBOLS + header_ofdm_symbols(numerology)) * numerology.symbol_len
        # After a candidate: the peaks it must beat, then its header, with room for the timing to move.
        self._ahead = max(
            metric_span(numerology) + 4 * numerology.symbol_len, self._opening + 3 * numerology.symbol_len
        )
        self._behind = 4 * numerology.symbol_len
        if step < self._ahead:
            raise ValueError(f"step must be at least {self._ahead} samples for this numerology, not {step}")
        self._step = int(step) // 4 * 4
        self._incoming: list[np.ndarray] = []
        self._waiting = 0
        self._offset = 0j
        self._restart(0)
        _compile()

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
        self._incoming.append(samples)
        self._waiting += len(samples)
        while self._waiting >= self._step:
            bursts += self._advance(self._take(self._step), last=False)
        return bursts

    def flush(self) -> list[ReceivedBurst]:
        """The stream has ended: hand out what is still inside. Another stream may follow, counted on from this one."""
        rest = self._take(self._waiting)
        end = self._base + len(self._buffer) + len(rest)
        bursts = self._advance(np.concatenate([rest, np.zeros(self._ahead, np.complex64)]), last=True, end=end)
        self._restart(end)
        return bursts

    def _take(self, count: int) -> np.ndarray:
        """The next samples, made fit to be worked on."""
        samples = np.concatenate(self._incoming) if len(self._incoming) != 1 else self._incoming[0]
        taken, rest = samples[:count], samples[count:]
        self._incoming, self._waiting = [rest], len(rest)
        parts = taken.view(np.float32)
        # One comparison finds what is not a number, infinite, or so large that no receiver can have meant it.
        if len(parts) and not (np.abs(parts).max() < _LARGEST):
            sound = (np.abs(taken.real) < _LARGEST) & (np.abs(taken.imag) < _LARGEST)
            taken = np.where(sound, taken, np.complex64(0))
        return taken - np.complex64(self._direct_current(taken))

    def _direct_current(self, samples: np.ndarray) -> complex:
        """The receiver's DC offset over a step; 0 unless it stands out, so that a clean signal is not touched.

        Unremoved, a carrier offset moves it from the empty carrier 0 onto data.
        """
        if len(samples) < self._step // 2 and self._offset:
            return self._offset
        if not len(samples):
            return 0j
        mean = complex(samples.mean())
        power = float(np.vdot(samples, samples).real) / len(samples)
        self._offset = mean if abs(mean) ** 2 > _OFFSET_STANDS_OUT * power / len(samples) else 0j
        return self._offset

    def _advance(self, samples: np.ndarray, last: bool, end: int = 0) -> list[ReceivedBurst]:
        self._buffer = np.concatenate([self._buffer, samples])
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
        count = len(acquired.window)
        if not count:
            return
        head = header_ofdm_symbols(layout)
        # Timing may have moved by a prefix or so; never out of the buffer.
        window = acquired.window.clip(0, len(self._buffer) - self._opening)
        carriers = demodulate_rows(self._buffer, window, acquired.cfo, PREAMBLE_SYMBOLS + head, layout)
        training = carriers[:, :PREAMBLE_SYMBOLS] * (PREAMBLE_SIGNS[:, None] * np.conj(training_carriers(layout)))
        mean = training.mean(axis=1)
        noise = np.square(np.abs(training - mean[:, None])).mean(axis=(1, 2)).astype(np.float64)
        noise *= PREAMBLE_SYMBOLS / (PREAMBLE_SYMBOLS - 1)
        counts = np.full(mean.shape, float(PREAMBLE_SYMBOLS))
        channel = estimate_channel(mean * PREAMBLE_SYMBOLS, counts, noise, None, layout, with_variance=False)
        matched = np.conj(channel.response)
        pilots = carriers[:, PREAMBLE_SYMBOLS:, layout.pilot_index] * pilot_values(layout, 0, head)
        correlations = np.concatenate(
            [(training * matched[:, None]).sum(axis=2), (pilots * matched[:, None, layout.pilot_index]).sum(axis=2)],
            axis=1,
        )
        offset, slope = fit_header_phase(correlations)
        turn = unit_turn(-(offset[:, None] + slope[:, None] * np.arange(PREAMBLE_SYMBOLS, PREAMBLE_SYMBOLS + head)))
        cells = carriers[:, PREAMBLE_SYMBOLS:, layout.data_index] * unscramble(layout, 0, head)
        soft = (cells * matched[:, None, layout.data_index] * turn[:, :, None]).real.reshape(count, -1)
        ratios = np.zeros((count, HEADER_SYMBOLS), np.float32)
        for first in range(0, soft.shape[1], HEADER_SYMBOLS):
            part = soft[:, first : first + HEADER_SYMBOLS]
            ratios[:, : part.shape[1]] += part
        ratios /= np.maximum(np.abs(ratios).mean(axis=1, keepdims=True), 1e-30)
        headers, sent = decode_header_llr(ratios)
        self.counters.candidates += len(headers)
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
        carriers = demodulate_rows(self._buffer, windows, cfo, total, layout)

        # All that is known of the burst, as observations of the channel.
        known = known_prefix(layout, np.stack([burst.header_symbols for burst in alike]))
        early = carriers[:, :opening] * np.conj(known)
        late = carriers[:, opening:, layout.pilot_index] * pilot_values(layout, head, rows)
        middle = (total - 1) / 2
        symbols = np.arange(total) - middle
        used, pilot = layout.used_carriers.astype(np.float64), np.array(layout.pilot_carriers, np.float64)
        # Weights of the OFDM symbols; those that an interferer hit, or that a gap in the stream shifted, go to zero.
        trust_early, trust = np.ones((len(alike), opening)), np.ones((len(alike), rows))

        response = np.stack([burst.response for burst in alike])
        profile = np.stack([burst.profile for burst in alike])
        noise = np.array([burst.noise_var for burst in alike])
        correlations = np.concatenate(
            [
                (early * np.conj(response)[:, None]).sum(axis=2),
                (late * np.conj(response)[:, None, layout.pilot_index]).sum(axis=2),
            ],
            axis=1,
        )
        slope = coarse_slope(correlations, _SLOPE_LEFT)
        offset = np.angle((correlations * np.exp(-1j * slope[:, None] * symbols)).sum(axis=1))
        line = PhaseLine(offset, slope, np.zeros(len(alike)))
        turned_early = line.apply(early, symbols[:opening], used)
        turned_late = line.apply(late, symbols[opening:], pilot)
        for last in (False, True):
            parts = [
                (turned_early, trust_early, response, symbols[:opening], used),
                (turned_late, trust, response[:, layout.pilot_index], symbols[opening:], pilot),
            ]
            line = refine_line(line, parts, noise, layout)
            turned_early = line.apply(early, symbols[:opening], used)
            turned_late = line.apply(late, symbols[opening:], pilot)
            sums = turned_early.sum(axis=1)
            sums[:, layout.pilot_index] += (turned_late * trust[:, :, None].astype(np.float32)).sum(axis=1)
            counts = np.full((len(alike), layout.used_count), float(opening))
            counts[:, layout.pilot_index] += trust.sum(axis=1, keepdims=True)
            estimate = estimate_channel(sums, counts, noise, profile, layout, steps=1, with_variance=last)
            response, profile = estimate.response, estimate.profile
            left_early = turned_early - response[:, None]
            left_late = turned_late - response[:, None, layout.pilot_index]
            early_error = np.square(np.abs(left_early)).sum(axis=(1, 2), dtype=np.float64)
            late_error = np.square(np.abs(left_late)).sum(axis=2, dtype=np.float64)
            early_noise = early_error / np.maximum(opening * layout.used_count - estimate.freedom, 1)
            if not last:
                trust = (~outlying_symbols(late_error / layout.pilot_count, early_noise, layout.pilot_count)).astype(
                    float
                )
            cells = opening * layout.used_count + trust.sum(axis=1) * layout.pilot_count
            error = early_error + (late_error * trust).sum(axis=1)
            noise = np.maximum(error / (cells - estimate.freedom - 1.5), 1e-30)

        # Phase noise, where the pilots show any.
        strength = np.square(np.abs(response[:, layout.pilot_index])).sum(axis=1).astype(np.float64)
        measured = (turned_late * np.conj(response)[:, None, layout.pilot_index]).sum(axis=2)
        walk = smooth_walk(np.angle(measured) * trust, noise / (2 * np.maximum(strength, 1e-30)))

        inverse, noise_var = channel_inverse(
            response[:, layout.data_index], estimate.variance[:, layout.data_index], noise
        )
        data = np.array(layout.data_carriers, np.float64)
        cells = carriers[:, opening:, layout.data_index] * inverse[:, None]
        cells *= unscramble(layout, head, rows)
        payload = line.apply(cells, symbols[opening:], data, walk.phase)
        noise_var = noise_var + walk.variance[:, None].astype(np.float32)
        excess = np.where(
            trust > 0, 1, local_mean(late_error / layout.pilot_count, layout.pilot_count) / noise[:, None]
        )
        spread = noise_var[:, None] * np.maximum(excess, 1).astype(np.float32)[:, :, None]

        power = (np.square(np.abs(response)) + estimate.variance)[:, layout.data_index].mean(axis=1)
        snr_db = 10 * np.log10(np.maximum(power, 1e-30) / noise)
        evm = np.square(np.abs(left_early)).mean(axis=(1, 2)) / np.maximum(
            np.square(np.abs(response)).mean(axis=1), 1e-30
        )
        evm_db = 10 * np.log10(np.maximum(evm, 1e-12))
        cfo = cfo + line.slope / (2 * np.pi * layout.symbol_len)
        lead = min(CHANNEL_LEAD, layout.cp_len // 8)
        bursts = []
        for row, burst in enumerate(alike):
            count = burst.header.symbols
            bursts.append(
                ReceivedBurst(
                    header=burst.header,
                    symbols=payload[row].reshape(-1)[:count].copy(),
                    noise_var=spread[row].reshape(-1)[:count].copy(),
                    start=max(0, burst.window - layout.cp_len + lead),
                    cfo=float(cfo[row]),
                    snr_db=float(snr_db[row]),
                    evm_db=float(evm_db[row]),
                )
            )
        return bursts
