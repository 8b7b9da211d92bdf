"""Which of an experiment's points are shown together: those at one SNR over the CBR, or the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gr_jscc.sweeps.experiment import Experiment, ImageSet
from gr_jscc.sweeps.page.points import Conditions, Point, Points
from gr_jscc.sweeps.page.words import METRICS, describe, ratio_text
from gr_jscc.sweeps.references import ReferenceCurve, load_references


@dataclass(frozen=True)
class View:
    """Points that one plot and one table show: those at one SNR over the CBR, or the other way round.

    All are of the same pictures, those that every point has; not ``everything`` where some have more.

    Example:
        >>> at = Conditions("kodak", "ideal", "awgn")
        >>> view = View(at, ImageSet(name="kodak"), "psnr_db", "cbr", 10.0, points=[], everything=True)
        >>> view.title
        'PSNR over CBR at 10 dB, kodak'
        >>> view.is_as_published
        True
    """

    conditions: Conditions
    images: ImageSet
    metric: str
    over: str
    fixed: float
    points: list[Point]
    everything: bool

    @property
    def place(self) -> str:
        at = f"at {self.fixed:g} dB" if self.over == "cbr" else f"at CBR {ratio_text(self.fixed)}"
        return f"{at}, {describe(self.conditions, self.images)}"

    @property
    def is_as_published(self) -> bool:
        """Whether published figures are of the same pictures and the same channel."""
        part = self.images.crop or (self.images.count and self.images.kind == "photos")
        return not part and (self.conditions.mode, self.conditions.channel) == ("ideal", "awgn")

    @property
    def title(self) -> str:
        return f"{METRICS[self.metric]} over {'CBR' if self.over == 'cbr' else 'SNR'} {self.place}"

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def x(self, point: Point) -> float:
        return point.asked if self.over == "cbr" else point.snr_db


def views_of(experiment: Experiment, points: Points) -> Iterator[View]:
    sets = {images.name: images for images in experiment.images}
    for conditions, group in points.items():
        for metric in experiment.metrics:
            with_metric = [point for point in group if point.values[metric]]
            for over, fixed_of, varied_of in (("cbr", _snr_db, _asked), ("snr_db", _asked, _snr_db)):
                for fixed in sorted(set(map(fixed_of, with_metric))):
                    shown = [point for point in with_metric if fixed_of(point) == fixed]
                    common = set.intersection(*(set(point.values[metric]) for point in shown))
                    if common and len(set(map(varied_of, shown))) > 1:
                        everything = all(len(point.values[metric]) == len(common) for point in shown)
                        shown = [point.of(common) for point in shown]
                        yield View(conditions, sets[conditions.images], metric, over, fixed, shown, everything)


def _snr_db(point: Point) -> float:
    return point.snr_db


def _asked(point: Point) -> float:
    return point.asked


def references_of(experiment: Experiment, view: View) -> list[ReferenceCurve]:
    return [
        curve
        for curve in load_references().curves
        if view.is_as_published
        and curve.scheme in experiment.references
        and (curve.images, curve.metric, curve.over) == (view.conditions.images, view.metric, view.over)
        and curve.is_at(view.fixed)
    ]


def by_scheme(points: list[Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.scheme, []).append(point)
    return found
