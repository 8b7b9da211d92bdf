"""Echoes and fading: fixed taps, taps drawn anew block by block, and taps that move with a Doppler spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are used

from gr_jscc.channel.impairment import Impairment, check_number, check_whole
from gr_jscc.channel.profiles import taps as named_taps
from gr_jscc.errors import UserError

MOST_TAPS = 4096
_SINUSOIDS = 32  # that make up one moving tap
_TURN = 0.01  # cycles that a moving tap's fastest sinusoid turns between the points that are interpolated
_LONGEST_STEP = 1024  # samples between those points
_SHORT = 48  # taps up to which adding echo by echo is faster than an FFT


def exponential_profile(delay_spread: float) -> np.ndarray:
    """Mean powers of taps one sample apart, exponentially falling: float64[n], sum 1.

    P[k] ∝ q^k, with q such that the rms delay spread of the endless profile, √q/(1 - q), is the one wanted; taps more
    than 40 dB below the first are left out.

    Args:
        delay_spread: rms, samples; 0 for a single tap.
    """
    if delay_spread == 0:
        return np.ones(1)
    root = (math.sqrt(1 + 4 * delay_spread**2) - 1) / (2 * delay_spread)
    powers = root ** (2 * np.arange(1 + math.floor(math.log(1e-4) / (2 * math.log(root)))))
    return powers / powers.sum()


class _Echoes(Impairment):
    """Keeps the past that echoes need."""

    def reset(self) -> None:
        self._past = np.zeros(0, np.complex64)

    def _with_past(self, samples: np.ndarray, count: int) -> np.ndarray:
        """The samples after the last ``count`` before them."""
        if len(self._past) < count:
            self._past = np.concatenate([np.zeros(count - len(self._past), np.complex64), self._past])
        longer = np.concatenate([self._past, samples])
        self._past = longer[len(samples) :].copy()
        return longer[len(longer) - len(samples) - count :]


def _filtered(longer: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Taps complex64[k] over complex64[n + k - 1]: complex64[n], the echoes of the past included."""
    count = len(longer) - len(taps) + 1
    if len(taps) > _SHORT and count > 0:
        return scipy.signal.oaconvolve(longer, taps, mode="valid").astype(np.complex64, copy=False)
    out = np.zeros(count, np.complex64)
    for delay in np.flatnonzero(taps):
        begin = len(taps) - 1 - delay
        out += longer[begin : begin + count] * taps[delay]
    return out


@dataclass
class Multipath(_Echoes):
    """Fixed echoes: y[n] = Σ h[k] x[n-k].

    Attributes:
        taps: h, one a sample: numbers or pairs [real, imaginary]; or the name of a channel (see
            `gr_jscc.channel.profiles`), whose mean gain over the data carriers is 1.

    Example:
        >>> import numpy as np
        >>> Multipath([1, 0.5j]).process(np.array([1, 0, 0], np.complex64)).tolist()
        [(1+0j), 0.5j, 0j]
    """

    taps: Sequence[complex] | Sequence[Sequence[float]] | str

    def prepare(self) -> None:
        self._taps = named_taps(self.taps) if isinstance(self.taps, str) else _as_taps(self.taps)

    def process(self, samples: np.ndarray) -> np.ndarray:
        return _filtered(self._with_past(samples, len(self._taps) - 1), self._taps)


def _as_taps(values: object) -> np.ndarray:
    try:
        taps = np.array([_as_tap(value) for value in values], np.complex64)
    except (TypeError, ValueError):
        taps = np.zeros(0, np.complex64)
    if not 1 <= len(taps) <= MOST_TAPS or not np.isfinite(taps).all() or not taps.any():
        raise UserError(f"taps must be 1 to {MOST_TAPS} numbers or pairs [real, imaginary], not {values!r:.60}")
    return taps


def _as_tap(value: object) -> complex:
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(part, (bool, str)) for part in parts):  # which Python would take for numbers
        raise TypeError("not a number")
    return complex(*parts)


@dataclass
class BlockFading(_Echoes):
    """Rayleigh fading that stands still for a block: taps h[k] ~ CN(0, P[k]) drawn anew for each.

    P is an exponential profile of sum 1, so the mean power gain is 1.

    Attributes:
        delay_spread: rms, samples; 0 is flat fading. Of a spread of 2, 98 % of the power is in the first 8 taps and
            99.96 % in the first 16.
        block: samples of a block; 0 draws anew for every burst.
        seed: of the taps.

    Example:
        >>> import numpy as np
        >>> gains = [BlockFading(seed=seed).process(np.ones(1, np.complex64))[0] for seed in range(400)]
        >>> bool(0.8 < np.mean(np.abs(gains) ** 2) < 1.2)
        True
    """

    follows_bursts = True

    delay_spread: float = 0.0
    block: int = 0
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("delay_spread", self.delay_spread, 0, 200)
        check_whole("block", self.block, 0, 2**62)
        self._scale = np.sqrt(exponential_profile(self.delay_spread) / 2)

    def reset(self) -> None:
        super().reset()
        self._rng = np.random.default_rng(self.seed)
        self._taps: np.ndarray | None = None
        self._since = 0  # samples that this block has had
        self._starts: list[int] = []

    def mark(self, starts: Sequence[int]) -> None:
        self._starts = sorted(starts)

    def process(self, samples: np.ndarray) -> np.ndarray:
        if self._taps is None:
            self._draw()
        if self.block:
            starts = range(max(0, self.block - self._since), len(samples), self.block)
        else:
            starts = [start for start in self._starts if 0 <= start < len(samples)]
        self._starts = []
        parts, done = [], 0
        for end in [*starts, len(samples)]:
            part = samples[done:end]
            parts.append(_filtered(self._with_past(part, len(self._taps) - 1), self._taps))
            self._since += len(part)
            if end < len(samples):
                self._draw()
            done = end
        return np.concatenate(parts)

    def _draw(self) -> None:
        parts = self._rng.standard_normal((len(self._scale), 2)) * self._scale[:, None]
        self._taps = (parts[:, 0] + 1j * parts[:, 1]).astype(np.complex64)
        self._since = 0


@dataclass
class DopplerFading(_Echoes):
    """Rayleigh fading of a moving receiver among scatterers all round (Clarke): E[h(t) h*(t+τ)] = J0(2π fd τ).

    Each tap is a sum of 32 sinusoids of random phases whose angles of arrival are random within equal sectors (Xiao,
    Zheng and Beaulieu, "Novel sum-of-sinusoids simulation models for Rayleigh and Rician fading channels", IEEE Trans.
    Wireless Commun. 2006), computed at points a hundredth of the fastest turn apart and interpolated linearly between.

    Attributes:
        doppler_hz: fd, the speed times the carrier frequency over the speed of light.
        delay_spread: rms of the exponential profile, samples; 0 is flat fading.
        sample_rate: Hz.
        seed: of angles and phases.

    Example:
        >>> import numpy as np
        >>> gain = DopplerFading(doppler_hz=50.0, sample_rate=1e4, seed=1).process(np.ones(10_000, np.complex64))
        >>> bool(np.abs(gain).std() > 0.1)
        True
    """

    doppler_hz: float
    delay_spread: float = 0.0
    sample_rate: float = 1e6
    seed: int | list[int] = 1

    def prepare(self) -> None:
        check_number("sample_rate", self.sample_rate, 0, above=True)
        check_number("doppler_hz", self.doppler_hz, 0, self.sample_rate / 10)
        check_number("delay_spread", self.delay_spread, 0, 200)
        if hasattr(self, "_phases"):  # in mid-stream: turn on from where the taps are
            self._phases = (self._phases + self._turns * self._cosines * self._position) % 1.0
            self._position = 0
        self._scale = np.sqrt(exponential_profile(self.delay_spread) / _SINUSOIDS)
        self._turns = self.doppler_hz / self.sample_rate
        self._step = max(1, int(_TURN / self._turns)) if self._turns * _LONGEST_STEP > _TURN else _LONGEST_STEP

    def reset(self) -> None:
        super().reset()
        draws = np.random.default_rng(self.seed).random((2, MOST_TAPS, _SINUSOIDS))
        self._cosines = np.cos(2 * np.pi * (np.arange(_SINUSOIDS) + draws[0]) / _SINUSOIDS)
        self._phases = draws[1]
        self._position = 0

    def _points(self, first: int, count: int) -> np.ndarray:
        """The taps at every `_step` samples from point number ``first`` on: complex64[taps, count]."""
        return self._at(self._turns * self._step * (first + np.arange(count)))

    def _at(self, turns: np.ndarray) -> np.ndarray:
        """The taps when the fastest sinusoid could have made so many turns, float64[n]: complex64[taps, n]."""
        taps = len(self._scale)
        cycles = self._cosines[:taps, :, None] * turns + self._phases[:taps, :, None]
        return (np.exp(2j * np.pi * cycles).sum(axis=1) * self._scale[:, None]).astype(np.complex64)

    def taps_at(self, places: np.ndarray) -> np.ndarray:
        """The taps at samples float[n], counted from the beginning or the last change: complex64[taps, n]."""
        return self._at(self._turns * np.asarray(places, float))

    def process(self, samples: np.ndarray) -> np.ndarray:
        count = len(samples)
        if not count:
            return samples.copy()
        longer = self._with_past(samples, len(self._scale) - 1)
        first, begin = divmod(self._position, self._step)
        points = self._points(first, (begin + count - 1) // self._step + 2)
        slopes = np.diff(points, axis=1)
        between = (np.arange(self._step) / self._step).astype(np.float32)
        out = np.zeros(count, np.complex64)
        for delay in range(len(points)):
            gain = slopes[delay][:, None] * between
            gain += points[delay][:-1, None]
            late = len(points) - 1 - delay
            out += gain.reshape(-1)[begin : begin + count] * longer[late : late + count]
        self._position += count
        return out
