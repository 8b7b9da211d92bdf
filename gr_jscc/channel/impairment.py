"""What all impairments of a stream of samples have in common."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence

import numpy as np

from gr_jscc.errors import UserError
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY

#: Mean power of a sample of our modulator while a burst lasts (used carriers of power 1 over all carriers). Levels in
#: dB are relative to it; ``mean_power`` of an impairment sets another.
MEAN_POWER = DEFAULT_NUMEROLOGY.used_count / DEFAULT_NUMEROLOGY.fft_size


class Impairment:
    """One thing that happens to samples on their way, as a function of a stream.

    Subclasses are dataclasses. Their fields are the parameters, checked when made and when changed; what they
    remember of the stream is kept apart, so that a parameter may change in mid-stream. What comes out does not depend
    on how the stream is cut into calls.

    Example:
        >>> @dataclasses.dataclass
        ... class Attenuation(Impairment):
        ...     factor: float = 0.5
        ...     def prepare(self):
        ...         check_number("factor", self.factor, low=0.0, high=1.0)
        ...     def process(self, samples):
        ...         return samples * np.float32(self.factor)
        >>> cable = Attenuation()
        >>> cable.change(factor=0.25)
        >>> cable.process(np.ones(2, np.complex64)).real.tolist()
        [0.25, 0.25]
    """

    #: Whether fewer or more samples may come out than went in.
    changes_length = False
    #: Samples by which the signal comes out late.
    delay = 0
    #: Whether it acts on whole bursts and wants to know where they begin.
    follows_bursts = False
    #: For one from outside: the stage of `gr_jscc.channel.scenario.STAGES` after which it happens in a scenario.
    happens_after = "interference"

    def __post_init__(self) -> None:
        self.prepare()
        self.reset()

    def prepare(self) -> None:
        """Checks the parameters and computes what follows from them.

        Raises:
            UserError: one makes no sense; the message begins with its name.
        """

    def reset(self) -> None:
        """Forgets the stream: the next sample is the first, and random numbers start again from the seed."""

    def mark(self, starts: Sequence[int]) -> None:
        """Tells where bursts begin: indexes into the samples that `process` is given next, ascending."""

    def process(self, samples: np.ndarray) -> np.ndarray:
        """The next samples complex64[n] of the stream, impaired: complex64[m]. The input is left as it was."""
        raise NotImplementedError

    def change(self, **values: object) -> None:
        """Sets parameters from the next sample on.

        Raises:
            UserError: unknown, or makes no sense; nothing has changed then.
        """
        names = [field.name for field in dataclasses.fields(self)]
        unknown = next((name for name in values if name not in names), None)
        if unknown is not None:
            raise UserError(f"unknown parameter {unknown!r}; known: {', '.join(names)}")
        before = {name: getattr(self, name) for name in values}
        try:
            for name, value in values.items():
                setattr(self, name, value)
            self.prepare()
        except UserError:
            for name, value in before.items():
                setattr(self, name, value)
            self.prepare()
            raise


def check_number(name: str, value: object, low: float = -math.inf, high: float = math.inf, above: bool = False) -> None:
    """Refuses what is no finite number in [low, high], or (low, high] if ``above``.

    Raises:
        UserError: with the parameter's name first.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if real and (low < value if above else low <= value) and value <= high:
        return
    bounds = []
    if low > -math.inf:
        bounds.append(f"above {low:g}" if above else f"at least {low:g}")
    if high < math.inf:
        bounds.append(f"at most {high:g}")
    raise UserError(f"{name} must be a number {' and '.join(bounds)}".rstrip() + f", not {value!r}")


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuses what is no whole number in [low, high].

    Raises:
        UserError: with the parameter's name first.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise UserError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuses what is none of the choices.

    Raises:
        UserError: with the parameter's name first.
    """
    if value not in choices:
        raise UserError(f"{name} must be {' or '.join(choices)}, not {value!r}")


def turned(samples: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """complex64[n] turned by float64[n] cycles."""
    # Whole turns go in double precision; cosine and sine in single take a tenth of a complex exponential's time.
    radians = ((cycles - np.rint(cycles)) * (2 * np.pi)).astype(np.float32)
    turn = np.empty(len(samples), np.complex64)
    np.cos(radians, out=turn.real)
    np.sin(radians, out=turn.imag)
    turn *= samples
    return turn


def amplitude(level_db: float, mean_power: float) -> float:
    """The amplitude that lies level_db above the mean power."""
    return math.sqrt(mean_power) * 10 ** (level_db / 20)
