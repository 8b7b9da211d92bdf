"""SigMF recordings: a file of samples, ``NAME.sigmf-data``, and JSON beside it, ``NAME.sigmf-meta``.

The format is that of https://github.com/sigmf/SigMF, version 1.2. Our own fields are in its namespace ``jscc``; see
`gr_jscc.evaluation.annotations`.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

import numpy as np

from gr_jscc import __version__
from gr_jscc.radio.address import RadioError
from gr_jscc.radio.json_reader import JsonReader
from gr_jscc.radio.sample_file import SampleFile, replace

META, DATA = ".sigmf-meta", ".sigmf-data"
VERSION = "1.2.6"  # of the format
EXTENSION = {"name": "jscc", "version": "1.0.0", "optional": True}


def is_sigmf(path: Path) -> bool:
    """Whether a path is that of a SigMF file, the one or the other."""
    return path.suffix in (META, DATA)


def recording_paths(path: Path) -> tuple[Path, Path]:
    """A recording's two files, metadata and samples, from the path of either or from the name that they share."""
    base = path.with_suffix("") if is_sigmf(path) else path
    return base.with_name(base.name + META), base.with_name(base.name + DATA)


# --- samples -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Datatype:
    """How complex samples stand in a file.

    Attributes:
        name: SigMF's, such as ``ci16_le``.
    """

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"c(f32|f64|i32|u32|i16|u16|i8|u8)(_le|_be)?", self.name):
            kind = "real samples" if self.name.startswith("r") else "samples of an unknown type"
            raise RadioError(f"{kind}, {self.name}: complex ones are needed")

    @cached_property
    def real(self) -> np.dtype:
        """Of the real and of the imaginary part."""
        order = ">" if self.name.endswith("_be") else "<"
        bits = int(re.findall(r"\d+", self.name)[0])
        return np.dtype(f"{order}{self.name[1]}{bits // 8}")

    @property
    def sample_bytes(self) -> int:
        return 2 * self.real.itemsize

    @property
    def is_complex64(self) -> bool:
        """Whether the bytes are those of complex64 in memory."""
        return self.real == np.dtype(np.float32)

    def convert(self, data: bytes | memoryview) -> np.ndarray:
        """Bytes of whole samples as complex64[n].

        Integers become numbers from -1 to 1; the middle of unsigned ones is halfway between their two middle values, as
        in what an RTL-SDR delivers.
        """
        values = np.frombuffer(data, self.real)
        if self.real.kind == "f":
            return values.astype(np.float32).view(np.complex64)
        scale = np.float32(2.0 ** (1 - 8 * self.real.itemsize))
        middle = np.float32(0 if self.real.kind == "i" else 1 / scale - 0.5)
        return ((values.astype(np.float32) - middle) * scale).view(np.complex64)


# --- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """What the metadata of a recording say.

    Attributes:
        meta, data: its files.
        datatype: of the samples.
        samples: how many there are.
        sample_rate: samples per second; None when it is not told.
        frequency: Hz, of the first segment; None when it is not told.
        fields: the whole global object.
    """

    meta: Path
    data: Path
    datatype: Datatype
    samples: int
    sample_rate: float | None
    frequency: float | None
    fields: dict = field(repr=False)

    def annotations(self) -> Iterator[dict]:
        """The annotations, one after the other; only one is in memory.

        Raises:
            RadioError: they cannot be read.
        """
        try:
            with open(self.meta, encoding="utf-8") as file:
                reader = JsonReader(file)
                for key in reader.members():
                    if key == "annotations":
                        yield from reader.items()
                    else:
                        reader.value()
        except OSError as error:
            raise RadioError(f"cannot read {self.meta}: {error.strerror}") from error
        except ValueError as error:
            raise RadioError(f"cannot read {self.meta}: {error}") from error

    def read(self, first: int, count: int) -> np.ndarray:
        """Samples from ``first`` on as complex64, fewer than ``count`` at the end.

        Raises:
            RadioError: they cannot be read.
        """
        try:
            with open(self.data, "rb") as file:
                file.seek(first * self.datatype.sample_bytes)
                return self.datatype.convert(file.read(count * self.datatype.sample_bytes))
        except OSError as error:
            raise RadioError(f"cannot read {self.data}: {error.strerror}") from error


def read_recording(path: Path) -> Recording:
    """A recording by the path of either of its files, or by the name that they share.

    Raises:
        RadioError: a file is missing or cannot be read, the metadata are none, or the samples are of a kind that
            cannot be received.
    """
    meta, data = recording_paths(path)
    fields, captures = _read_head(meta)
    _validate(meta, fields, captures)
    fault = ""
    if fields.get("core:num_channels", 1) != 1:
        fault = f"{fields['core:num_channels']} channels in one file: one is needed"
    elif fields.get("core:trailing_bytes") or any(capture.get("core:header_bytes") for capture in captures):
        fault = "bytes between the samples that are none"
    if fault:
        raise RadioError(f"cannot read {meta}: {fault}")
    data = meta.with_name(fields["core:dataset"]) if "core:dataset" in fields else data
    try:
        datatype = Datatype(fields["core:datatype"])
    except RadioError as error:
        raise RadioError(f"cannot read {data}: {error}") from error
    samples = count_samples(data, datatype.sample_bytes, datatype.name)
    frequency = captures[0].get("core:frequency") if captures else None
    return Recording(meta, data, datatype, samples, fields.get("core:sample_rate"), frequency, fields)


def count_samples(path: Path, sample_bytes: int, name: str) -> int:
    """Samples in a file.

    Args:
        path: of the file.
        sample_bytes: of one sample.
        name: of their type.

    Raises:
        RadioError: it is not there, is no file, or holds no whole number of samples.
    """
    try:
        if path.exists() and not path.is_file():
            raise RadioError(f"cannot read {path}: it is no file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise RadioError(f"cannot read {path}: {error.strerror}") from error
    if not size or size % sample_bytes:
        raise RadioError(f"cannot read {path}: {size} bytes are no {name} samples of {sample_bytes} bytes each")
    return size // sample_bytes


def _read_head(meta: Path) -> tuple[dict, list[dict]]:
    """The global object and the segments; annotations are passed over."""
    parts: dict[str, object] = {"global": None, "captures": []}
    try:
        with open(meta, encoding="utf-8") as file:
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
        raise RadioError(f"cannot read {meta}: it is no SigMF metadata ({error})") from error
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
        raise RadioError(f"cannot read {meta}: it is no SigMF metadata ({where}{error.message[:120]})") from error


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
            raise RadioError(f"cannot write {self.meta}: it is no file")
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
        self._samples.close()
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
