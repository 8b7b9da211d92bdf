"""Bjontegaard tables: channel uses and quality against an anchor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gr_jscc.metrics.bd import bd_cbr_percent, bd_quality_db
from gr_jscc.sweeps.experiment import Experiment
from gr_jscc.sweeps.page.points import Point, Points, estimate
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.views import by_scheme, views_of
from gr_jscc.sweeps.page.words import METRICS, NOTHING
from gr_jscc.sweeps.references import load_references

BD_SNR_DB = 10  # of the published Bjontegaard figures


def bd_tables(experiment: Experiment, points: Points) -> Iterator[Table]:
    for view in views_of(experiment, points):
        schemes = by_scheme(view.points)
        if view.over != "cbr" or view.metric == "lpips" or experiment.anchor not in schemes or len(schemes) < 2:
            continue
        curves = {scheme: _curve(group, view.metric) for scheme, group in schemes.items()}
        published = {
            reference.scheme: reference.values[view.conditions.images]
            for reference in load_references().bd
            if (reference.anchor, reference.metric) == (experiment.anchor, view.metric)
            and view.conditions.images in reference.values
            and view.is_as_published
            and view.fixed == BD_SNR_DB
        }
        anchor = curves[experiment.anchor]
        rows = []
        for scheme, curve in curves.items():
            if scheme == experiment.anchor:
                continue
            figures = _bd_texts(bd_cbr_percent(anchor, curve), bd_quality_db(anchor, curve))
            figures.insert(1, _by_picture(schemes[experiment.anchor], schemes[scheme], view.metric))
            paper = _bd_texts(*published.get(scheme, (np.nan, np.nan))) if published else []
            rows.append([scheme, *figures, *paper])
        for scheme in [scheme for scheme in published if scheme not in curves]:
            rows.append([scheme, NOTHING, NOTHING, NOTHING, *_bd_texts(*published[scheme])])
        quality = f"BD-{METRICS[view.metric]}"
        columns = ["scheme", "BD-CBR", "by picture", quality]
        columns += ["BD-CBR, paper", f"{quality}, paper"] if published else []
        title = f"BD-CBR and {quality} against {experiment.anchor} {view.place}"
        notes = [
            "A negative BD-CBR is the share of channel uses saved at the same quality, by the curves of the means. By "
            "picture: mean of the pictures' own BD-CBRs, as is usual for video; ± half its 95 % interval."
        ]
        if published:
            notes.append("Paper: NTSCC, tables I and II; its anchor is BPG + LDPC at rate 2/3 with 16-QAM.")
        yield Table(f"bd-{view.name}", title, columns, rows, notes)


def _curve(points: list[Point], metric: str) -> list[tuple[float, float]]:
    return [(point.mean_cbr, point.estimate(metric).mean) for point in points]


def _by_picture(anchor: list[Point], test: list[Point], metric: str) -> str:
    """The mean of the pictures' own BD-CBRs, and its interval, as text; how many have one where not all do."""

    def of(group: list[Point], picture: str) -> list[tuple[float, float]]:
        return _curve([point.of({picture}) for point in group], metric)

    pictures = set.intersection(*(set(point.values[metric]) for point in [*anchor, *test]))
    percents = {picture: bd_cbr_percent(of(anchor, picture), of(test, picture)) for picture in sorted(pictures)}
    known = {picture: [percent] for picture, percent in percents.items() if not np.isnan(percent)}
    if (found := estimate(known)) is None:
        return NOTHING
    margin = "" if found.margin is None else f" ± {found.margin:.1f}"
    share = "" if len(known) == len(pictures) else f" ({len(known)} of {len(pictures)})"
    return f"{found.mean:+.1f}{margin} %{share}"


def _bd_texts(percent: float, quality: float) -> list[str]:
    return [
        NOTHING if np.isnan(percent) else f"{percent:+.1f} %",
        NOTHING if np.isnan(quality) else f"{quality:+.2f} dB",
    ]
