"""What a device can do, and whether a profile asks for more; both APIs' devices are asked before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gr_jscc.radio.address import RadioError

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile

STEP_TOLERANCE = 1e-3  # of a step by which a gain may lie beside it
OCCUPIED = 52 / 64  # of the sample rate that a burst takes, see `gr_jscc.modem.numerology`


@dataclass(frozen=True)
class Range:
    """Values from low to high, every one or in steps.

    Example:
        >>> 16.0 in Range(0.0, 40.0, step=8.0), 20.0 in Range(0.0, 40.0, step=8.0)
        (True, False)
    """

    low: float
    high: float
    step: float = 0.0

    def __contains__(self, value: float) -> bool:
        if not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) <= STEP_TOLERANCE


@dataclass(frozen=True)
class Limits:
    """What one direction of a device can do; an empty list stands for what it does not tell.

    Attributes:
        rates: samples per second.
        frequencies: Hz.
        gains: dB by stage.
        antennas, clock_sources: names.

    Example:
        >>> check_gain(Limits(gains={"VGA": Range(0.0, 62.0, 2.0)}), "VGA", 63.0)
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: the gain stage VGA does not take 63 dB; possible: 0 to 62 in steps of 2 dB
    """

    rates: Sequence[Range] = ()
    frequencies: Sequence[Range] = ()
    gains: dict[str, Range] = field(default_factory=dict)
    antennas: Sequence[str] = ()
    clock_sources: Sequence[str] = ()


def check_limits(limits: Limits, profile: Profile, direction: Literal["tx", "rx"]) -> None:
    """Checks a profile's settings against a device.

    Raises:
        RadioError: the first thing that it cannot do, and what it can.
    """
    table, stream = profile.direction(direction), profile.stream
    check_rate(limits, stream.sample_rate)
    check_frequency(limits, table.frequency)
    check_frequency(limits, table.frequency + table.lo_offset)
    for stage, gain in table.gains.items():
        check_gain(limits, stage, gain)
    _check_name("antenna", table.antenna, limits.antennas)
    _check_name("clock source", stream.clock_source, limits.clock_sources)


def check_rate(limits: Limits, rate: float) -> None:
    """Raises: RadioError: the device has no such sample rate."""
    if limits.rates and not any(rate in allowed for allowed in limits.rates):
        raise RadioError(f"the device has no sample rate of {rate / 1e6:g} Msps; {_listed(limits.rates, 1e6, 'Msps')}")


def check_frequency(limits: Limits, frequency: float) -> None:
    """Raises: RadioError: the device does not tune there."""
    if limits.frequencies and not any(frequency in allowed for allowed in limits.frequencies):
        allowed = _listed(limits.frequencies, 1e6, "MHz")
        raise RadioError(f"the device does not tune to {frequency / 1e6:g} MHz; {allowed}")


def check_gain(limits: Limits, stage: str, gain: float) -> None:
    """Raises: RadioError: the device has no such stage, or not this gain of it."""
    if stage not in limits.gains:
        stages = ", ".join(limits.gains) or "none"
        raise RadioError(f"the device has no gain stage {stage!r}; it has {stages}")
    if gain not in limits.gains[stage]:
        raise RadioError(f"the gain stage {stage} does not take {gain:g} dB; {_listed([limits.gains[stage]], 1, 'dB')}")


def check_shift(lo_offset: float, sample_rate: float) -> None:
    """Checks an offset of the local oscillator that is made up for digitally.

    Raises:
        RadioError: the burst would not lie within the band.
    """
    room = (1 - OCCUPIED) / 2 * sample_rate
    if abs(lo_offset) > room:
        raise RadioError(
            "the device cannot offset its local oscillator by itself, and with a lo_offset of "
            f"{lo_offset / 1e3:g} kHz bursts do not fit into {sample_rate / 1e6:g} Msps; use at most {room / 1e3:g} "
            "kHz"
        )


def _check_name(what: str, name: str, known: Sequence[str]) -> None:
    if name and known and name not in known:
        raise RadioError(f"the device has no {what} {name!r}; it has {', '.join(known)}")


def in_words(ranges: Sequence[Range], unit: float, name: str) -> str:
    """Ranges for people.

    Args:
        ranges: of values.
        unit: value of what ``name`` names, such as 1e6 for MHz.
    """
    words = []
    for allowed in _joined(ranges):
        text = f"{allowed.low / unit:g}"
        if allowed.high > allowed.low:
            text += f" to {allowed.high / unit:g}"
        if allowed.step and allowed.high - allowed.low > allowed.step:
            text += f" in steps of {allowed.step / unit:g}"
        words.append(text)
    return ", ".join(words) + f" {name}"


def _listed(ranges: Sequence[Range], unit: float, name: str) -> str:
    return f"possible: {in_words(ranges, unit, name)}"


def _joined(ranges: Sequence[Range]) -> Sequence[Range]:
    """Single values at equal distances as one range in steps."""
    values = sorted(allowed.low for allowed in ranges if allowed.low == allowed.high)
    steps = {round(after - before, 3) for before, after in zip(values, values[1:])}
    if len(values) < len(ranges) or len(values) < 3 or len(steps) > 1:
        return ranges
    return [Range(values[0], values[-1], steps.pop())]
