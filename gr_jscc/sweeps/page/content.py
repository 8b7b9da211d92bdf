"""What a report says: for every experiment of a store its plots, tables and picture strips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from gr_jscc.files.names import safe_name, safe_stem
from gr_jscc.metrics.bd import bd_cbr_percent, bd_quality_db
from gr_jscc.metrics.picture import SMALLEST_MS_SSIM_SIDE
from gr_jscc.sweeps.cells import strip_point
from gr_jscc.sweeps.experiment import Experiment, ImageSet, Strip, parse_experiment
from gr_jscc.sweeps.page.plots import Line, Plot
from gr_jscc.sweeps.page.points import LEAST_VALUES, Conditions, Estimate, Point, Points, difference, gather
from gr_jscc.sweeps.page.strip import Panel, PictureStrip, cut, over_pixels
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.references import ReferenceCurve, load_references
from gr_jscc.sweeps.runner import original_name
from gr_jscc.sweeps.store import Store

METRICS = {"psnr_db": "PSNR", "ms_ssim_db": "MS-SSIM", "lpips": "LPIPS"}
UNITS = {"psnr_db": "dB", "ms_ssim_db": "dB", "lpips": "lower is better"}
AXES = {"cbr": "CBR: complex channel uses / (3·H·W), as counted", "snr_db": "SNR (Es/N0), dB"}
NOTHING = "–"
TOO_FEW = f", of fewer than {LEAST_VALUES} values: too few for an interval."
BD_SNR_DB = 10  # of the published Bjontegaard figures


@dataclass
class Section:
    """One experiment.

    Attributes:
        name: of the experiment.
        title, about: its own.
        remarks: what is missing, and where published figures are from.
        parts: what there is to see, in order.
        points: the figures behind it.
        measured: when, and by which versions.
        command: that measured it; "" where the store does not say.
    """

    name: str
    title: str
    about: str
    remarks: list[str] = field(default_factory=list)
    parts: list[Plot | Table | PictureStrip] = field(default_factory=list)
    points: Points = field(default_factory=dict)
    measured: str = ""
    command: str = ""

    @property
    def folder(self) -> str:
        """Its name as one for files."""
        return safe_name(self.name, "experiment")


@dataclass(frozen=True)
class _View:
    """Points that one plot and one table show: those at one SNR over the CBR, or the other way round.

    All are of the same pictures, those that every point has; not ``everything`` where some have more.
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


def sections(store: Store) -> list[Section]:
    """The store's experiments.

    Raises:
        StoreError, ExperimentError: damaged.
    """
    rows = store.rows()
    return [_section(content, rows, store) for content in store.experiments().values()]


def describe(conditions: Conditions, images: ImageSet) -> str:
    """The conditions in a few words; the textbook channel needs none."""
    words = [images.name]
    words += [f"{images.count} pictures"] if images.count else []
    words += [f"crops of {images.crop}"] if images.crop else []
    words += [] if conditions.channel == "awgn" else [conditions.channel]
    words += [] if conditions.mode == "ideal" else [conditions.mode.replace("-", " ")]
    return ", ".join(words)


def ratio_text(value: float) -> str:
    """``1/12`` where it is that, else a number."""
    fraction = Fraction(value).limit_denominator(1000)
    close = abs(float(fraction) - value) < 1e-6 and fraction.numerator < 10
    return f"{fraction.numerator}/{fraction.denominator}" if close and fraction.denominator > 1 else f"{value:.4g}"


def _section(content: dict, rows: dict[str, dict], store: Store) -> Section:
    experiment = parse_experiment(content["experiment"], "damaged store")
    points = gather(content["cells"], rows)
    section = Section(experiment.name, experiment.title, experiment.about, points=points)
    section.command = content.get("command", "")  # stores from before do not have it
    section.measured = _measured(content["cells"], rows)
    section.remarks += content["remarks"] + _progress(content["cells"], rows) + _without_figures(experiment, points)
    styles = {scheme.label: number for number, scheme in enumerate(experiment.schemes)}
    sources: dict[str, list[str]] = {}
    for view in _views(experiment, points):
        curves = _references(experiment, view)
        for curve in curves:
            names = sources.setdefault(curve.source, [])
            names += [] if curve.scheme in names else [curve.scheme]
        section.parts += [_plot(view, styles, curves), _table(view, curves), *_differences(view, experiment.anchor)]
    if experiment.anchor:
        section.parts += _bd_tables(experiment, points)
    if experiment.times:
        sets = {images.name: images for images in experiment.images}
        for conditions, group in points.items():
            place = describe(conditions, sets[conditions.images])
            section.parts.append(_times(conditions, place, group, content["parameters"]))
    section.parts += _strips(experiment, content["cells"], rows, store)
    section.parts += _weights(content["cells"], rows)
    section.parts = _named_apart(section.parts)
    section.remarks += [f"Published, {', '.join(names)}: {source}." for source, names in sources.items()]
    return section


def _named_apart(parts: list[Plot | Table | PictureStrip]) -> list[Plot | Table | PictureStrip]:
    """The parts with names for files of their own: titles in other scripts or with other signs come to the same one."""
    taken: set[tuple[type, str]] = set()
    found = []
    for part in parts:
        stem = name = safe_name(part.name)
        number = 1
        while (type(part), name) in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add((type(part), name))
        found.append(replace(part, name=name))
    return found


def _measured(cells: list[dict], rows: dict[str, dict]) -> str:
    """When the cells were measured, and by which versions; "" before there are any."""
    done = [rows[cell["key"]] for cell in cells if cell["key"] in rows]
    times = sorted(row["measured"] for row in done if row.get("measured"))
    if not times:
        return ""
    versions = sorted({row.get("version") or "" for row in done})
    told = ", ".join(version or "a version that did not tell" for version in versions)
    begun, ended = (time.replace("T", " ").removesuffix("+00:00") for time in (times[0], times[-1]))
    return f"Measured {begun} to {ended} UTC with gr-jscc {told}."


def _weights(cells: list[dict], rows: dict[str, dict]) -> list[Table]:
    """What was measured, by its weights' hashes."""
    lines: dict[tuple[str, ...], int] = {}
    for cell in cells:
        row = rows.get(cell["key"])
        if row is not None and not row["error"]:
            key = cell["scheme"], row["codec"], row["weights"], row["weights_hash"]
            lines[key] = lines.get(key, 0) + 1
    columns = ["scheme", "codec", "weights", "hash", "cells"]
    table = Table("weights", "What was measured", columns, [[*key, str(count)] for key, count in lines.items()])
    return [table] if lines else []


def _without_figures(experiment: Experiment, points: Points) -> list[str]:
    """Metrics that were asked for, and that no picture has."""
    why = {
        "psnr_db": "no picture came",
        "ms_ssim_db": f"it needs pictures with both sides over {SMALLEST_MS_SSIM_SIDE - 1} pixels",
        "lpips": "the machines that measured lacked it, or the pictures are too small",
    }
    found = [point for group in points.values() for point in group]
    without = [m for m in experiment.metrics if found and not any(point.values[m] for point in found)]
    return [f"{METRICS[metric]} is asked for, and there is none: {why[metric]}." for metric in without]


def _progress(cells: list[dict], rows: dict[str, dict]) -> list[str]:
    keys = {cell["key"] for cell in cells}
    failed = [rows[key]["error"] for key in keys if key in rows and rows[key]["error"]]
    missing = sum(key not in rows for key in keys)
    remarks = [f"{missing} of {len(keys)} cells are not measured yet."] if missing else []
    return remarks + ([f"{len(failed)} of {len(keys)} cells failed, such as: {failed[0]}"] if failed else [])


def _views(experiment: Experiment, points: Points) -> Iterator[_View]:
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
                        yield _View(conditions, sets[conditions.images], metric, over, fixed, shown, everything)


def _snr_db(point: Point) -> float:
    return point.snr_db


def _asked(point: Point) -> float:
    return point.asked


def _references(experiment: Experiment, view: _View) -> list[ReferenceCurve]:
    return [
        curve
        for curve in load_references().curves
        if view.is_as_published
        and curve.scheme in experiment.references
        and (curve.images, curve.metric, curve.over) == (view.conditions.images, view.metric, view.over)
        and curve.is_at(view.fixed)
    ]


def _by_scheme(points: list[Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.scheme, []).append(point)
    return found


def _plot(view: _View, styles: dict[str, int], references: list[ReferenceCurve]) -> Plot:
    lines = []
    for scheme, points in _by_scheme(view.points).items():
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
    if len(_by_scheme(view.points)) > 1:
        notes.append("All schemes have the same pictures: whether one is better, the table of differences tells.")
    return Plot(view.name, view.title, AXES[view.over], label, lines, notes)


def _table(view: _View, references: list[ReferenceCurve]) -> Table:
    xs = sorted(set(map(view.x, view.points)))
    digits = 4 if view.metric == "lpips" else 2
    schemes = _by_scheme(view.points)
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


def _heads(view: _View, xs: list[float]) -> list[str]:
    return [f"CBR {ratio_text(x)}" if view.over == "cbr" else f"{x:g} dB" for x in xs]


def _differences(view: _View, anchor: str) -> Iterator[Table]:
    """The schemes against one of them, picture by picture; none where there is nothing to compare."""
    schemes = {scheme: {view.x(point): point for point in group} for scheme, group in _by_scheme(view.points).items()}
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
    told = "; ± half its 95 % interval (Student's t, paired). An interval that does not reach 0 tells the two apart."
    notes = ["Mean of the differences picture by picture" + (told if with_margin else TOO_FEW)]
    yield Table(f"difference-{view.name}", title, ["scheme", *_heads(view, xs)], rows, notes)


def _with_margin(value: Estimate | None, digits: int, sign: str = "") -> str:
    if value is None:
        return NOTHING
    margin = "" if value.margin is None else f" ± {value.margin:.{digits}f}"
    return f"{value.mean:{sign}.{digits}f}{margin}"


def _table_notes(view: _View, schemes: dict[str, list[Point]]) -> list[str]:
    count = max(len(point.values[view.metric]) for point in view.points)
    seeds = max(len(seeds) for point in view.points for seeds in point.values[view.metric].values())
    of = f"{count} picture{'s' if count > 1 else ''}" + (f", {seeds} seeds each" if seeds > 1 else "")
    over = "pictures" if count > 1 else "seeds"
    with_margin = any(point.estimate(view.metric).margin is not None for point in view.points)
    notes = [f"Mean of {of}" + (f"; ± half the 95 % interval (Student's t over {over})." if with_margin else TOO_FEW)]
    if not view.everything:
        notes.append("Only the pictures that all schemes have here; some have more.")
    elif count == seeds == 1:
        notes = ["One picture, sent once."]
    for scheme, points in schemes.items():
        lost = [f"{point.lost} of {point.cells} at {view.x(point):.4g}" for point in points if point.lost]
        if lost:
            notes.append(f"{scheme}: did not arrive: {', '.join(lost)}; those shown plain grey are in the mean.")
        if any(abs(point.mean_cbr / point.asked - 1) > 0.02 for point in points):
            counted = ", ".join(f"{point.mean_cbr:.4f}" for point in sorted(points, key=view.x))
            notes.append(f"{scheme}: CBR as counted: {counted}.")
    return notes


def _bd_tables(experiment: Experiment, points: Points) -> Iterator[Table]:
    for view in _views(experiment, points):
        schemes = _by_scheme(view.points)
        if view.over != "cbr" or view.metric == "lpips" or experiment.anchor not in schemes or len(schemes) < 2:
            continue
        curves = {
            scheme: [(point.mean_cbr, point.estimate(view.metric).mean) for point in group]
            for scheme, group in schemes.items()
        }
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
            figures = bd_cbr_percent(anchor, curve), bd_quality_db(anchor, curve)
            paper = _bd_texts(*published.get(scheme, (np.nan, np.nan))) if published else []
            rows.append([scheme, *_bd_texts(*figures), *paper])
        for scheme in [scheme for scheme in published if scheme not in curves]:
            rows.append([scheme, NOTHING, NOTHING, *_bd_texts(*published[scheme])])
        quality = f"BD-{METRICS[view.metric]}"
        columns = ["scheme", "BD-CBR", quality] + (["BD-CBR, paper", f"{quality}, paper"] if published else [])
        title = f"BD-CBR and {quality} against {experiment.anchor} {view.place}"
        notes = ["Below 0, BD-CBR says how many channel uses are saved at the same quality."]
        if published:
            notes.append("Paper: NTSCC, tables I and II; its anchor is BPG + LDPC at rate 2/3 with 16-QAM.")
        yield Table(f"bd-{view.name}", title, columns, rows, notes)


def _bd_texts(percent: float, quality: float) -> list[str]:
    return [
        NOTHING if np.isnan(percent) else f"{percent:+.1f} %",
        NOTHING if np.isnan(quality) else f"{quality:+.2f} dB",
    ]


def _times(conditions: Conditions, place: str, points: list[Point], parameters: dict[str, int | None]) -> Table:
    rows = []
    for scheme, group in _by_scheme(points).items():
        seconds = [seconds for point in group for seconds in point.seconds]
        encode, decode = np.median(seconds, axis=0) if seconds else (np.nan, np.nan)
        rows.append([scheme, _millions(parameters.get(scheme)), *_seconds(encode, decode, encode + decode), "here"])
    for reference in load_references().times:
        if conditions.images in reference.seconds:
            total = reference.seconds[conditions.images]
            row = [f"{reference.scheme}, published", _millions(reference.parameters), NOTHING, NOTHING]
            rows.append([*row, *_seconds(total), reference.device])
    title = f"Parameters and time a picture, {place}"
    columns = ["scheme", "parameters", "encode, s", "decode, s", "both, s", "on"]
    name = re.sub(r"[^a-z0-9]+", "-", title.lower())
    return Table(name, title, columns, rows, ["Medians over all cells; one thread of this machine's CPU."])


def _millions(count: int | None) -> str:
    return NOTHING if count is None else f"{count / 1e6:.2f} M"


def _seconds(*values: float) -> list[str]:
    return [NOTHING if np.isnan(value) else f"{value:.3f}" for value in values]


def _strips(experiment: Experiment, cells: list[dict], rows: dict[str, dict], store: Store) -> Iterator[PictureStrip]:
    for number, strip in enumerate(experiment.strips, 1):
        snr_db, cbr = strip_point(experiment, strip)

        def is_here(cell: dict, strip=strip, snr_db=snr_db, cbr=cbr) -> bool:
            row = rows.get(cell["key"])
            here = row is not None and not row["error"] and cell["images"] == strip.images
            here = here and row["image.name"] == strip.image and row["seed"] == experiment.seeds[0]
            return here and abs(row["snr_db"] - snr_db) < 1e-9 and abs(cell["cbr"] / cbr - 1) < 1e-9

        groups: dict[Conditions, list[dict]] = {}
        for cell in filter(is_here, cells):
            row = rows[cell["key"]]
            groups.setdefault(Conditions(cell["images"], row["mode"], row["channel"]), []).append(cell)
        for conditions, group in groups.items():
            original = store.picture(original_name(rows[group[0]["key"]]["image_hash"]))
            if original is None:
                continue
            panels = [Panel(cut(original, strip.crop, strip.at), "original")]
            panels += _panels(group, rows, store, strip, original)
            stem = safe_stem(strip.image)
            (images,) = [images for images in experiment.images if images.name == strip.images]
            title = f"{stem} at {snr_db:g} dB and CBR {ratio_text(cbr)}, {describe(conditions, images)}"
            yield PictureStrip(f"strip-{number}-{conditions.mode}-{conditions.channel}", title, panels)


def _panels(
    cells: list[dict], rows: dict[str, dict], store: Store, strip: Strip, original: np.ndarray
) -> Iterator[Panel]:
    for cell in cells:
        row, picture, uses = rows[cell["key"]], store.picture(cell["key"]), store.use_map(cell["key"])
        if picture is not None:
            psnr = "no error" if row["psnr_db"] is None else f"PSNR {row['psnr_db']:.2f} dB"  # stores from before
            figures = f"{psnr}, CBR {row['cbr.total']:.4f}"
            yield Panel(cut(picture, strip.crop, strip.at), f"{cell['scheme']}\n{figures}")
        if uses is not None:
            shown = cut(over_pixels(uses, *original.shape[:2]), strip.crop, strip.at)
            patch = f"patches of {uses.stride}×{uses.stride}"
            figures = f"{patch}: {shown.min():g} to {shown.max():g}, mean {shown.mean():.1f}"
            yield Panel(cut(original, strip.crop, strip.at), f"{cell['scheme']}: channel uses\n{figures}", shown)
