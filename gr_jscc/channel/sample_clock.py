"""Two hosts' sample clocks: a resampler for tiny rate differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from gr_jscc.channel.impairment import Impairment, check_number

TAPS = 32
ORDER = 6  # of the polynomials in the fractional delay
_FRAME = 64  # positions that one row of the filters' matrix product covers
_TOGETHER = 4096  # samples interpolated at once: few enough to stay in the cache
_BANDWIDTH = 0.42  # cycles per sample up to which the design is fitted; the signal ends at 26/64 = 0.41


@cache
def farrow_taps() -> np.ndarray:
    """Fractional delay filters: float32[TAPS, ORDER + 1].

    Tap k at a delay of d ∈ [-½, ½] from the middle is Σ_p c[k, p] (2d)^p (Farrow, "A continuously variable digital
    delay element", ISCAS 1988). For each of many d the taps are the least-squares fit of exp(j ω d) over the band; the
    polynomials are fitted to those.
    """
    delays = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2
    place = np.arange(TAPS) - (TAPS // 2 - 1)
    lags = place[:, None] - place[None, :]
    # Normal equations of the fit over |ω| < 2π·bandwidth have a closed form in sinc.
    gram = 2 * _BANDWIDTH * np.sinc(2 * _BANDWIDTH * lags) + 1e-10 * np.eye(TAPS)
    wanted = 2 * _BANDWIDTH * np.sinc(2 * _BANDWIDTH * (place[:, None] - (delays + 0.5)[None, :]))
    taps = np.linalg.solve(gram, wanted)
    powers = (2 * delays[:, None]) ** np.arange(ORDER + 1)
    return np.linalg.lstsq(powers, taps.T, rcond=None)[0].T.astype(np.float32)


@cache
def _frame_filter() -> np.ndarray:
    """All filters of `farrow_taps` at each of _FRAME positions: float32[_FRAME + TAPS - 1, (ORDER + 1) * _FRAME]."""
    matrix = np.zeros((_FRAME + TAPS - 1, ORDER + 1, _FRAME), np.float32)
    for position in range(_FRAME):
        matrix[position : position + TAPS, :, position] = farrow_taps()
    return matrix.reshape(len(matrix), -1)


def _branches(parts: np.ndarray) -> np.ndarray:
    """The filters' outputs over float32[2, n + TAPS - 1], as one matrix product: float32[ORDER + 1, 2, at least n]."""
    frames = -(-(parts.shape[1] - TAPS + 1) // _FRAME)
    padded = np.zeros((2, frames * _FRAME + TAPS - 1), np.float32)
    padded[:, : parts.shape[1]] = parts
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FRAME + TAPS - 1, axis=1)[:, ::_FRAME]
    out = windows.reshape(2 * frames, -1) @ _frame_filter()
    return np.moveaxis(out.reshape(2, frames, ORDER + 1, _FRAME), 2, 0).reshape(ORDER + 1, 2, -1)


@dataclass
class SampleOffset(Impairment):
    """Sample clock offset: y[m] = x(m (1 + ppm·10⁻⁶) - 16), x interpolated between its samples.

    A positive offset is a receiver whose clock is slow: fewer samples come out. The signal comes 16 samples late.
    Up to 0.41 cycles per sample (all used carriers) the interpolation error is under -80 dB; above, it grows.

    Attributes:
        ppm: offset, parts per million.

    Example:
        >>> import numpy as np
        >>> longer = SampleOffset(ppm=-1000.0).process(np.ones(100_000, np.complex64))
        >>> bool(abs(len(longer) - 100_100) < 50 or abs(len(longer) - 99_900) < 50)
        True
    """

    changes_length = True
    delay = TAPS // 2

    ppm: float

    def prepare(self) -> None:
        check_number("ppm", self.ppm, -10_000, 10_000)
        self._excess = self.ppm * 1e-6

    def reset(self) -> None:
        self._buffer = np.zeros((2, TAPS - 1), np.float32)  # real and imaginary parts of the past, then what is new
        self._whole, self._part = 0, 0.0  # where in the buffer the next sample is interpolated

    def process(self, samples: np.ndarray) -> np.ndarray:
        parts = np.stack([samples.real, samples.imag])
        self._buffer = np.concatenate([self._buffer, parts.astype(np.float32, copy=False)], axis=1)
        # y at position p needs the samples p ... p + TAPS - 1 of the buffer.
        room = self._buffer.shape[1] - TAPS - self._whole
        count = max(0, int((room + 1) / (1 + self._excess)) + 2)
        drift = self._part + self._excess * np.arange(count + 1)
        slips = np.floor(drift)
        whole = self._whole + np.arange(count + 1) + slips.astype(np.int64)
        count = min(count, int(np.searchsorted(whole, self._buffer.shape[1] - TAPS, side="right")))
        out = np.empty(count, np.complex64)
        for first in range(0, count, _TOGETHER):
            part = slice(first, min(first + _TOGETHER, count))
            place = whole[part]
            begin, positions = int(place[0]), int(place[-1] - place[0]) + 1
            branches = _branches(self._buffer[:, begin : begin + positions + TAPS - 1])
            place = slice(0, positions) if positions == len(place) else place - begin
            delay = (2 * (drift[part] - slips[part]) - 1).astype(np.float32)
            total = branches[ORDER][:, place]
            for power in range(ORDER - 1, -1, -1):
                total = total * delay + branches[power][:, place]
            out.real[part], out.imag[part] = total
        self._part = float(drift[count] - slips[count])
        keep = int(min(whole[count], self._buffer.shape[1]))
        self._whole = int(whole[count]) - keep
        self._buffer = self._buffer[:, keep:]
        return out
