"""The cells of an experiment: what is measured, each known by its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, UseMap
from gr_jscc.codecs.registry import load_codec
from gr_jscc.errors import UserError
from gr_jscc.files.left_out import left_out_line
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.metrics.picture import SMALLEST_MS_SSIM_SIDE
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.version import VERSION
from gr_jscc.sweeps.experiment import SNR_DB, Experiment, ExperimentError, Scheme, Strip
from gr_jscc.sweeps.pictures import Picture, read_set
from gr_jscc.weights import WeightsError

CHARGED = "all, at the cell's SNR"  # how channel uses are counted; results counted otherwise are not the same cells


@dataclass(frozen=True)
class Cell:
    """One picture sent once, and all that its result depends on.

    Attributes:
        codec, weights: as after ``--codec`` and ``--weights``.
        weights_hash: of what those weights were, hexadecimal.
        image: name of the picture.
        image_hash: see `picture_hash`.
        snr_db: Es/N0 in dB.
        cbr: that the codec may take.
        channel: name of the profile.
        mode: see `Experiment`.
        seed: that the experiment names.
        refine: see `Scheme`.
        numerology, burst_symbols: see `Experiment`.

    Example:
        >>> where = {"snr_db": 10.0, "cbr": 1 / 12, "channel": "awgn", "mode": "ideal", "seed": 1}
        >>> cell = Cell("ntscc", "ntscc-photo", "00ff00ff", "kodim01.png", "0123456789abcdef", **where)
        >>> renamed = Cell("ntscc", "mine.safetensors", "00ff00ff", "1.png", "0123456789abcdef", **where)
        >>> len(cell.key), cell.key == renamed.key
        (16, True)
    """

    codec: str
    weights: str
    weights_hash: str
    image: str
    image_hash: str
    snr_db: float
    cbr: float
    channel: str
    mode: str
    seed: int
    refine: int = 0
    numerology: Numerology = DEFAULT_NUMEROLOGY
    burst_symbols: int = LinkSettings().burst_symbols

    @cached_property
    def key(self) -> str:
        """What the store knows the cell by, 16 hexadecimal digits; no names are in it, only what they stand for."""
        content = {name: value for name, value in asdict(self).items() if name not in ("weights", "image")}
        content["cbr"] = f"{self.cbr:.9g}"
        content["snr_db"] = f"{self.snr_db:.9g}"
        content["charged"], content["air"] = CHARGED, VERSION  # headers count as channel uses
        content["numerology"] = self.numerology.fingerprint.hex()
        for name in ("refine", "numerology", "burst_symbols"):
            if getattr(self, name) == getattr(Cell, name):
                del content[name]  # as it was before there was such a thing
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def noise_seed(self) -> int:
        """The seed of the cell's noise: the same whoever measures it, when and after what."""
        return int(self.key[:8], 16) & 0x7FFFFFFF


@dataclass(frozen=True)
class Planned:
    """A cell's place in an experiment.

    Attributes:
        cell: what is measured.
        picture: that is sent.
        scheme, images: label and name of the image set.
        shown: whether the received picture is kept, for a strip.
        use_map: of a shown one, `Codec.use_map` at the cell's CBR. It is what the transmitter does, worked out once
            more, as the receiver is not asked.

    Example:
        >>> picture = Picture("grey.png", "0123456789abcdef", lambda: np.full((4, 6, 3), 128, np.uint8), size=(4, 6))
        >>> cell = Cell("ntscc", "mine", "00ff00ff", picture.name, picture.hash, 10.0, 1 / 12, "awgn", "ideal", seed=1)
        >>> planned = Planned(cell, picture, scheme="NTSCC", images="greys", shown=False)
        >>> planned.picture.read().shape, planned.cell.snr_db
        ((4, 6, 3), 10.0)
    """

    cell: Cell
    picture: Picture
    scheme: str
    images: str
    shown: bool
    use_map: Callable[[np.ndarray], UseMap | None] | None = None


@dataclass(frozen=True)
class Plan:
    """An experiment on this machine's codecs and pictures.

    Attributes:
        experiment: which.
        cells: in the order to measure them.
        remarks: lines about what is left out.
        parameters: label → parameters of the networks; None without any.

    Example:
        >>> demo = {"name": "demo", "kind": "demo", "crop": 64}
        >>> jpeg = {"label": "JPEG", "codec": "separation-capacity", "weights": "jpeg:10dB"}
        >>> experiment = Experiment(title="A try", images=[demo], schemes=[jpeg], snr_db=[5, 10, 15], cbr=["1/3"])
        >>> plan = make_plan(experiment, data=None)
        >>> len(plan.cells), plan.parameters, plan.remarks
        (3, {'JPEG': None}, [])
    """

    experiment: Experiment
    cells: list[Planned]
    remarks: list[str]
    parameters: dict[str, int | None]


def make_plan(experiment: Experiment, data: Path | None, load: Callable[..., Codec] = load_codec) -> Plan:
    """Finds pictures and codecs and lists the cells.

    Args:
        experiment: which.
        data: see `read_set`.
        load: as `load_codec`.

    Raises:
        UserError: something that is not optional is not there; or a codec cannot be sent the way that is asked for.
    """
    remarks: list[str] = []
    sets: dict[str, list[Picture]] = {}
    for images in experiment.images:
        try:
            sets[images.name] = read_set(images, data, remarks)
        except ExperimentError:
            if not images.optional:
                raise
            remarks.append(f"skipped: the image set {images.name}, which is missing")
        except UserError as error:
            if not images.optional:
                raise
            remarks.append(str(error))
    cells, parameters = [], {}
    for scheme in experiment.schemes:
        try:
            cells += _scheme_cells(experiment, scheme, sets, load, parameters, remarks)
        except (CodecError, WeightsError) as error:
            if not scheme.optional:
                raise
            reason = str(error).partition(";")[0]
            remarks.append(f"skipped: {scheme.label}, which does not ship: {reason}")
    remarks += [*_without_ms_ssim(experiment, sets), *_without_strip(experiment, sets, cells)]
    # Picture by picture: what codecs remember of one, such as its encodings at several rates, serves all its cells.
    places = {(name, picture.name): place for name in sets for place, picture in enumerate(sets[name])}
    cells.sort(key=lambda planned: places[planned.images, planned.picture.name])
    if not cells:
        raise ExperimentError(f"experiment {experiment.name}: nothing to measure; " + "; ".join(remarks))
    return Plan(experiment, cells, remarks, parameters)


def strip_point(experiment: Experiment, strip: Strip) -> tuple[float, float]:
    """SNR in dB and CBR at which a strip's pictures are taken."""
    snr_db = experiment.snr_db[0] if strip.snr_db is None else strip.snr_db
    return snr_db, experiment.cbr[0] if strip.cbr is None else strip.cbr


def _scheme_cells(
    experiment: Experiment,
    scheme: Scheme,
    sets: dict[str, list[Picture]],
    load: Callable[..., Codec],
    parameters: dict[str, int | None],
    remarks: list[str],
) -> list[Planned]:
    cells = []
    layout = (scheme.numerology or experiment.numerology).layout()
    pictures = [
        (name, picture) for name in sets if not scheme.images or name in scheme.images for picture in sets[name]
    ]
    unsent: dict[float, dict[tuple[str, str], str]] = {}  # CBR → image set and picture → why
    for snr_db in scheme.snr_db or experiment.snr_db:
        weights = scheme.weights.replace(SNR_DB, f"{snr_db:g}")
        codec = load(scheme.codec, weights or None)
        parameters[scheme.label] = _parameters(codec)
        for mode in scheme.modes or experiment.modes:
            if codec.ideal_only and mode != "ideal":
                raise ExperimentError(f"scheme {scheme.label!r} cannot be sent: set its modes to ['ideal']")
        points = product(
            scheme.modes or experiment.modes,
            scheme.channels or experiment.channels,
            scheme.cbr or experiment.cbr,
            experiment.seeds,
            pictures,
        )
        for mode, channel, cbr, seed, (name, picture) in points:
            try:
                codec.check_size(*picture.size, cbr)
            except CodecError as error:
                unsent.setdefault(cbr, {})[name, picture.name] = str(error)
                continue
            cell = Cell(
                scheme.codec, weights, codec.weights_hash.hex(), picture.name, picture.hash, snr_db, cbr, channel, mode,
                seed, scheme.refine, layout, scheme.burst_symbols or experiment.burst_symbols,
            )  # fmt: skip
            shown = _shown(experiment, cell, name)
            use_map = partial(codec.use_map, cbr=cbr) if shown else None
            cells.append(Planned(cell, picture, scheme.label, name, shown, use_map))
    for cbr, reasons in unsent.items():
        left_out = [(Path(picture), reason) for (_, picture), reason in reasons.items()]
        remarks.append(f"{scheme.label} at CBR {cbr:.4g}: {left_out_line(left_out, len(pictures))}")
    return cells


def _parameters(codec: Codec) -> int | None:
    network = getattr(codec, "network", None)
    return None if network is None else sum(values.numel() for values in network.parameters())


def _shown(experiment: Experiment, cell: Cell, images: str) -> bool:
    return any(_is_in(strip, experiment, cell, images) for strip in experiment.strips)


def _is_in(strip: Strip, experiment: Experiment, cell: Cell, images: str) -> bool:
    snr_db, cbr = strip_point(experiment, strip)
    here = strip.images == images and strip.image == cell.image and cell.seed == experiment.seeds[0]
    return here and abs(cell.snr_db - snr_db) < 1e-9 and abs(cell.cbr / cbr - 1) < 1e-9


def _without_strip(experiment: Experiment, sets: dict[str, list[Picture]], cells: list[Planned]) -> Iterator[str]:
    """A line for every strip that will not be there, of the image sets that are."""
    for strip in experiment.strips:
        if strip.images in sets and not any(_is_in(strip, experiment, p.cell, p.images) for p in cells):
            snr_db, cbr = strip_point(experiment, strip)
            where = f"in {strip.images!r} at {snr_db:g} dB and CBR {cbr:.4g}"
            yield f"no strip of {strip.image}: not measured {where}"


def _without_ms_ssim(experiment: Experiment, sets: dict[str, list[Picture]]) -> Iterator[str]:
    """A line for every image set with pictures that are too small for MS-SSIM, where it is asked for."""
    for name, pictures in sets.items() if "ms_ssim_db" in experiment.metrics else ():
        small = sum(min(picture.size) < SMALLEST_MS_SSIM_SIDE for picture in pictures)
        if small:
            yield (
                f"image set {name!r}: no MS-SSIM for {small} of {len(pictures)} pictures: "
                f"it needs sides over {SMALLEST_MS_SSIM_SIDE - 1} pixels"
            )
