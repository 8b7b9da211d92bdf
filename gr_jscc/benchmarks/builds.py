"""Benchmarks of this build and of an older one, run in turn on the same machine."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.files.installation import PACKAGE

HERE = PACKAGE.parent
SPEED_OF_CODECS = ("deepjscc", "ntscc", "hjscc", "hjscc-feedback", "successive-multiple")

# Name → arguments of ``gr-jscc bench``; short, as each is run several times.
BENCHES: dict[str, tuple[str, ...]] = {
    "modem-speed": ("modem", "--quick", "--only", "demodulator_msps"),
    "modem-neighbour": ("modem", "--only", "busy_neighbour_ratio"),
    "modem-loss": ("modem", "--quick", "--only", "erased_symbols"),
    "flowgraph": ("modem", "--quick", "--only", "flowgraph_speedup"),
    "ldpc": ("ldpc", "--blocks", "100", "--seconds", "1"),
    "back-channel": ("back-channel", "--quick"),
    "air": ("air", "--seconds", "5"),
    "sweep": ("sweep",),
} | {f"codec-{name}": ("codec", "--codec", name, "--repeats", "3") for name in SPEED_OF_CODECS}


@dataclass(frozen=True)
class Compared:
    """A figure of this build beside the same of another.

    Attributes:
        bench: a key of `BENCHES`.
        figure, at, unit: see `gr_jscc.figures.Figure`.
        value: median of this build's turns.
        reference: median of the other's; None where it has no such figure.

    Example:
        >>> Compared("ldpc", "ldpc_mbps", {}, "Mbit/s", value=3.0, reference=2.0).ratio
        1.5
    """

    bench: str
    figure: str
    at: dict
    unit: str
    value: float | None
    reference: float | None

    @property
    def ratio(self) -> float | None:
        """This build's value over the other's; None where there is none."""
        return self.value / self.reference if self.value is not None and self.reference else None

    def line(self) -> dict:
        """The object to print."""
        told = {"bench": self.bench, "figure": self.figure, "at": self.at, "value": self.value, "unit": self.unit}
        if self.reference is None:
            return told
        return told | {"reference": self.reference, "ratio": None if self.ratio is None else round(self.ratio, 4)}


def older_build(revision: str, repository: Path = HERE) -> Path:
    """The folder of a commit's files, unpacked once and kept, as compiling its modem takes a minute.

    Args:
        revision: as git names commits.
        repository: a checkout that knows it.

    Raises:
        UserError: no checkout, or no such commit.
    """
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit is None:
        raise UserError(f"no commit {revision!r} in {repository}: a reference build needs a checkout that has it")
    commit = commit.decode().strip()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gr-jscc" / "builds"
    if not (cache / commit).exists():
        cache.mkdir(parents=True, exist_ok=True)
        packed = _git(repository, "archive", "--format=tar", commit)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            build = Path(scratch, "build")
            build.mkdir()
            subprocess.run(["tar", "-x", "-C", str(build)], input=packed, check=True)
            build.rename(cache / commit)
    return cache / commit


def bench_lines(build: Path, arguments: Sequence[str]) -> list[dict]:
    """What ``gr-jscc bench … --json`` of a build prints, and the CPU time that it took as one more figure.

    Raises:
        UserError: it failed; with its last line.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as elsewhere:  # Python looks for packages where it is started
        done = subprocess.run(
            [sys.executable, "-m", "gr_jscc.host", "bench", *arguments, "--json"],
            cwd=elsewhere, env=os.environ | {"PYTHONPATH": str(build)}, capture_output=True, text=True,
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        told = done.stderr.strip().splitlines() or ["without a word"]
        raise UserError(f"bench {' '.join(arguments)} of {build} failed: {told[-1]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [*lines, {"figure": "bench_cpu_seconds", "at": {}, "value": round(seconds, 3), "unit": "s"}]


def compare(bench: str, older: Path | None, turns: int) -> Iterator[Compared]:
    """The figures of one bench.

    Args:
        bench: a key of `BENCHES`.
        older: another build's folder, or None.
        turns: runs of each build, one after the other by turns.

    Raises:
        UserError: this build's bench failed. One that the older build lacks is no fault.
    """
    mine, theirs = [], []
    for _ in range(turns):
        mine.append(bench_lines(HERE, BENCHES[bench]))
        if older is not None:
            try:
                theirs.append(bench_lines(older, BENCHES[bench]))
            except UserError:
                older = None
    reference = medians(theirs)
    for key, (line, value) in medians(mine).items():
        found = reference.get(key)
        yield Compared(bench, line["figure"], line["at"], line["unit"], value, found and found[1])


def medians(runs: Iterable[list[dict]]) -> dict[str, tuple[dict, float | None]]:
    """By figure and conditions: the first run's line, and the median of the values; None where none was measured.

    Conditions that are themselves measured, such as how many bursts passed, differ from run to run; those of the first
    run count, and figures are told apart by the rest of them and their order.
    """
    lines: dict[str, tuple[dict, list[float]]] = {}
    for run in runs:
        seen: dict[str, int] = {}
        for line in run:
            words = {key: value for key, value in line["at"].items() if isinstance(value, str)}
            name = json.dumps([line["figure"], words])
            seen[name] = seen.get(name, 0) + 1
            _, values = lines.setdefault(f"{name}{seen[name]}", (line, []))
            values.extend([] if line["value"] is None else [line["value"]])
    return {key: (line, statistics.median(values) if values else None) for key, (line, values) in lines.items()}


def _git(repository: Path, *arguments: str) -> bytes | None:
    """What git prints; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout
