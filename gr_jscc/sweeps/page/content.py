"""What a report says: for every experiment of a store its plots, tables and picture strips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gr_jscc.files.names import safe_name
from gr_jscc.sweeps.experiment import parse_experiment
from gr_jscc.sweeps.page.bjontegaard import bd_tables
from gr_jscc.sweeps.page.costs import times_table
from gr_jscc.sweeps.page.measured import measured, progress, weights_tables, without_figures
from gr_jscc.sweeps.page.panels import strips
from gr_jscc.sweeps.page.plots import Plot
from gr_jscc.sweeps.page.points import Points, gather
from gr_jscc.sweeps.page.quality import differences, plot_of, table_of
from gr_jscc.sweeps.page.strip import PictureStrip
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.views import references_of, views_of
from gr_jscc.sweeps.page.words import describe
from gr_jscc.sweeps.store import Store


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

    Example:
        >>> section = Section("my-try", "A try", about="Two codecs on the demo photo.")
        >>> section.folder, section.parts
        ('my-try', [])
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


def sections(store: Store) -> list[Section]:
    """The store's experiments.

    Raises:
        StoreError, ExperimentError: damaged.
    """
    rows = store.rows()
    return [_section(content, rows, store) for content in store.experiments().values()]


def _section(content: dict, rows: dict[str, dict], store: Store) -> Section:
    experiment = parse_experiment(content["experiment"], "damaged store")
    points = gather(content["cells"], rows)
    section = Section(experiment.name, experiment.title, experiment.about, points=points)
    section.command = content.get("command", "")  # stores from before do not have it
    section.measured = measured(content["cells"], rows)
    section.remarks += content["remarks"] + progress(content["cells"], rows) + without_figures(experiment, points)
    styles = {scheme.label: number for number, scheme in enumerate(experiment.schemes)}
    sources: dict[str, list[str]] = {}
    for view in views_of(experiment, points):
        curves = references_of(experiment, view)
        for curve in curves:
            names = sources.setdefault(curve.source, [])
            names += [] if curve.scheme in names else [curve.scheme]
        section.parts += [plot_of(view, styles, curves), table_of(view, curves), *differences(view, experiment.anchor)]
    if experiment.anchor:
        section.parts += bd_tables(experiment, points)
    if experiment.times:
        sets = {images.name: images for images in experiment.images}
        for conditions, group in points.items():
            place = describe(conditions, sets[conditions.images])
            section.parts.append(times_table(conditions, place, group, content["parameters"]))
    section.parts += strips(experiment, content["cells"], rows, store)
    section.parts += weights_tables(content["cells"], rows)
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
