"""From a store's rows to the points of curves: means over pictures, with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import t as student_t

from gr_jscc.metrics.picture import ms_ssim_db
from gr_jscc.sweeps.experiment import METRICS

CONFIDENCE = 0.95
LEAST_VALUES = 3  # for an interval; that of two would be 13 standard errors to either side, and say nothing


@dataclass(frozen=True)
class Conditions:
    """What the points of one plot or table share.

    Attributes:
        images: name of the image set.
        mode, channel: see `Experiment`.

    Example:
        >>> Conditions("kodak", "ideal", "awgn") in {Conditions("kodak", "ideal", "awgn"): []}
        True
    """

    images: str
    mode: str
    channel: str


@dataclass(frozen=True)
class Estimate:
    """A mean over pictures.

    Attributes:
        mean: of the pictures' values, each the mean over the seeds.
        low, high: ends of the 95 % interval of the mean, by Student's t over the pictures (over the seeds where there
            is one picture); None with fewer than three values.
        count: pictures.

    Example:
        >>> found = estimate({"kodim01.png": [27.0], "kodim02.png": [29.0], "kodim03.png": [31.0]})
        >>> found.mean, round(found.margin, 2), found.count
        (29.0, 4.97, 3)
        >>> estimate({"kodim01.png": [27.0]}).margin is None
        True
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def margin(self) -> float | None:
        """Half the length of the interval."""
        return None if self.low is None else (self.high - self.low) / 2


@dataclass
class Point:
    """What a scheme reached at one SNR and CBR.

    Attributes:
        scheme: label.
        snr_db: Es/N0 in dB.
        asked: CBR that the codec might take.
        values: metric → picture → values, one a seed.
        cbr: picture → CBRs as counted, with headers and side information where they are sent.
        seconds: of encoding and decoding.
        lost: cells whose picture did not arrive; one that was shown plain grey has values all the same.
        cells: measured.

    Example:
        >>> point = Point("NTSCC", snr_db=10.0, asked=1 / 12, cbr={"kodim01.png": [0.075, 0.085]})
        >>> round(point.mean_cbr, 3), point.estimate("psnr_db")
        (0.08, None)
    """

    scheme: str
    snr_db: float
    asked: float
    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {metric: {} for metric in METRICS})
    cbr: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    cells: int = 0

    def estimate(self, metric: str) -> Estimate | None:
        """The mean of a metric; None where no picture has it."""
        return estimate(self.values[metric])

    @property
    def mean_cbr(self) -> float:
        """The mean CBR as counted."""
        return float(np.mean([np.mean(seeds) for seeds in self.cbr.values()])) if self.cbr else self.asked

    def of(self, pictures: Set[str]) -> Point:
        """The same from these pictures only, as far as metrics and CBR go."""
        values = {
            metric: {key: seeds for key, seeds in found.items() if key in pictures}
            for metric, found in self.values.items()
        }
        return replace(self, values=values, cbr={key: seeds for key, seeds in self.cbr.items() if key in pictures})


Points = dict[Conditions, list[Point]]


def estimate(by_picture: dict[str, list[float]]) -> Estimate | None:
    """Mean and interval of values, see `Estimate`; None without values."""
    if not by_picture:
        return None
    values = np.array([np.mean(seeds) for seeds in by_picture.values()])
    mean, count = float(values.mean()), len(values)
    if count == 1:
        values = np.array(next(iter(by_picture.values())))
    if len(values) < LEAST_VALUES:
        return Estimate(mean, None, None, count)
    standard_error = values.std(ddof=1) / np.sqrt(len(values))
    margin = float(student_t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * standard_error)
    return Estimate(mean, mean - margin, mean + margin, count)


def difference(point: Point, other: Point, metric: str) -> Estimate | None:
    """By how much a scheme is above another on the same pictures, and the interval of that mean difference.

    It is taken picture by picture: that some pictures are harder than others does not widen the interval. None where
    the two have no picture in common.
    """
    ours, theirs = point.values[metric], other.values[metric]
    by_picture = {}
    for picture in [picture for picture in ours if picture in theirs]:
        pairs = list(zip(ours[picture], theirs[picture]))  # seed by seed
        by_picture[picture] = [mine - others for mine, others in pairs]
    return estimate(by_picture)


def gather(cells: Iterable[dict], rows: dict[str, dict]) -> Points:
    """Points of an experiment, in the order of its cells; failed cells are passed over.

    Args:
        cells: the experiment's, as `plan_content` lists them.
        rows: the store's.
    """
    found: dict[tuple, Point] = {}
    for cell in cells:
        row = rows.get(cell["key"])
        if row is None or row["error"]:
            continue
        conditions = Conditions(cell["images"], row["mode"], row["channel"])
        key = (conditions, cell["scheme"], row["snr_db"], cell["cbr"])
        point = found.setdefault(key, Point(cell["scheme"], row["snr_db"], cell["cbr"]))
        _add(point, row)
    points: Points = {}
    for (conditions, *_), point in found.items():
        points.setdefault(conditions, []).append(point)
    return points


def _add(point: Point, row: dict) -> None:
    point.cells += 1
    arrived = row.get("arrived")  # not told by stores from before: there, what has a PSNR
    point.lost += not (row["psnr_db"] is not None if arrived is None else arrived)
    if row["cbr.total"] is not None:
        point.cbr.setdefault(row["image_hash"], []).append(row["cbr.total"])
    if row["seconds.encode"] is not None and row["seconds.decode"] is not None:
        point.seconds.append((row["seconds.encode"], row["seconds.decode"]))
    score = row["ms_ssim"]
    values = {"psnr_db": row["psnr_db"], "ms_ssim_db": None if score is None else ms_ssim_db(score)}
    values["lpips"] = row["lpips"]
    for metric, value in values.items():
        if value is not None:
            point.values[metric].setdefault(row["image_hash"], []).append(value)
