"""What papers and others report, as data: ``gr_jscc/experiments/references.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

FILE = Path(__file__).parents[1] / "experiments" / "references.toml"


@dataclass(frozen=True)
class ReferenceCurve:
    """A published curve.

    Attributes:
        scheme: its name.
        images: name of the image set.
        metric: ``psnr_db`` or another of the report's.
        over: ``cbr`` or ``snr_db``.
        snr_db, cbr: the one that is fixed.
        points: (CBR or SNR in dB, value).
        source: where it is from, in words.

    Example:
        >>> points = (0.04, 27.0), (0.08, 29.5)
        >>> curve = ReferenceCurve("NTSCC", "kodak", "psnr_db", "cbr", points, source="read off figure 7", snr_db=10.0)
        >>> curve.is_at(10), curve.is_at(5)
        (True, False)
    """

    scheme: str
    images: str
    metric: str
    over: str
    points: tuple[tuple[float, float], ...]
    source: str
    snr_db: float | None = None
    cbr: float | None = None

    def is_at(self, value: float) -> bool:
        """Whether the fixed one is this."""
        fixed = self.snr_db if self.over == "cbr" else self.cbr
        return abs(fixed - value) <= 1e-3 * abs(value) + 1e-9


@dataclass(frozen=True)
class ReferenceBD:
    """Published Bjontegaard figures of a scheme against another.

    Attributes:
        scheme, anchor: names.
        metric: as above.
        values: name of the image set → (BD-CBR in percent, BD in dB).
        source: in words.

    Example:
        >>> ReferenceBD("NTSCC", "DeepJSCC", "psnr_db", {"kodak": (-30.0, 1.2)}, "table I").values["kodak"]
        (-30.0, 1.2)
    """

    scheme: str
    anchor: str
    metric: str
    values: dict[str, tuple[float, float]]
    source: str


@dataclass(frozen=True)
class ReferenceTime:
    """A published size and speed.

    Attributes:
        scheme: its name.
        seconds: name of the image set → seconds to encode and decode a picture.
        device: on which.
        source: in words.
        parameters: of the networks; None where there are none.

    Example:
        >>> ReferenceTime("DeepJSCC", {"kodak": 0.05}, "RTX 3090", "table II").parameters is None
        True
    """

    scheme: str
    seconds: dict[str, float]
    device: str
    source: str
    parameters: int | None = None


@dataclass(frozen=True)
class References:
    """All of the file.

    Example:
        >>> references = load_references()
        >>> all(curve.points and curve.source for curve in references.curves)
        True
    """

    curves: list[ReferenceCurve] = field(default_factory=list)
    bd: list[ReferenceBD] = field(default_factory=list)
    times: list[ReferenceTime] = field(default_factory=list)


@lru_cache(1)
def load_references() -> References:
    """Reads the references that ship."""
    values = tomllib.loads(FILE.read_text(encoding="utf-8"))
    sources = values["sources"]

    def entries(kind: str) -> list[dict]:
        return [{**entry, "source": sources[entry["source"]]} for entry in values[kind]]

    curves = [ReferenceCurve(**{**entry, "points": tuple(map(tuple, entry["points"]))}) for entry in entries("curve")]
    bd = [ReferenceBD(**entry) for entry in entries("bd")]
    return References(curves, bd, [ReferenceTime(**entry) for entry in entries("time")])
