"""Samples in a file: of which type they are, and where in the file they stand."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gr_jscc.radio.address import RadioError


@dataclass(frozen=True)
class Datatype:
    """How complex samples stand in a file.

    Attributes:
        name: SigMF's, such as ``ci16_le``.

    Example:
        >>> Datatype("ci8").convert(bytes([64, 192])).tolist()
        [(0.5-0.5j)]
    """

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"c(f32|f64|i32|u32|i16|u16|i8|u8)(_le|_be)?", self.name):
            kind = "real samples" if self.name.startswith("r") else "samples of an unknown type"
            raise RadioError(f"{kind}, {self.name}: complex samples are needed")

    @cached_property
    def real(self) -> np.dtype:
        """Of the real and of the imaginary part."""
        order = ">" if self.name.endswith("_be") else "<"
        bits = int(re.findall(r"\d+", self.name)[0])
        return np.dtype(f"{order}{self.name[1]}{bits // 8}")

    @property
    def sample_bytes(self) -> int:
        return 2 * self.real.itemsize

    def convert(self, data: bytes | memoryview) -> np.ndarray:
        """Bytes of whole samples as complex64[n].

        Integers become numbers from -1 to 1; the middle of unsigned ones is halfway between their two middle values, as
        in what an RTL-SDR delivers.
        """
        values = np.frombuffer(data, self.real)
        if self.real.kind == "f":
            with np.errstate(over="ignore"):  # what complex64 cannot hold is infinite, and counts as no sample later
                return values.astype(np.float32).view(np.complex64)
        scale = 2.0 ** (1 - 8 * self.real.itemsize)
        middle = 0.0 if self.real.kind == "i" else 1 / scale - 0.5
        # A single has not the digits to take the middle of 32-bit numbers away.
        wide = np.float64 if self.real.itemsize == 4 else np.float32
        return ((values.astype(wide) - wide(middle)) * wide(scale)).astype(np.float32).view(np.complex64)


COMPLEX64 = Datatype("cf32_le")


@dataclass(frozen=True)
class Part:
    """Bytes of a file: all, or those of a member of an archive.

    Attributes:
        path: of the file.
        start, size: of the part, bytes.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     np.ones(100, np.complex64).tofile(file.name)
        ...     Part.whole(Path(file.name)).size
        800
    """

    path: Path
    start: int
    size: int

    @classmethod
    def whole(cls, path: Path) -> Part:
        """All of a file.

        Raises:
            RadioError: it is not there, is no file, or cannot be read.
        """
        try:
            if path.exists() and not path.is_file():
                raise RadioError(f"cannot read {path}: not a regular file")
            with open(path, "rb") as file:
                return cls(path, 0, os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise RadioError(f"cannot read {path}: {error.strerror}") from error


@dataclass(frozen=True)
class _Run:
    """Samples one after the other, with nothing between them."""

    first: int
    count: int
    byte: int  # of the file, where the first begins


@dataclass(frozen=True)
class StoredSamples:
    """Samples in a file, counted from 0; what stands between them is passed over.

    Attributes:
        path: of the file.
        datatype: of the samples.
        count: how many there are.
        left_over: bytes at the end that are no whole sample, as after a crash; they are left out.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     np.arange(100).astype(np.complex64).tofile(file.name)
        ...     stored_samples(Part.whole(Path(file.name))).read(first=98, count=10).real.tolist()
        [98.0, 99.0]
    """

    path: Path
    datatype: Datatype
    count: int
    left_over: int
    _runs: tuple[_Run, ...]

    @property
    def remark(self) -> str | None:
        """What a person should know of them, in one line; None when there is nothing to say."""
        if not self.left_over:
            return None
        return f"{self.path} ends within a sample: its last {self.left_over} bytes are ignored"

    def read(self, first: int, count: int) -> np.ndarray:
        """Samples from ``first`` on as complex64, fewer than ``count`` at the end.

        Raises:
            RadioError: they cannot be read.
        """
        size, data = self.datatype.sample_bytes, []
        try:
            with open(self.path, "rb") as file:
                for run in self._runs[max(0, bisect_right(self._firsts, first) - 1) :]:
                    begin, end = max(first, run.first), min(first + count, run.first + run.count)
                    if begin >= end:
                        break
                    file.seek(run.byte + (begin - run.first) * size)
                    data.append(file.read((end - begin) * size))
        except OSError as error:
            raise RadioError(f"cannot read {self.path}: {error.strerror}") from error
        data = b"".join(data)
        return self.datatype.convert(data[: len(data) // size * size])  # it may have become shorter meanwhile

    @cached_property
    def _firsts(self) -> list[int]:
        return [run.first for run in self._runs]


def stored_samples(
    part: Part, datatype: Datatype = COMPLEX64, headers: Iterable[tuple[int, int]] = (), trailing: int = 0
) -> StoredSamples:
    """Finds the samples in a file, or in a part of one.

    Args:
        part: where they are.
        datatype: of them.
        headers: what stands between them: before which sample so many bytes do, in the order of the samples.
        trailing: bytes at the end that are none.

    Raises:
        RadioError: there is none.
    """
    size, end = datatype.sample_bytes, part.start + part.size - trailing
    byte, sample, runs = part.start, 0, []

    def take(most: int | None) -> None:
        nonlocal byte, sample
        there = max(0, end - byte) // size
        count = there if most is None else min(most, there)
        if count:
            runs.append(_Run(sample, count, byte))
        byte, sample = byte + count * size, sample + count

    for before, header in headers:
        if before > sample:
            wanted = before - sample
            take(wanted)
            if sample < before:
                break  # the file ends before the header
        byte += header
    else:
        take(None)
    if not sample:
        raise RadioError(f"cannot read {part.path}: {part.size} bytes hold no {datatype.name} sample of {size} bytes")
    return StoredSamples(part.path, datatype, sample, max(0, end - byte), tuple(runs))
