"""Quality over CBR or SNR: plots, tables, and the schemes against one of them."""

from __future__ import annotations

from collections.abc import Iterator

from gr_jscc.sweeps.page.plots import Line, Plot
from gr_jscc.sweeps.page.points import Estimate, Point, difference
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.views import View, by_scheme
from gr_jscc.sweeps.page.words import AXES, METRICS, NOTHING, TOO_FEW, UNITS, ratio_text
from gr_jscc.sweeps.references import ReferenceCurve


def plot_of(view: View, styles: dict[str, int], references: list[ReferenceCurve]) -> Plot:
    lines = []
    for scheme, points in by_scheme(view.points).items():
        curve = []
        for point in sorted(points, key=view.x):
            value = point.estimate(view.metric)
            x = point.mean_cbr if view.over == "cbr" else point.snr_db
            curve.append((x, value.mean, value.low, value.high))
        lines.append(Line(scheme, curve, styles[scheme]))
    for reference in references:
        curve = [(x, y, None, None) for x, y in sorted(reference.points)]
        lines.append(Line(f"{reference.scheme}, published", curve, styles.get(reference.scheme), published=True))
    label = f"{METRICS[view.metric]}, {UNITS[view.metric]}"
    with_bars = any(point[2] is not None for line in lines for point in line.points)
    notes = ["Bars: 95 % intervals of the mean over pictures of this kind."] if with_bars else []
    if len(by_scheme(view.points)) > 1:
        notes.append("All schemes sent the same pictures: the table of differences shows whether one is better.")
    return Plot(view.name, view.title, AXES[view.over], label, lines, notes)


def table_of(view: View, references: list[ReferenceCurve]) -> Table:
    xs = sorted(set(map(view.x, view.points)))
    digits = 4 if view.metric == "lpips" else 2
    schemes = by_scheme(view.points)
    rows = []
    for scheme, points in schemes.items():
        at = {view.x(point): point.estimate(view.metric) for point in points}
        rows.append([scheme, *(_with_margin(at.get(x), digits) for x in xs)])
    for reference in references:
        at = {x: y for x, y in reference.points}
        found = [next((y for rx, y in at.items() if abs(rx - x) <= 1e-3 * abs(x)), None) for x in xs]
        if any(value is not None for value in found):
            texts = [NOTHING if value is None else f"{value:.{digits}f}" for value in found]
            rows.append([f"{reference.scheme}, published", *texts])
    title = f"{METRICS[view.metric]} ({UNITS[view.metric]}) {view.place}"
    return Table(view.name, title, ["scheme", *_heads(view, xs)], rows, _table_notes(view, schemes))


def _heads(view: View, xs: list[float]) -> list[str]:
    return [f"CBR {ratio_text(x)}" if view.over == "cbr" else f"{x:g} dB" for x in xs]


def differences(view: View, anchor: str) -> Iterator[Table]:
    """The schemes against one of them, picture by picture; none where there is nothing to compare."""
    schemes = {scheme: {view.x(point): point for point in group} for scheme, group in by_scheme(view.points).items()}
    anchor = anchor if anchor in schemes else next(iter(schemes))
    base = schemes.pop(anchor)
    xs = sorted(x for x in base if any(x in points for points in schemes.values()))
    if not xs:
        return
    digits = 4 if view.metric == "lpips" else 2
    found = {
        scheme: [difference(points[x], base[x], view.metric) if x in points else None for x in xs]
        for scheme, points in schemes.items()
    }
    rows = [[scheme, *(_with_margin(value, digits, "+") for value in values)] for scheme, values in found.items()]
    unit = "" if view.metric == "lpips" else ", dB"
    title = f"{METRICS[view.metric]} minus that of {anchor}{unit}, {view.place}"
    with_margin = any(value and value.margin is not None for values in found.values() for value in values)
    told = (
        "; ± half its 95 % interval (Student's t, paired). The difference is significant if its interval does not "
        "include 0."
    )
    notes = ["Mean of the per-picture differences" + (told if with_margin else TOO_FEW)]
    yield Table(f"difference-{view.name}", title, ["scheme", *_heads(view, xs)], rows, notes)


def _with_margin(value: Estimate | None, digits: int, sign: str = "") -> str:
    if value is None:
        return NOTHING
    margin = "" if value.margin is None else f" ± {value.margin:.{digits}f}"
    return f"{value.mean:{sign}.{digits}f}{margin}"


def _table_notes(view: View, schemes: dict[str, list[Point]]) -> list[str]:
    count = max(len(point.values[view.metric]) for point in view.points)
    seeds = max(len(seeds) for point in view.points for seeds in point.values[view.metric].values())
    of = f"{count} picture{'s' if count > 1 else ''}" + (f", {seeds} seeds each" if seeds > 1 else "")
    over = "pictures" if count > 1 else "seeds"
    with_margin = any(point.estimate(view.metric).margin is not None for point in view.points)
    notes = [f"Mean of {of}" + (f"; ± half the 95 % interval (Student's t over {over})." if with_margin else TOO_FEW)]
    if not view.everything:
        notes.append("Only pictures measured with all schemes; some schemes have more.")
    elif count == seeds == 1:
        notes = ["One picture, sent once."]
    for scheme, points in schemes.items():
        lost = [f"{point.lost} of {point.cells} at {view.x(point):.4g}" for point in points if point.lost]
        if lost:
            notes.append(f"{scheme}: did not arrive: {', '.join(lost)}; those shown plain grey count in the mean.")
        if any(abs(point.mean_cbr / point.asked - 1) > 0.02 for point in points):
            counted = ", ".join(f"{point.mean_cbr:.4f}" for point in sorted(points, key=view.x))
            notes.append(f"{scheme}: CBR as counted: {counted}.")
    return notes
