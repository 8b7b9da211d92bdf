"""SigMF recordings: a file of samples, ``NAME.sigmf-data``, and JSON beside it, ``NAME.sigmf-meta``.

The format is that of https://github.com/sigmf/SigMF, version 1.2. Our own fields are in its namespace ``jscc``; see
`gr_jscc.recordings.annotations`.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from gr_jscc import __version__
from gr_jscc.radio.address import RadioError
from gr_jscc.radio.json_reader import JsonReader
from gr_jscc.radio.sample_file import SampleFile, replace
from gr_jscc.radio.sigmf_names import find_recording, only_name, open_text, recording_paths
from gr_jscc.radio.stored_samples import Datatype, Part, StoredSamples, stored_samples

VERSION = "1.2.6"  # of the format
EXTENSION = {"name": "jscc", "version": "1.1.0", "optional": True}


# --- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """What the metadata of a recording say. Samples are counted from 0, wherever the metadata begin to count.

    Attributes:
        meta: its metadata; of a recording in an archive the archive's path and the name in it.
        stored: its samples.
        offset: number that the metadata give to the first sample.
        captures: first samples of its segments, ascending.
        sample_rate: samples per second; None when it is not told.
        frequency: Hz, of the first segment; None when it is not told.
        fields: the whole global object.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = SigmfFile(Path(folder, "air"), "A hundred samples", sample_rate=1e6)
        ...     file.write(np.ones(100, np.complex64))
        ...     file.finish([{"core:sample_start": 20, "core:sample_count": 30}])
        ...     recording = read_recording(Path(folder, "air"))
        ...     recording.samples, recording.sample_rate, [recording.extent(mark) for mark in recording.annotations()]
        (100, 1000000.0, [(20, 50)])
    """

    meta: Path
    stored: StoredSamples
    offset: int
    captures: tuple[int, ...] = field(repr=False)
    sample_rate: float | None
    frequency: float | None
    fields: dict = field(repr=False)
    _text: Part = field(repr=False)

    @property
    def data(self) -> Path:
        """The file that holds its samples."""
        return self.stored.path

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self.stored.count

    def annotations(self) -> Iterator[dict]:
        """The annotations as they stand there, one after the other; only one is in memory.

        Those that are no JSON objects are passed over.

        Raises:
            RadioError: they cannot be read.
        """
        try:
            with open_text(self._text) as file:
                reader = JsonReader(file)
                for key in reader.members():
                    if key == "annotations":
                        yield from (item for item in reader.items() if isinstance(item, dict))
                    else:
                        reader.value()
        except OSError as error:
            raise RadioError(f"cannot read {self.meta}: {error.strerror}") from error
        except ValueError as error:
            raise RadioError(f"cannot read {self.meta}: {error}") from error

    def extent(self, annotation: dict) -> tuple[int, int] | None:
        """First sample of what an annotation marks, and the one behind its last; None where no sample here is meant.

        Without a length it reaches to the end of its segment.
        """
        start, count = annotation.get("core:sample_start"), annotation.get("core:sample_count")
        if not _is_number(start) or not (count is None or _is_number(count)):
            return None
        first = int(start) - self.offset
        if count is None:
            end = next((capture for capture in self.captures if capture > first), self.samples)
        else:
            end = first + int(count)
        if first >= self.samples or end < first or (first < 0 and end <= 0):
            return None
        return max(first, 0), min(end, self.samples)

    def read(self, first: int, count: int) -> np.ndarray:
        """Samples from ``first`` on as complex64, fewer than ``count`` at the end.

        Raises:
            RadioError: they cannot be read.
        """
        return self.stored.read(first, count)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_recording(path: Path) -> Recording:
    """A recording by the path of either of its files, by the name that they share, or in an archive.

    Args:
        path: see `gr_jscc.radio.sigmf_names.find_recording`.

    Raises:
        RadioError: a file is missing or cannot be read, the metadata are none, or the samples are of a kind that
            cannot be received.
    """
    folder, name, data_name = find_recording(path)
    meta, text = folder.path / name, folder.part(name)
    fields, captures = _read_head(meta, text)
    if isinstance(fields, dict) and isinstance(fields.get("core:dataset"), str):
        data_name = only_name(fields["core:dataset"], meta)
    _validate(meta, fields, captures)
    if fields.get("core:num_channels", 1) != 1:
        raise RadioError(
            f"cannot read {meta}: {fields['core:num_channels']} channels in one file, but only one is supported"
        )
    if fields.get("core:metadata_only"):
        raise RadioError(f"cannot read {meta}: it is distributed without its samples (core:metadata_only)")
    try:
        datatype = Datatype(fields["core:datatype"])
    except RadioError as error:
        raise RadioError(f"cannot read {folder.path / data_name}: {error}") from error
    # JSON of some programs has 8.0 for 8.
    offset = int(fields.get("core:offset", 0))
    starts = tuple(max(0, int(capture["core:sample_start"]) - offset) for capture in captures)
    headers = [int(capture.get("core:header_bytes", 0)) for capture in captures]
    stored = stored_samples(
        folder.part(data_name),
        datatype,
        [(start, header) for start, header in zip(starts, headers) if header],
        int(fields.get("core:trailing_bytes", 0)),
    )
    # Some programs write NaN, which is no JSON, for what they do not know.
    rate, frequency = (
        value if _is_number(value) else None
        for value in (fields.get("core:sample_rate"), captures[0].get("core:frequency") if captures else None)
    )
    return Recording(meta, stored, offset, starts, rate, frequency, fields, text)


def _read_head(meta: Path, text: Part) -> tuple[dict, list[dict]]:
    """The global object and the segments; annotations are passed over."""
    parts: dict[str, object] = {"global": None, "captures": []}
    try:
        with open_text(text) as file:
            reader = JsonReader(file)
            for key in reader.members():
                if key == "annotations":
                    for _ in reader.items():
                        pass
                else:
                    parts[key] = reader.value()
    except OSError as error:
        raise RadioError(f"cannot read {meta}: {error.strerror}") from error
    except ValueError as error:
        raise RadioError(f"cannot read {meta}: not SigMF metadata ({error})") from error
    return parts["global"], parts["captures"]


def _validate(meta: Path, fields: dict, captures: list[dict]) -> None:
    from jsonschema import ValidationError
    from sigmf.validate import validate

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fields of extensions that are not declared do no harm
            validate({"global": fields, "captures": captures, "annotations": []})
    except ValidationError as error:
        where = "".join(f"{step}: " for step in error.absolute_path)
        raise RadioError(f"cannot read {meta}: not SigMF metadata ({where}{error.message[:120]})") from error


# --- writing -----------------------------------------------------------------------------------------------------


class SigmfFile:
    """A recording that is being written: both files end in ``.part`` until `finish`.

    Args:
        path: of either file, or the name that they share. An earlier recording there is replaced.
        description: of the recording, for people.
        sample_rate: samples per second; None when unknown.
        frequency: of the carrier, Hz; None when unknown.
        hardware: name of the radio; "" when there is none.
        fields: more for the global object, with their namespace.

    Raises:
        RadioError: it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = SigmfFile(Path(folder, "air"), "A hundred samples", sample_rate=1e6)
        ...     file.write(np.ones(100, np.complex64))
        ...     file.finish()
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['air.sigmf-data', 'air.sigmf-meta']
    """

    def __init__(
        self,
        path: Path,
        description: str,
        sample_rate: float | None = None,
        frequency: float | None = None,
        hardware: str = "",
        fields: dict | None = None,
    ) -> None:
        self.meta, data = recording_paths(path)
        if self.meta.exists() and not self.meta.is_file():
            raise RadioError(f"cannot write {self.meta}: not a regular file")
        self._samples = SampleFile(data)
        self._begin: datetime | None = None
        self._frequency = frequency
        optional = {"core:sample_rate": sample_rate, "core:hw": hardware or None}
        self.fields = {
            "core:datatype": "cf32_le",
            **{key: value for key, value in optional.items() if value is not None},
            "core:version": VERSION,
            "core:recorder": f"gr-jscc {__version__}",
            "core:description": description,
            **(fields or {}),
        }

    @property
    def samples(self) -> int:
        """Written so far."""
        return self._samples.samples

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._samples.closed

    def write(self, samples: np.ndarray) -> None:
        """Appends complex64[n].

        Raises:
            RadioError: it cannot be written.
        """
        self._begin = self._begin or datetime.now(timezone.utc)
        self._samples.write(samples)

    def close(self) -> None:
        """Ends it as it stands; without `finish` it keeps the name of a part."""
        self._samples.close()

    def finish(self, annotations: Iterable[dict] = ()) -> None:
        """Writes the metadata and gives both files their names, the metadata last: where they are, all is.

        Args:
            annotations: in the order of ``core:sample_start``.

        Raises:
            RadioError: it cannot be written.
        """
        capture = {"core:sample_start": 0}
        if self._frequency is not None:
            capture["core:frequency"] = self._frequency
        if self._begin is not None:
            capture["core:datetime"] = self._begin.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        part = self.meta.with_name(self.meta.name + ".part")
        try:
            with open(part, "w", encoding="utf-8") as file:
                _write_meta(file, self.fields, [capture], annotations)
        except OSError as error:
            raise RadioError(f"cannot write {part}: {error.strerror}") from error
        with suppress(FileNotFoundError):
            self.meta.unlink()  # that of an earlier recording would describe other samples for a moment
        self._samples.finish()
        replace(part, self.meta)


def _write_meta(file, fields: dict, captures: list[dict], annotations: Iterable[dict]) -> None:
    """Metadata with an annotation a line, so that they need not be in memory together."""
    head = json.dumps({"global": fields, "captures": captures}, indent=1, allow_nan=False)
    file.write(head[: head.rindex("\n}")])
    file.write(',\n "annotations": [')
    separator = "\n  "
    for annotation in annotations:
        file.write(separator + json.dumps(annotation, allow_nan=False))
        separator = ",\n  "
    file.write("\n ]\n}\n")
