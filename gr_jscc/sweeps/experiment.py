"""Experiments: TOML files that say what a sweep measures and what its report shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, model_validator

from gr_jscc.channel.profiles import PROFILES
from gr_jscc.errors import UserError
from gr_jscc.files.toml import first_fault, read_named
from gr_jscc.files.toml_tables import TomlTable, Whole
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem.header import MAX_SYMBOLS
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY
from gr_jscc.modem.numerology_file import NumerologyTable, load_numerology, numerology_keys, parse_numerology
from gr_jscc.plugins import absolute_place
from gr_jscc.ratios import parse_ratio

FOLDER = Path(__file__).parents[1] / "experiments"
NOT_EXPERIMENTS = ("references",)  # other data in that folder
METRICS = ("psnr_db", "ms_ssim_db", "lpips")
SNR_DB = "{snr_db}"  # stands in a scheme's weights for the SNR of each cell


class ExperimentError(UserError):
    """An experiment cannot be read, or makes no sense; the message is one line for a person.

    Example:
        >>> parse_experiment({"title": "A try"}, "mine.toml")
        Traceback (most recent call last):
            ...
        gr_jscc.sweeps.experiment.ExperimentError: mine.toml: images is missing
    """


def _ratio(value: object) -> object:
    """``"1/12"`` as a number; anything else is left for pydantic to judge."""
    if not isinstance(value, str):
        return value
    try:
        return parse_ratio(value)
    except ValueError:
        return value


def _known_channel(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"must be one of {', '.join(PROFILES)}")
    return name


def _usable_template(text: str) -> str:
    if set(text.replace(SNR_DB, "")) & set("{}"):
        raise ValueError(f"may contain {SNR_DB} in braces but no other braces")
    return text


def _numerology(value: object, info: ValidationInfo) -> object:
    """What a name or a file stands for, as keys: whoever has the experiment has all of it."""
    if isinstance(value, str):
        path = Path((info.context or {}).get("folder", "."), value)
        return numerology_keys(load_numerology(path if value.endswith(".toml") else value))
    return value


def _usable_numerology(table: NumerologyTable) -> NumerologyTable:
    parse_numerology(table.model_dump(), "numerology")
    return table


Ratio = Annotated[float, BeforeValidator(_ratio), Field(gt=0, le=1)]
Decibels = Annotated[float, Field(ge=-20, le=60)]
Channel = Annotated[str, AfterValidator(_known_channel)]
Mode = Literal["ideal", "flowgraph", "two-hosts"]
Seed = Annotated[Whole, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(min_length=1)]
Ratios = Annotated[list[Ratio], Field(min_length=1)]
Snrs = Annotated[list[Decibels], Field(min_length=1)]
Channels = Annotated[list[Channel], Field(min_length=1)]
Modes = Annotated[list[Mode], Field(min_length=1)]
OwnNumerology = Annotated[NumerologyTable, BeforeValidator(_numerology), AfterValidator(_usable_numerology)]
BurstSymbols = Annotated[Whole, Field(ge=1, le=MAX_SYMBOLS)]


class ImageSet(TomlTable):
    """Pictures.

    Attributes:
        name: for people and for schemes.
        kind: ``photos``: a folder of images; ``cifar10``: CIFAR-10's test pictures; ``demo``: the photo that ships.
        path: folder, under ``--data`` or absolute; the name when empty.
        pictures: of the folder only these, as paths from it to files of different names; all when empty.
        count: so many, evenly spread; 0 for all.
        crop: side in pixels of a square from the middle of each; 0 for whole pictures.
        optional: whether the sweep goes on without it where it is not there.

    Example:
        >>> ImageSet(name="kodak", count=4, crop=256).kind
        'photos'
    """

    name: Name
    kind: Literal["photos", "cifar10", "demo"] = "photos"
    path: str = ""
    pictures: list[Name] = []
    count: Annotated[Whole, Field(ge=0)] = 0
    crop: Annotated[Whole, Field(ge=0)] = 0
    optional: bool = False

    @model_validator(mode="after")
    def _pictures_fit(self) -> ImageSet:
        if self.pictures and self.kind != "photos":
            raise ValueError(f"pictures can be named for photos only, and this is {self.kind}")
        names = [Path(name).name for name in self.pictures]
        if len(set(names)) < len(names):
            raise ValueError("two pictures of the same name")
        return self


def _codec(name: str, info: ValidationInfo) -> str:
    """The same codec in any working directory: workers have others."""
    return absolute_place(name, (info.context or {}).get("folder", "."))


class Scheme(TomlTable):
    """A codec with its weights, under the name that plots and tables give it.

    Attributes:
        label: that name.
        codec: as after ``--codec``; a file's path is relative to the experiment's folder.
        weights: as after ``--weights``; ``{snr_db}`` stands for the SNR of each cell.
        refine: steps by which the transmitter refines its symbols, as after ``--refine``.
        images: names of the image sets that it is for; all when empty.
        snr_db, cbr, channels, modes, numerology, burst_symbols: instead of the experiment's.
        optional: whether the sweep goes on without it where the codec or its weights do not ship.

    Example:
        >>> Scheme(label="NTSCC", codec="ntscc", cbr=["1/24", "1/12"]).cbr
        [0.041666666666666664, 0.08333333333333333]
    """

    label: Name
    codec: Annotated[Name, AfterValidator(_codec)]
    weights: Annotated[str, AfterValidator(_usable_template)] = ""
    refine: Annotated[Whole, Field(ge=0, le=1000)] = 0
    images: list[str] = []
    snr_db: Snrs | None = None
    cbr: Ratios | None = None
    channels: Channels | None = None
    modes: Modes | None = None
    numerology: OwnNumerology | None = None
    burst_symbols: BurstSymbols | None = None
    optional: bool = False


class Strip(TomlTable):
    """One picture, the original beside what each scheme made of it.

    Attributes:
        images: name of the image set.
        image: name of the picture.
        snr_db, cbr: where; the first that the experiment names when left out.
        crop: side in pixels of the square that is shown; 0 for the whole picture.
        at: left and top edge of that square; in the middle when left out.

    Example:
        >>> Strip(images="kodak", image="kodim05.png", cbr="1/12", crop=128).at is None  # from the middle
        True
    """

    images: Name
    image: Name
    snr_db: Decibels | None = None
    cbr: Ratio | None = None
    crop: Annotated[Whole, Field(ge=0)] = 0
    at: Annotated[tuple[Whole, Whole], Field(strict=False)] | None = None


class Experiment(TomlTable):
    """What is measured, every combination of schemes, pictures, SNRs, CBRs, channels, modes and seeds; what is shown.

    Attributes:
        name: of the file.
        title: of the report.
        about: what the reader of the report should know, in a sentence or two.
        images: the pictures.
        schemes: what is compared.
        snr_db: Es/N0 in dB.
        cbr: complex channel uses per colour value that the codecs may take.
        channels: names as after ``--channel``.
        modes: ``ideal``: the textbook channel; ``flowgraph``: the OFDM link in GNU Radio; ``two-hosts``: tx, channel
            and rx as three programs.
        seeds: of the noise; one cell each.
        numerology: of the OFDM modem: a name, a file that ends in ``.toml``, relative to the experiment's folder, or a
            table of its keys.
        burst_symbols: most analog symbols of a burst.
        metrics: that the report shows.
        anchor: label of the scheme that Bjontegaard figures compare with; none when empty.
        times: whether the report tells how long the codecs take and how large they are.
        references: schemes of ``references.toml`` that are drawn beside; those that fit.
        strips: pictures to look at.

    Example:
        >>> from gr_jscc.sweeps.experiment import load_experiment
        >>> load_experiment("codecs-grid").channels
        ['awgn']
    """

    name: str = ""
    title: Name
    about: str = ""
    images: Annotated[list[ImageSet], Field(min_length=1)]
    schemes: Annotated[list[Scheme], Field(min_length=1)]
    snr_db: Snrs
    cbr: Ratios
    channels: Channels = ["awgn"]
    modes: Modes = ["ideal"]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [1]
    numerology: OwnNumerology = NumerologyTable(fft_size=DEFAULT_NUMEROLOGY.fft_size)
    burst_symbols: BurstSymbols = LinkSettings().burst_symbols
    metrics: Annotated[list[Literal[METRICS]], Field(min_length=1)] = ["psnr_db"]
    anchor: str = ""
    times: bool = False
    references: list[str] = []
    strips: list[Strip] = []

    @model_validator(mode="after")
    def _names_fit(self) -> Experiment:
        labels, sets = [s.label for s in self.schemes], [s.name for s in self.images]
        for what, names in (("schemes", labels), ("images", sets)):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} of the same name")
        if self.anchor and self.anchor not in labels:
            raise ValueError(f"anchor {self.anchor!r} is not one of the schemes: {', '.join(labels)}")
        for name in [name for scheme in self.schemes for name in scheme.images] + [s.images for s in self.strips]:
            if name not in sets:
                raise ValueError(f"{name!r} is not one of the image sets: {', '.join(sets)}")
        return self


def shipped_experiments() -> dict[str, Path]:
    """The files of the experiments that ship, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml")) if path.stem not in NOT_EXPERIMENTS}


def load_experiment(name_or_path: str | Path) -> Experiment:
    """Reads a shipped experiment by name, or a TOML file by path.

    Raises:
        ExperimentError: not found, not TOML, an unknown or missing key or a value that makes no sense.
    """
    path, values = read_named("experiment", name_or_path, shipped_experiments(), ExperimentError)
    if "name" in values:
        raise ExperimentError(f"experiment {path}: unknown key name: an experiment is named after its file")
    return parse_experiment({**values, "name": path.stem}, f"experiment {path}", path.parent)


def parse_experiment(values: dict, where: str, folder: str | Path = ".") -> Experiment:
    """An experiment from its keys.

    Args:
        values: by key.
        where: for messages.
        folder: to which files of codecs from outside are relative.

    Raises:
        ExperimentError: one does not fit; the message begins with ``where``.
    """
    try:
        return Experiment.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        raise ExperimentError(f"{where}: {first_fault(error)}") from error
