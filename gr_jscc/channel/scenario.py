"""A channel in words: tables of impairments, as in a TOML file, that may change with time.

A scenario looks like this; every table may be left out, and so may every key with a default:

    sample_rate = 1e6     # Hz, for what is in Hz or seconds
    seed = 1              # of everything random

    [awgn]
    snr_db = 10           # Es/N0 per data subcarrier
    [sfo]
    ppm = 20
    [multipath]
    taps = [1, 0, [0.3, -0.2]]

    [[segment]]           # from 2 s on: noise as follows, no more echoes, the rest as before
    start = 2.0
    multipath = false
    awgn = { snr_db = 3 }

The tables are the keys of `STAGES`, their keys the parameters of the classes there. They happen in the order of
`STAGES`, which is that of a radio link, whatever their order in the file. An impairment from outside is a table named
as an installed package announces it (entry points ``gr_jscc.impairments``) or by its class,
``["path/to/file.py:Class"]``; `Impairment.happens_after` says where it belongs.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gr_jscc.channel.chain import Chain
from gr_jscc.channel.fading import BlockFading, DopplerFading, Multipath
from gr_jscc.channel.front_end import Clipping, DcOffset, IqImbalance, PowerAmplifier, Quantiser
from gr_jscc.channel.impairment import Impairment, check_number, check_whole
from gr_jscc.channel.interference import Interference
from gr_jscc.channel.losses import BurstLoss, DroppedSamples
from gr_jscc.channel.noise import Awgn
from gr_jscc.channel.oscillator import CarrierOffset, FreeOscillator, PhaseNoise
from gr_jscc.channel.sample_clock import SampleOffset
from gr_jscc.errors import UserError
from gr_jscc.files.toml import read_toml
from gr_jscc.plugins import Group, absolute_place

#: What a scenario may hold, from the transmitter's amplifier to the receiver's host.
STAGES: dict[str, type[Impairment]] = {
    "clipping": Clipping,
    "amplifier": PowerAmplifier,
    "loss": BurstLoss,
    "multipath": Multipath,
    "block_fading": BlockFading,
    "doppler_fading": DopplerFading,
    "interference": Interference,
    "cfo": CarrierOffset,
    "phase_noise": PhaseNoise,
    "free_oscillator": FreeOscillator,
    "sfo": SampleOffset,
    "awgn": Awgn,
    "iq_imbalance": IqImbalance,
    "dc_offset": DcOffset,
    "quantiser": Quantiser,
    "drops": DroppedSamples,
}
_COMMON = ("seed", "sample_rate")  # parameters that the whole scenario shares
_ORDER = list(STAGES)


class ScenarioError(UserError):
    """A scenario that cannot be read or makes no sense; the message is one line for a person.

    Example:
        >>> Scenario({"awgn": {"snr_db": "high"}})
        Traceback (most recent call last):
            ...
        gr_jscc.channel.scenario.ScenarioError: awgn: snr_db must be a number at least -100 and at most 200, not 'high'
    """


PLUGINS = Group(
    "impairment", "gr_jscc.impairments", {key: (stage.__module__, stage.__name__) for key, stage in STAGES.items()},
    ScenarioError,
)  # fmt: skip


def stage_class(name: str) -> type[Impairment]:
    """The impairment of a name in `STAGES`, or one from outside.

    Raises:
        ScenarioError: there is none, it cannot be imported, or it is no impairment.
    """
    if name in STAGES:
        return STAGES[name]
    found = PLUGINS.find(name)
    if not isinstance(found, type) or not issubclass(found, Impairment) or not dataclasses.is_dataclass(found):
        raise ScenarioError(f"impairment {name}: it must be a dataclass and a subclass of gr_jscc.channel.Impairment")
    if found.happens_after not in STAGES:
        raise ScenarioError(f"impairment {name}: happens_after must be one of {', '.join(STAGES)}")
    return found


def _place(name: str) -> tuple[int, str]:
    """Where in the chain a stage belongs, to sort by."""
    return (_ORDER.index(name), "") if name in STAGES else (_ORDER.index(stage_class(name).happens_after), name)


class Scenario(Impairment):
    """A chain that is described by tables and changes with time; an `Impairment` itself.

    A stage that stays, or of which only parameters change, goes on where it was: its phase, its echoes and its random
    numbers do not start anew.

    Args:
        tables: parameters by name of the stage, see `STAGES`.
        changes: pairs of a time in seconds, ascending, and the tables that change then; None or False takes a stage
            away.
        sample_rate: Hz, of the samples that go in.
        seed: of everything random; every stage draws for itself.
        name: what reports call it.

    Raises:
        ScenarioError: unknown names, wrong types, values out of range.

    Example:
        >>> import numpy as np
        >>> room = Scenario({"multipath": {"taps": [1, 0.3]}, "awgn": {"snr_db": 15}}, seed=1, name="room")
        >>> "awgn" in room, room.process(np.ones(100, np.complex64)).shape
        (True, (100,))
    """

    def __init__(
        self,
        tables: Mapping[str, Mapping | None] | None = None,
        changes: Sequence[tuple[float, Mapping]] = (),
        sample_rate: float = 1e6,
        seed: int = 1,
        name: str = "scenario",
    ) -> None:
        self.name = name
        try:
            check_number("sample_rate", sample_rate, 0, above=True)
            check_whole("seed", seed, 0, 2**63 - 1)
        except UserError as error:
            raise ScenarioError(str(error)) from error
        self.sample_rate, self.seed = float(sample_rate), int(seed)
        self._first = dict(tables or {})
        self._changes = [(float(start), dict(values)) for start, values in changes]
        for values in (self._first, *(values for _, values in self._changes)):
            for name, table in values.items():
                self._make(name, table)
        self.changes_length = self.follows_bursts = True  # of some time, perhaps
        self.reset()

    def reset(self) -> None:
        self._stages: dict[str, Impairment] = {}
        self.chain, self.delay = Chain([]), 0
        self._position, self._due = 0, 0
        self._starts: list[int] = []
        for name, table in self._first.items():
            self.set(name, table)

    def set(self, name: str, table: Mapping | None) -> None:
        """Sets one stage's parameters from the next sample on; None or False takes it away.

        Raises:
            ScenarioError: as when made; nothing has changed then.
        """
        made = self._make(name, table)
        if made is None:
            self._stages.pop(name, None)
        elif name in self._stages:
            fields = [field.name for field in dataclasses.fields(made) if field.name not in _COMMON]
            self._stages[name].change(**{field: getattr(made, field) for field in fields})
        else:
            self._stages[name] = made
        self.chain = Chain([self._stages[key] for key in sorted(self._stages, key=_place)])
        self.delay = self.chain.delay

    def fill(self, **tables: Mapping) -> None:
        """Adds stages that the scenario does not begin with, from its beginning on. Forgets the stream.

        Raises:
            ScenarioError: as when made.
        """
        for name, table in tables.items():
            self._make(name, table)
        self._first = tables | self._first
        self.reset()

    def __contains__(self, name: str) -> bool:
        """Whether there is such a stage at any time."""
        return any(name in values for values in (self._first, *(values for _, values in self._changes)))

    def mark(self, starts: Sequence[int]) -> None:
        self._starts = sorted(starts)

    def process(self, samples: np.ndarray) -> np.ndarray:
        parts, done = [], 0
        while True:
            while self._due < len(self._changes) and self._begins(self._due) <= self._position:
                for name, table in self._changes[self._due][1].items():
                    self.set(name, table)
                self._due += 1
            end = len(samples)
            if self._due < len(self._changes):
                end = min(end, done + self._begins(self._due) - self._position)
            self.chain.mark([start - done for start in self._starts if done <= start < end])
            parts.append(self.chain.process(samples[done:end]))
            self._position += end - done
            if end == len(samples):
                break
            done = end
        self._starts = []
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _begins(self, change: int) -> int:
        return round(self._changes[change][0] * self.sample_rate)

    def _make(self, name: str, table: Mapping | None) -> Impairment | None:
        """A stage from its table, None from None or False."""
        stage = stage_class(name)
        if table is None or table is False:
            return None
        if not isinstance(table, Mapping):
            raise ScenarioError(f"{name} must be a table of parameters, not {table!r}")
        fields = {field.name: field for field in dataclasses.fields(stage)}
        known = [key for key in fields if key not in _COMMON]
        for key in table:
            if key not in known:
                raise ScenarioError(f"{name}: unknown key {key!r}; known: {', '.join(known)}")
        for key in known:
            if fields[key].default is dataclasses.MISSING and key not in table:
                raise ScenarioError(f"{name}: {key} is missing")
        shared = {"sample_rate": self.sample_rate, "seed": [self.seed, _stream(name)]}
        try:
            return stage(**table, **{key: value for key, value in shared.items() if key in fields})
        except UserError as error:
            raise ScenarioError(f"{name}: {error}") from error


def _stream(name: str) -> int:
    """Which random numbers a stage draws."""
    return _ORDER.index(name) if name in STAGES else len(_ORDER) + zlib.crc32(name.rpartition("/")[2].encode())


def _placed(tables: Mapping, folder: str | Path) -> dict:
    return {absolute_place(name, folder): table for name, table in tables.items()}


def parse_scenario(values: Mapping, folder: str | Path = ".") -> Scenario:
    """A scenario from what a TOML file holds.

    Args:
        values: by key.
        folder: to which the files of impairments from outside are relative.

    Raises:
        ScenarioError: an unknown key, a wrong type or a value out of range; the message is one line for a person.
    """
    tables = _placed(values, folder)
    common = {key: tables.pop(key) for key in ("sample_rate", "seed") if key in tables}
    segments = tables.pop("segment", [])
    if not isinstance(segments, list) or not all(isinstance(segment, Mapping) for segment in segments):
        raise ScenarioError("segment must be a list of tables: [[segment]]")
    changes, before = [], 0.0
    for number, segment in enumerate(segments, 1):
        changed = _placed(segment, folder)
        if "start" not in changed:
            raise ScenarioError(f"segment {number}: start is missing")
        start = changed.pop("start")
        try:
            check_number("start", start, before)
        except UserError as error:
            raise ScenarioError(f"segment {number}: {error}") from error
        before = start
        changes.append((start, changed))
    return Scenario(tables, changes, **common)


def load_scenario(path: str | Path) -> Scenario:
    """Reads a scenario from a TOML file; it is called by the file's name.

    Raises:
        ScenarioError: it cannot be read, or as `parse_scenario`.
    """
    values = read_toml("scenario", Path(path), ScenarioError)
    try:
        scenario = parse_scenario(values, Path(path).parent)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error
    scenario.name = Path(path).stem
    return scenario
