"""The store of a sweep: a folder that any number of sweeps add to and that is whole at every moment.

    cells-0001.csv …   a line for every measured cell; each program run begins files of its own and only ever appends
    experiments/       NAME.json for every experiment: itself, and which cells are its own
    pictures/          received pictures that reports show (KEY.png), their originals (original-HASH.png), and where in
                       them a codec that adapts its rate spent its channel uses (KEY.npz)
    lock               held by the one program that writes

Files of other names, such as a file manager's copy and an editor's backup, are named and left alone.

A line is written in one piece and is on the disk before its cell counts as done. A line without its end, which a power
cut may leave, is passed over: that cell is measured again. CSV, because a Parquet file cannot be appended to.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np

from gr_jscc.codecs.base import UseMap
from gr_jscc.errors import UserError
from gr_jscc.files.left_out import NAMED
from gr_jscc.files.locks import lock, release
from gr_jscc.files.whole import PARTS, sync, whole, writing
from gr_jscc.imaging import load_image, save_image
from gr_jscc.reports.report import write_json

Row = dict[str, object]

# Columns that are text even where they look like numbers; the others hold JSON, and nothing for null.
TEXT = frozenset((
    "key", "codec", "weights", "weights_hash", "image.name", "image_hash", "channel", "mode", "error", "measured",
    "version",
))  # fmt: skip


SEGMENT = re.compile(r"cells-([0-9]+)\.csv")


class StoreError(UserError):
    """A store cannot be read or written; the message is one line for a person.

    Example:
        >>> Store("nowhere")
        Traceback (most recent call last):
            ...
        gr_jscc.sweeps.store.StoreError: not a sweep's store: nowhere
    """


class Store:
    """Reads and writes a sweep's store.

    Args:
        folder: of the store.

    Raises:
        StoreError: there is none, or a line of it is not what a sweep wrote.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store.create(folder)
        ...     store.append({"key": "0123456789abcdef", "error": "", "psnr_db": 28.9})
        ...     store.close()
        ...     Store(folder).rows()["0123456789abcdef"]["psnr_db"]
        28.9
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / "experiments").is_dir():
            raise StoreError(f"not a sweep's store: {self.folder}")
        self._segment: io.FileIO | None = None
        self._header: list[str] = []
        self._lock: int | None = None

    @classmethod
    def create(cls, folder: Path | str) -> Store:
        """Opens a store to write to; it is made if it is not there.

        Raises:
            StoreError: it cannot be written, or another program is writing to it.
        """
        folder = Path(folder)
        try:
            (folder / "experiments").mkdir(parents=True, exist_ok=True)
            store = cls(folder)
            (folder / "lock").touch()
            store._lock = lock(folder / "lock")
            for part in folder.glob(f"*/{PARTS}"):  # of a program that was killed
                part.unlink()
        except BlockingIOError as error:
            raise StoreError(f"another sweep is writing to {folder}") from error
        except OSError as error:
            raise StoreError(f"cannot write to the store {folder}: {error.strerror}") from error
        return store

    def close(self) -> None:
        """Ends writing."""
        self._end_segment()
        if self._lock is not None:
            release(self._lock)
            self._lock = None

    def rows(self) -> dict[str, Row]:
        """Every cell by its key; of one that was measured again after an error, the latest."""
        found: dict[str, Row] = {}
        for _, path in self._segments():
            for row in _read_segment(path):
                found[row["key"]] = row
        return found

    def strays(self) -> list[Path]:
        """What lies among the store's files and no sweep wrote, such as copies and backups; none of it is read."""
        own = {path for _, path in self._segments()}
        tables = [path for path in self.folder.glob("*cells-*") if path not in own]
        others = [path for path in (self.folder / "experiments").iterdir() if _experiment(path) is None]
        return sorted(tables + [path for path in others if not path.match(PARTS)])

    def _segments(self) -> list[tuple[int, Path]]:
        """The files of rows by their numbers, oldest first."""
        names = ((SEGMENT.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted((int(name[1]), path) for name, path in names if name and path.is_file())

    def append(self, row: Row) -> None:
        """Writes one row; it is on the disk when this returns.

        Args:
            row: values that JSON knows; text in the columns of `TEXT`. One with columns that the rows before did not
                have begins a new file.

        Raises:
            UserError: it cannot be written, as on a full disk; what was written before is whole.
        """
        with writing(self.folder):
            try:
                if self._segment is None or not set(row) <= set(self._header):
                    self._begin(list(row))
                self._write([_to_text(key, row.get(key)) for key in self._header])
                os.fsync(self._segment.fileno())
            except OSError:
                self._end_segment()  # the next row must not follow on a part of this one
                raise

    def save_experiment(self, name: str, content: dict) -> None:
        """Keeps an experiment and its cells; one of the same name is replaced.

        Raises:
            UserError: it cannot be written.
        """
        path = self.folder / "experiments" / f"{name}.json"
        with writing(path):
            write_json(path, content)

    def experiments(self) -> dict[str, dict]:
        """What `save_experiment` was given, by name."""
        found = {}
        for path in sorted((self.folder / "experiments").iterdir()):
            if (content := _experiment(path)) is not None:
                found[path.stem] = content
        return found

    def save_picture(self, name: str, picture: np.ndarray) -> None:
        """Keeps a picture uint8[H, W, 3] under a name."""
        save_image(self.folder / "pictures" / f"{name}.png", picture)

    def has_picture(self, name: str) -> bool:
        """Whether there is a picture of this name."""
        return (self.folder / "pictures" / f"{name}.png").is_file()

    def picture(self, name: str) -> np.ndarray | None:
        """The picture of a name, uint8[H, W, 3]; None where there is none."""
        return load_image(self.folder / "pictures" / f"{name}.png") if self.has_picture(name) else None

    def save_use_map(self, name: str, uses: UseMap) -> None:
        """Keeps a map beside the picture of the same name.

        Raises:
            UserError: it cannot be written.
        """
        path = self.folder / "pictures" / f"{name}.npz"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as part, open(part, "xb") as stream:
                np.savez_compressed(stream, uses=uses.uses, stride=uses.stride)

    def use_map(self, name: str) -> UseMap | None:
        """The map of a name; None where there is none.

        Raises:
            StoreError: it is damaged.
        """
        path = self.folder / "pictures" / f"{name}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path) as content:
                return UseMap(content["uses"], int(content["stride"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StoreError(f"damaged store: {path}: {error}") from error

    def _begin(self, header: list[str]) -> None:
        """Opens a file of its own for this process's rows from now on."""
        self._end_segment()
        names = (SEGMENT.fullmatch(path.name) for path in self.folder.iterdir())
        taken = [int(name[1]) for name in names if name]  # folders, too
        path = self.folder / f"cells-{max(taken, default=0) + 1:04d}.csv"
        self._segment = open(path, "xb", buffering=0)  # noqa: SIM115 (open while the store is)
        self._header = header
        self._write(header)
        sync(self.folder)  # the file's name must survive a power cut as well

    def _end_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _write(self, fields: list[str]) -> None:
        """Appends a line; a disk that fills up takes a part of it before it fails."""
        left = _line(fields)
        while left:
            left = left[self._segment.write(left) :]


def strays_line(strays: list[Path]) -> str:
    """A line for a person about `Store.strays`."""
    more = f" and {len(strays) - NAMED} more" if len(strays) > NAMED else ""
    return f"ignored, not part of this store: {', '.join(str(path) for path in strays[:NAMED])}{more}"


def _experiment(path: Path) -> dict | None:
    """What `Store.save_experiment` wrote to a file; None of a copy under another name, and of what is none."""
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if content["experiment"]["name"] == path.stem else None
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None


def _line(fields: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _to_text(key: str, value: object) -> str:
    if value is None:
        return ""
    return " ".join(str(value).split()) if key in TEXT else json.dumps(value)


def _read_segment(path: Path) -> list[Row]:
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    lines = whole.decode(errors="replace").splitlines()
    reader = csv.reader(lines)
    header = next(reader, None)
    if header is None:
        return []
    rows = []
    for fields in reader:
        try:
            if len(fields) != len(header):
                raise ValueError("wrong number of fields")
            rows.append({key: _from_text(key, text) for key, text in zip(header, fields)})
        except ValueError as error:
            raise StoreError(f"damaged store: {path}, line {reader.line_num}: {error}") from error
    return rows


def _from_text(key: str, text: str) -> object:
    if key in TEXT:
        return text
    return json.loads(text) if text else None
